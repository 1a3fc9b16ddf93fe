//! Many activities at once, for a given time. Fails if any of them stalls.
//!
//! ```text
//! cargo run --release -p anyrt-glommio --example soak -- --secs 60
//! ```
//! The first half of the time runs with a `preempt_timer` of 1 ms, the second one with 100 ms. More
//! than a second without progress is a stall; on a busy machine allow more with `--stall 30`.
#![expect(clippy::unwrap_used, reason = "a soak fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "stalls are measured in real time"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyrt_core::channel::{Receiver as _, Sender as _};
use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Blocking, JoinHandle, LocalSpawner, Net, Spawner, TcpListener, Timer, UdpSocket};
use anyrt_glommio::GlommioRuntime;
use anyrt_glommio::net::TcpStream;
use anyrt_glommio::runtime::{Builder, Runtime};
use anyrt_kit::executor::TaskHandle;
use anyrt_kit::queue;
use futures_util::future::{Either, select};
use futures_util::{AsyncReadExt, AsyncWriteExt};

const SHARDS: usize = 2;

fn main() {
    let mut args = std::env::args().skip(1);
    let (mut secs, mut stall) = (20, Duration::from_secs(1));
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--secs", Some(value)) => secs = value.parse().unwrap(),
            ("--stall", Some(value)) => stall = Duration::from_secs(value.parse().unwrap()),
            _ => panic!("usage: soak [--secs N] [--stall SECS]"),
        }
    }
    std::panic::set_hook(Box::new(|info| {
        // Intended panics begin with "soak".
        if !info
            .payload_as_str()
            .is_some_and(|text| text.starts_with("soak"))
        {
            eprintln!("{info}");
        }
    }));
    for preempt in [Duration::from_millis(1), Duration::from_millis(100)] {
        let before = descriptors();
        run(preempt, Duration::from_secs(secs) / 2, stall);
        // Glommio's own blocking thread closes its last one with a delay.
        let deadline = Instant::now() + stall;
        while descriptors() != before {
            assert!(Instant::now() < deadline, "descriptors are left over");
            std::thread::yield_now();
        }
    }
    println!("no stall over {stall:?}, no descriptor left");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// An activity that must make progress.
struct Activity {
    name: &'static str,
    count: AtomicU64,
}

#[derive(Clone)]
struct Pulse(Arc<Activity>);

impl Pulse {
    fn beat(&self) {
        self.0.count.fetch_add(1, Relaxed);
    }
}

#[derive(Default)]
struct Monitor {
    activities: Vec<Arc<Activity>>,
}

impl Monitor {
    fn add(&mut self, name: &'static str) -> Pulse {
        let activity = Arc::new(Activity {
            name,
            count: AtomicU64::new(0),
        });
        self.activities.push(Arc::clone(&activity));
        Pulse(activity)
    }

    /// Watches until `end`. Returns the longest time without progress, and the name of that
    /// activity.
    fn watch(&self, end: Instant, stall: Duration) -> String {
        let mut seen = vec![(0, Instant::now()); self.activities.len()];
        let (mut longest, mut printed) = ((Duration::ZERO, ""), Instant::now());
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
            for (activity, (count, since)) in self.activities.iter().zip(&mut seen) {
                let now = activity.count.load(Relaxed);
                let still = since.elapsed();
                longest = longest.max((still, activity.name));
                assert!(
                    still < stall,
                    "{} stands still since {still:?}",
                    activity.name
                );
                if now != *count {
                    (*count, *since) = (now, Instant::now());
                }
            }
            if printed.elapsed() > Duration::from_secs(5) {
                printed = Instant::now();
                let (pause, name) = longest;
                println!("{}longest pause {pause:?} ({name})", self.figures());
            }
        }
        format!("{:?} ({})", longest.0, longest.1)
    }

    fn figures(&self) -> String {
        let figure = |a: &Arc<Activity>| format!("{} {}, ", a.name, a.count.load(Relaxed));
        self.activities.iter().map(figure).collect()
    }
}

fn run(preempt: Duration, duration: Duration, stall: Duration) {
    let runtime = Builder::new()
        .shards(SHARDS)
        .preempt_timer(preempt)
        .build()
        .unwrap();
    let rt = runtime.handle();
    let mut monitor = Monitor::default();
    ping_pong(rt, &monitor.add("hops"));
    thread_ping_pong(&runtime, &monitor.add("thread hops"));
    let late = timers(rt, &monitor.add("sleeps"));
    connections(
        rt,
        &monitor.add("connections"),
        &monitor.add("cancelled accepts"),
    );
    travelling_stream(rt, &monitor.add("stream hops"));
    datagrams(rt, &monitor.add("datagrams"));
    panics(rt, &monitor.add("panics"));
    aborts(rt, &monitor.add("aborts"));
    jobs(rt, &monitor.add("jobs"));
    locals(rt, &monitor.add("local tasks"));
    glommio_timers(rt, &monitor.add("Glommio timers"));

    let longest = monitor.watch(Instant::now() + duration, stall);
    let ended = Instant::now();
    drop(runtime);
    let ended = ended.elapsed();
    assert!(ended < stall, "shutdown took {ended:?}");
    println!(
        "preempt timer {preempt:?}: {}longest pause {longest}, sleeps at most {:?} late, shutdown {ended:?}",
        monitor.figures(),
        Duration::from_nanos(late.load(Relaxed)),
    );
}

fn go<F: Future<Output = ()> + Send + 'static>(rt: &GlommioRuntime, shard: usize, future: F) {
    let _detached = rt.spawn_on(shard, future);
}

fn ping_pong(rt: &GlommioRuntime, pulse: &Pulse) {
    for _ in 0..8 {
        let (to_b, mut at_b) = queue::bounded::<u64>(1);
        let (to_a, mut at_a) = queue::bounded::<u64>(1);
        let pulse = pulse.clone();
        go(rt, 0, async move {
            let mut n = 0;
            loop {
                to_b.send(n).await.unwrap();
                n = at_a.recv().await.unwrap();
                pulse.beat();
            }
        });
        go(rt, 1, async move {
            while let Some(n) = at_b.recv().await {
                to_a.send(n + 1).await.unwrap();
            }
        });
    }
}

fn thread_ping_pong(runtime: &Runtime, pulse: &Pulse) {
    let (to_shard, mut at_shard) = queue::bounded::<u64>(1);
    let (to_thread, mut at_thread) = queue::bounded::<u64>(1);
    let (rt, pulse) = (runtime.handle().clone(), pulse.clone());
    go(&rt.clone(), 1, async move {
        while let Some(n) = at_shard.recv().await {
            if to_thread.send(n + 1).await.is_err() {
                return;
            }
        }
    });
    // Ends when the shard drops its ends of the channels.
    std::thread::spawn(move || {
        rt.block_on(async {
            let mut n = 0;
            while to_shard.send(n).await.is_ok() {
                let Some(next) = at_thread.recv().await else {
                    return;
                };
                n = next;
                pulse.beat();
            }
        });
    });
}

fn timers(rt: &GlommioRuntime, pulse: &Pulse) -> Arc<AtomicU64> {
    let latest = Arc::new(AtomicU64::new(0));
    for task in 0..64u64 {
        let (rt2, pulse, latest) = (rt.clone(), pulse.clone(), Arc::clone(&latest));
        go(rt, task as usize % SHARDS, async move {
            let mut micros = 50 + task * 37;
            loop {
                micros = 50 + micros * 31 % 4000;
                let deadline = Instant::now() + Duration::from_micros(micros);
                rt2.sleep_until(deadline).await;
                let late = Instant::now().checked_duration_since(deadline);
                let late = late.expect("a sleep ended early");
                latest.fetch_max(late.as_nanos() as u64, Relaxed);
                pulse.beat();
            }
        });
    }
    latest
}

async fn call(rt: &GlommioRuntime, address: SocketAddr) -> std::io::Result<()> {
    let mut stream = rt.connect_tcp(address).await?;
    // Avoids TIME_WAIT, because the ports would run out.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let mut buffer = [0; 64];
    stream.write_all(&[5; 64]).await?;
    stream.read_exact(&mut buffer).await?;
    assert_eq!(buffer, [5; 64]);
    Ok(())
}

fn connections(rt: &GlommioRuntime, connections: &Pulse, cancelled: &Pulse) {
    let (bound, mut address) = queue::bounded(1);
    let (server, cancelled) = (rt.clone(), cancelled.clone());
    go(rt, 0, async move {
        let listener = server.bind_tcp("127.0.0.1:0").await.unwrap();
        bound.send(listener.local_addr().unwrap()).await.unwrap();
        loop {
            let accept = std::pin::pin!(listener.accept());
            let give_up = std::pin::pin!(server.sleep(Duration::from_micros(30)));
            let mut stream = match select(accept, give_up).await {
                Either::Left((accepted, _)) => accepted.unwrap().0,
                Either::Right(_) => {
                    cancelled.beat();
                    continue;
                }
            };
            let _detached = server.spawn(async move {
                let mut buffer = [0; 64];
                while stream.read_exact(&mut buffer).await.is_ok() {
                    if stream.write_all(&buffer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let (rt2, connections) = (rt.clone(), connections.clone());
    go(rt, 1, async move {
        let address = address.recv().await.unwrap();
        for client in 0..8 {
            let (rt, connections) = (rt2.clone(), connections.clone());
            go(&rt2, client % SHARDS, async move {
                loop {
                    call(&rt, address).await.unwrap();
                    connections.beat();
                }
            });
        }
    });
}

/// One stream moves from shard to shard while its other end writes and reads.
fn travelling_stream(rt: &GlommioRuntime, pulse: &Pulse) {
    let (first, mut start) = queue::bounded::<TcpStream>(1);
    let rt2 = rt.clone();
    go(rt, 0, async move {
        let listener = rt2.bind_tcp("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut peer = rt2.connect_tcp(address).await.unwrap();
        first
            .send(listener.accept().await.unwrap().0)
            .await
            .unwrap();
        let mut n = 0u64;
        loop {
            peer.write_all(&n.to_le_bytes()).await.unwrap();
            let mut answer = [0; 8];
            peer.read_exact(&mut answer).await.unwrap();
            assert_eq!(u64::from_le_bytes(answer), n);
            n += 1;
        }
    });
    let (to_b, mut at_b) = queue::bounded::<TcpStream>(1);
    let (to_a, mut at_a) = queue::bounded::<TcpStream>(1);
    async fn pass(mut stream: TcpStream, to: &queue::Sender<TcpStream>, pulse: &Pulse) {
        let mut word = [0; 8];
        stream.read_exact(&mut word).await.unwrap();
        stream.write_all(&word).await.unwrap();
        to.send(stream).await.unwrap();
        pulse.beat();
    }
    let (at_home, pulse) = (pulse.clone(), pulse.clone());
    go(rt, 0, async move {
        let mut stream = start.recv().await;
        while let Some(next) = stream {
            pass(next, &to_b, &at_home).await;
            stream = at_a.recv().await;
        }
    });
    go(rt, 1, async move {
        while let Some(stream) = at_b.recv().await {
            pass(stream, &to_a, &pulse).await;
        }
    });
}

fn datagrams(rt: &GlommioRuntime, pulse: &Pulse) {
    let (rt2, pulse) = (rt.clone(), pulse.clone());
    go(rt, 0, async move {
        let here = rt2.bind_udp("127.0.0.1:0").await.unwrap();
        let there = Arc::new(rt2.bind_udp("127.0.0.1:0").await.unwrap());
        let (to, from) = (there.local_addr().unwrap(), here.local_addr().unwrap());
        go(&rt2, 1, async move {
            let mut word = [0; 8];
            loop {
                let (n, _) = there.recv_from(&mut word).await.unwrap();
                there.send_to(&word[..n], from).await.unwrap();
            }
        });
        for n in 0u64.. {
            here.send_to(&n.to_le_bytes(), to).await.unwrap();
            let mut word = [0; 8];
            assert_eq!(here.recv_from(&mut word).await.unwrap(), (8, to));
            assert_eq!(u64::from_le_bytes(word), n);
            pulse.beat();
        }
    });
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("soak: on purpose, in a destructor");
    }
}

fn panics(rt: &GlommioRuntime, pulse: &Pulse) {
    let (rt2, pulse) = (rt.clone(), pulse.clone());
    go(rt, 0, async move {
        loop {
            let task: TaskHandle<()> = rt2.spawn(async { panic!("soak: on purpose") });
            let error = task.await.unwrap_err();
            assert!(error.is_panic());
            let task = rt2.spawn(async {
                let _bomb = PanicsInDrop;
                std::future::pending::<()>().await;
            });
            yield_now().await;
            task.abort();
            let error = task.await.unwrap_err();
            assert!(error.is_panic() || error.is_cancelled());
            pulse.beat();
            rt2.sleep(Duration::from_millis(1)).await;
        }
    });
}

fn aborts(rt: &GlommioRuntime, pulse: &Pulse) {
    let (rt2, pulse) = (rt.clone(), pulse.clone());
    go(rt, 1, async move {
        loop {
            let sleeper = rt2.clone();
            let sleep = async move { sleeper.sleep(Duration::MAX).await };
            let task = rt2.spawn_on(0, sleep);
            rt2.sleep(Duration::from_micros(50)).await;
            assert!(task.cancel().await.unwrap_err().is_cancelled());
            pulse.beat();
        }
    });
}

fn jobs(rt: &GlommioRuntime, pulse: &Pulse) {
    let (rt2, pulse) = (rt.clone(), pulse.clone());
    go(rt, 0, async move {
        loop {
            assert_eq!(rt2.spawn_blocking(|| 7).await.unwrap(), 7);
            pulse.beat();
        }
    });
}

fn locals(rt: &GlommioRuntime, pulse: &Pulse) {
    let (rt2, pulse) = (rt.clone(), pulse.clone());
    go(rt, 1, async move {
        loop {
            let (send, mut receive) = queue::unbounded();
            {
                use anyrt_core::channel::UnboundedSender as _;
                let rc = std::rc::Rc::new(7);
                let _detached = rt2.spawn_local(async move {
                    yield_now().await;
                    let _ = send.send(*rc);
                });
            }
            assert_eq!(receive.recv().await, Some(7));
            pulse.beat();
            rt2.sleep(Duration::from_micros(500)).await;
        }
    });
}

/// Glommio's own futures work in tasks of anyrt, also on a busy shard.
fn glommio_timers(rt: &GlommioRuntime, pulse: &Pulse) {
    let (rt2, pulse) = (rt.clone(), pulse.clone());
    go(rt, 0, async move {
        let _detached = rt2.spawn_local(async move {
            loop {
                glommio::timer::sleep(Duration::from_millis(2)).await;
                pulse.beat();
            }
        });
    });
}
