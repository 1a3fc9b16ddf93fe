//! Two shards that wake each other, natively and through anyrt. Run it under `perf stat` to count
//! the system calls.
//!
//! ```text
//! cargo build --release -p anyrt-glommio --example cross_shard
//! perf stat -e raw_syscalls:sys_enter target/release/examples/cross_shard native 15000
//! perf stat -e raw_syscalls:sys_enter target/release/examples/cross_shard anyrt 15000
//! perf stat -e raw_syscalls:sys_enter target/release/examples/cross_shard spawn 15000
//! ```
//! `native` and `anyrt` send a number to the other shard and back; `spawn` spawns a task there and
//! joins it.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use anyrt_core::channel::{Receiver as _, Sender as _};
use anyrt_core::runtime::Owner;
use anyrt_glommio::runtime::{Builder, Runtime};
use anyrt_kit::queue;
use glommio::channels::shared_channel;
use glommio::{LocalExecutorBuilder, Placement};

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(way), Some(rounds)) = (args.next(), args.next()) else {
        panic!("usage: cross_shard native|anyrt|spawn ROUNDS");
    };
    let rounds = rounds.parse().unwrap();
    match way.as_str() {
        "native" => native(rounds),
        "anyrt" => anyrt(rounds),
        "spawn" => spawn(rounds),
        _ => panic!("no such way: {way}"),
    }
}

fn native(rounds: u64) {
    let (to_there, there) = shared_channel::new_bounded(1);
    let (to_here, here) = shared_channel::new_bounded(1);
    let builder = || LocalExecutorBuilder::new(Placement::Unbound);
    let other = builder().spawn(move || async move {
        let (there, to_here) = (there.connect().await, to_here.connect().await);
        while let Some(n) = there.recv().await {
            to_here.send(n).await.unwrap();
        }
    });
    let one = builder().spawn(move || async move {
        let (to_there, here) = (to_there.connect().await, here.connect().await);
        for n in 0..rounds {
            to_there.send(n).await.unwrap();
            assert_eq!(here.recv().await, Some(n));
        }
    });
    one.unwrap().join().unwrap();
    other.unwrap().join().unwrap();
}

fn shards() -> Runtime {
    Builder::new().shards(2).build().unwrap()
}

fn anyrt(rounds: u64) {
    let runtime = shards();
    let rt = runtime.handle();
    let (to_there, mut there) = queue::bounded(1);
    let (to_here, mut here) = queue::bounded(1);
    let _other = rt.spawn_on(1, async move {
        while let Some(n) = there.recv().await {
            to_here.send(n).await.unwrap();
        }
    });
    let one = rt.spawn_on(0, async move {
        for n in 0..rounds {
            to_there.send(n).await.unwrap();
            assert_eq!(here.recv().await, Some(n));
        }
    });
    runtime.block_on(one).unwrap();
}

fn spawn(rounds: u64) {
    let runtime = shards();
    let rt = runtime.handle().clone();
    let all = runtime.handle().spawn_on(0, async move {
        for n in 0..rounds {
            assert_eq!(rt.spawn_on(1, async move { n }).await.unwrap(), n);
        }
    });
    runtime.block_on(all).unwrap();
}
