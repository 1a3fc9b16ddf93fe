//! The operations, one source text for every way and runtime.
//!
//! The parent module defines `Rt` (the functions for a task) and `Host` (the owner of the runtime).

use std::future::{pending, ready};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};

use futures_util::future::join;

use super::{Host, Rt};
use crate::row::Row;
use crate::subject::Backend;
use crate::subject::common::{HOUR, Turn, poll_once, scratch_file};

/// Executes the row's operation `n` times on a runtime of its own.
// Inline, so that it is compiled in the program that uses it, and not with the library.
#[inline]
pub fn run(backend: Backend, row: Row, n: usize) {
    repeat(&Host::new(backend), row, n);
}

/// Executes the row's operation `n` times.
#[inline]
pub fn repeat(host: &Host, row: Row, n: usize) {
    match row {
        Row::Spawn => host.run(move |rt| spawn(rt, n)),
        Row::SpawnJoin => host.run(move |rt| spawn_join(rt, n)),
        Row::Abort => host.run(move |rt| abort(rt, n)),
        Row::Yield => host.run(move |rt| yield_now(rt, n)),
        Row::Wake => host.run(move |rt| wake(rt, n)),
        Row::BlockOn => (0..n).for_each(|_| host.block_on_ready()),
        Row::Sleep => host.run(move |rt| sleep(rt, n)),
        Row::TimeoutReady => host.run(move |rt| timeout_ready(rt, n)),
        Row::TimeoutPending => host.run(move |rt| timeout_pending(rt, n)),
        Row::Interval => host.run(move |rt| interval(rt, n)),
        Row::ChannelSpsc => host.run(move |rt| channel_spsc(rt, n)),
        Row::ChannelMpsc => host.run(move |rt| channel_mpsc(rt, n)),
        Row::TcpConnect => host.run(move |rt| tcp_connect(rt, n)),
        Row::Tcp1B => host.run(move |rt| tcp(rt, n, 1)),
        Row::Tcp1K => host.run(move |rt| tcp(rt, n, 1024)),
        Row::Tcp64K => host.run(move |rt| tcp(rt, n, 64 * 1024)),
        Row::TcpVectored => host.run(move |rt| tcp_vectored(rt, n)),
        Row::Udp1K => host.run(move |rt| udp(rt, n)),
        Row::SpawnBlocking => host.run(move |rt| spawn_blocking(rt, n)),
        Row::FileRead => host.run(move |rt| file_read(rt, n)),
        Row::FileWrite => host.run(move |rt| file_write(rt, n)),
        Row::JoinSet => host.run(move |rt| join_set(rt, n)),
        Row::Select4 => host.run(move |rt| select_4(rt, n)),
    }
}

/// Detached tasks; every fiftieth is joined, and by then those before it have run.
async fn spawn(rt: Rt, n: usize) {
    for _ in 0..n / 50 {
        for _ in 0..49 {
            rt.spawn_detached(async { black_box(()) });
        }
        rt.join(rt.spawn(async { black_box(()) })).await;
    }
}

async fn spawn_join(rt: Rt, n: usize) {
    for i in 0..n {
        assert_eq!(rt.join(rt.spawn(async move { i })).await, i);
    }
}

async fn abort(rt: Rt, n: usize) {
    for _ in 0..n {
        rt.abort(rt.spawn(pending::<()>())).await;
    }
}

async fn yield_now(rt: Rt, n: usize) {
    for _ in 0..n {
        rt.yield_now().await;
    }
}

async fn wake(rt: Rt, n: usize) {
    let (ours, theirs) = (Turn::default(), Turn::default());
    let other = rt.spawn({
        let (ours, theirs) = (ours.clone(), theirs.clone());
        async move {
            for _ in 0..n {
                theirs.take().await;
                ours.give();
            }
        }
    });
    for _ in 0..n {
        theirs.give();
        ours.take().await;
    }
    rt.join(other).await;
}

async fn sleep(rt: Rt, n: usize) {
    for _ in 0..n {
        poll_once(rt.sleep(HOUR)).await;
    }
}

async fn timeout_ready(rt: Rt, n: usize) {
    for i in 0..n {
        assert_eq!(rt.timeout(HOUR, ready(black_box(i))).await, Some(i));
    }
}

async fn timeout_pending(rt: Rt, n: usize) {
    for _ in 0..n {
        poll_once(rt.timeout(HOUR, pending::<()>())).await;
    }
}

async fn interval(rt: Rt, n: usize) {
    // It began an hour ago, so that a tick is always due and never waits.
    let mut interval = rt.overdue_interval();
    for _ in 0..n {
        rt.tick(&mut interval).await;
    }
}

async fn channel_spsc(rt: Rt, n: usize) {
    let (sender, mut receiver) = rt.channel::<usize>(64);
    for i in 0..n {
        rt.send(&sender, i).await;
        assert_eq!(rt.recv(&mut receiver).await, Some(i));
    }
}

async fn channel_mpsc(rt: Rt, n: usize) {
    const SENDERS: usize = 4;
    let (sender, mut receiver) = rt.channel::<usize>(16);
    for _ in 0..SENDERS {
        let (task, sender) = (rt.clone(), sender.clone());
        rt.spawn_detached(async move {
            for i in 0..n / SENDERS {
                task.send(&sender, i).await;
            }
        });
    }
    drop(sender);
    let mut received = 0;
    while rt.recv(&mut receiver).await.is_some() {
        received += 1;
    }
    assert_eq!(received, n / SENDERS * SENDERS);
}

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn tcp_connect(rt: Rt, n: usize) {
    let (mut listener, address) = rt.listen(ANY_PORT).await;
    for _ in 0..n {
        let _ends = join(rt.connect(address), rt.accept(&mut listener)).await;
    }
}

/// One side sends requests, the other answers, both in one task, so that the order of waits is
/// always the same.
async fn tcp(rt: Rt, n: usize, size: usize) {
    let (mut listener, address) = rt.listen(ANY_PORT).await;
    let (mut client, mut server) = join(rt.connect(address), rt.accept(&mut listener)).await;
    let answer = async {
        let mut buffer = vec![0; size];
        for _ in 0..n {
            rt.read_exact(&mut server, &mut buffer).await;
            rt.write_all(&mut server, &buffer).await;
        }
    };
    let ask = async {
        let mut buffer = vec![7; size];
        for _ in 0..n {
            rt.write_all(&mut client, &buffer).await;
            rt.read_exact(&mut client, &mut buffer).await;
        }
    };
    join(ask, answer).await;
}

async fn tcp_vectored(rt: Rt, n: usize) {
    let (mut listener, address) = rt.listen(ANY_PORT).await;
    let (mut client, mut server) = join(rt.connect(address), rt.accept(&mut listener)).await;
    let slices = [&[1; 64][..], &[2; 64], &[3; 64], &[4; 64]];
    let answer = async {
        let mut buffer = [0; 256];
        for _ in 0..n {
            rt.read_exact(&mut server, &mut buffer).await;
            assert_eq!(rt.write_vectored(&mut server, slices).await, 256);
        }
    };
    let ask = async {
        let mut buffer = [0; 256];
        for _ in 0..n {
            assert_eq!(rt.write_vectored(&mut client, slices).await, 256);
            rt.read_exact(&mut client, &mut buffer).await;
        }
    };
    join(ask, answer).await;
}

async fn udp(rt: Rt, n: usize) {
    let (one, to_one) = rt.udp(ANY_PORT).await;
    let (two, to_two) = rt.udp(ANY_PORT).await;
    let mut buffer = [7; 1024];
    for _ in 0..n {
        rt.send_to(&one, &buffer, to_two).await;
        rt.recv_from(&two, &mut buffer).await;
        rt.send_to(&two, &buffer, to_one).await;
        rt.recv_from(&one, &mut buffer).await;
    }
}

async fn spawn_blocking(rt: Rt, n: usize) {
    for i in 0..n {
        assert_eq!(rt.join_blocking(rt.spawn_blocking(move || i)).await, i);
    }
}

const BLOCK: usize = 4096;

/// One block after the other, of a sparse file, so that no disk is read.
async fn file_read(rt: Rt, n: usize) {
    let path = scratch_file();
    let hole = std::fs::File::create(&path).unwrap();
    hole.set_len((n * BLOCK) as u64).unwrap();
    let mut file = rt.open(&path).await;
    std::fs::remove_file(&path).unwrap();
    let mut buffer = vec![7; BLOCK];
    for _ in 0..n {
        rt.read_file(&mut file, &mut buffer).await;
    }
    rt.close(file).await;
}

/// One block after the other; the last one is waited for.
async fn file_write(rt: Rt, n: usize) {
    let path = scratch_file();
    let mut file = rt.create(&path).await;
    std::fs::remove_file(&path).unwrap();
    let buffer = vec![7; BLOCK];
    for _ in 0..n {
        rt.write_file(&mut file, &buffer).await;
    }
    rt.close(file).await;
}

async fn join_set(rt: Rt, n: usize) {
    for _ in 0..n {
        let mut set = rt.join_set();
        for i in 0..1000_usize {
            rt.spawn_in(&mut set, async move { i });
        }
        let mut joined = 0;
        while rt.join_next(&mut set).await.is_some() {
            joined += 1;
        }
        assert_eq!(joined, 1000);
    }
}

async fn select_4(rt: Rt, n: usize) {
    for _ in 0..n {
        tokio::select! {
            biased;
            _ = rt.sleep(HOUR) => unreachable!("an hour has not passed"),
            _ = rt.sleep(HOUR) => unreachable!("an hour has not passed"),
            _ = rt.sleep(HOUR) => unreachable!("an hour has not passed"),
            () = rt.yield_now() => {}
        }
    }
}
