//! The speed of one core: simulated polls, messages and bytes per second, and the virtual time per
//! second of real time with 5, 50 and 500 nodes that exchange heartbeats.
//!
//! ```text
//! cargo run --release -p anyrt-sim --example speed
//! ```
//!
//! Times are CPU times, so other programs on the machine have little effect.
#![allow(clippy::unwrap_used, reason = "a failure ends the measurement")]

use std::time::Duration;

use anyrt_core::net::{TcpListener, UdpSocket};
use anyrt_core::{Net, Spawner, Timer};
use anyrt_sim::{Sim, SimRuntime};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use rustix::time::{ClockId, clock_gettime};

/// The interval of a node's messages, and the number of receivers.
const EVERY: Duration = Duration::from_millis(100);
const NEIGHBOURS: usize = 3;
const VIRTUAL: Duration = Duration::from_secs(60);

fn main() {
    polls();
    datagrams();
    round_trips();
    bulk();
    println!(
        "\nheartbeats: each node sends 64 bytes to {NEIGHBOURS} others every {EVERY:?} by TCP, and is answered; \
         {VIRTUAL:?} of virtual time"
    );
    let mut before = None;
    for nodes in [5, 50, 500] {
        let (messages, real) = heartbeats(nodes);
        let speed = VIRTUAL.as_secs_f64() / real.as_secs_f64();
        let each = real.as_nanos() as f64 / messages as f64;
        println!(
            "{nodes:>4} nodes: {real:>9.3?}, {speed:>8.1} virtual seconds per second, {messages:>8} messages, \
             {each:>6.0} ns each{}",
            match before.replace(each) {
                Some(before) => format!(" ({:.2} times those of the line above)", each / before),
                None => String::new(),
            }
        );
    }
}

fn current() -> SimRuntime {
    SimRuntime::try_current().unwrap()
}

/// Runs the simulation and returns the processor time that it takes, all of it on one core.
fn run(sim: &Sim) -> Duration {
    let time = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    let start = time();
    sim.run().unwrap();
    time() - start
}

fn report(what: &str, count: u64, unit: &str, real: Duration) {
    let per_second = count as f64 / real.as_secs_f64();
    println!("{what}: {per_second:>12.0} {unit} per second ({count} in {real:.3?})");
}

/// 100 tasks that only yield to each other.
fn polls() {
    const TASKS: u64 = 100;
    const TURNS: u64 = 20_000;
    let sim = Sim::builder().seed(1).busy_limit(u64::MAX).build().unwrap();
    sim.client("busy", async {
        let rt = current();
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                rt.spawn(async {
                    for _ in 0..TURNS {
                        anyrt_core::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    let real = run(&sim);
    report("polls", TASKS * (TURNS + 1), "polls", real);
}

/// A datagram that goes back and forth between two nodes.
fn datagrams() {
    const ROUNDS: u64 = 200_000;
    let sim = Sim::new(1);
    sim.host("server", || async {
        let socket = current().bind_udp("0.0.0.0:7").await.unwrap();
        let mut buf = [0; 64];
        loop {
            let (size, from) = socket.recv_from(&mut buf).await.unwrap();
            socket.send_to(&buf[..size], from).await.unwrap();
        }
    });
    sim.client("client", async {
        let rt = current();
        rt.sleep(Duration::from_millis(1)).await;
        let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
        let to = rt.resolve("server".to_owned(), 7).await.unwrap()[0];
        let mut buf = [0; 64];
        for _ in 0..ROUNDS {
            socket.send_to(&buf, to).await.unwrap();
            socket.recv_from(&mut [0; 64]).await.unwrap();
            buf[0] ^= 1;
        }
    });
    let real = run(&sim);
    report("UDP", 2 * ROUNDS, "messages", real);
}

/// 64 bytes that go back and forth over a connection between two nodes.
fn round_trips() {
    const ROUNDS: u64 = 200_000;
    let sim = Sim::new(1);
    sim.host("server", || async {
        let listener = current().bind_tcp("0.0.0.0:7").await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream).await;
    });
    sim.client("client", async {
        let rt = current();
        rt.sleep(Duration::from_millis(1)).await;
        let mut stream = rt.connect_tcp("server:7").await.unwrap();
        let mut buf = [0; 64];
        for _ in 0..ROUNDS {
            stream.write_all(&buf).await.unwrap();
            stream.read_exact(&mut buf).await.unwrap();
        }
    });
    let real = run(&sim);
    report("TCP", 2 * ROUNDS, "messages", real);
}

/// Sends back everything received, in pieces of 64 bytes.
async fn answer(mut stream: anyrt_sim::net::TcpStream) {
    let mut buf = [0; 64];
    while stream.read_exact(&mut buf).await.is_ok() {
        if stream.write_all(&buf).await.is_err() {
            return;
        }
    }
}

/// A large amount of data in one direction.
fn bulk() {
    const BYTES: usize = 256 << 20;
    let sim = Sim::new(1);
    sim.host("server", || async {
        let listener = current().bind_tcp("0.0.0.0:7").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let chunk = vec![7; 64 << 10];
        for _ in 0..BYTES / chunk.len() {
            stream.write_all(&chunk).await.unwrap();
        }
    });
    sim.client("client", async {
        let rt = current();
        rt.sleep(Duration::from_millis(1)).await;
        let mut stream = rt.connect_tcp("server:7").await.unwrap();
        let (mut buf, mut total) = (vec![0; 16 << 10], 0);
        while total < BYTES {
            total += stream.read(&mut buf).await.unwrap();
        }
    });
    let real = run(&sim);
    report("TCP", (BYTES >> 20) as u64, "MiB", real);
}

/// Returns the number of messages, answers included, and the time that the simulation took.
fn heartbeats(nodes: usize) -> (u64, Duration) {
    let sim = Sim::new(1);
    for number in 0..nodes {
        sim.host(&format!("node-{number}"), move || node(number, nodes));
    }
    sim.client("clock", async { current().sleep(VIRTUAL).await });
    let real = run(&sim);
    let beats = VIRTUAL.as_millis() / EVERY.as_millis();
    ((nodes * NEIGHBOURS * 2) as u64 * beats as u64, real)
}

async fn node(number: usize, nodes: usize) {
    let rt = current();
    let listener = rt.bind_tcp("0.0.0.0:7").await.unwrap();
    let server = {
        let rt = rt.clone();
        rt.clone().spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                drop(rt.spawn(answer(stream)));
            }
        })
    };
    rt.sleep(Duration::from_millis(1)).await;
    for distance in 1..=NEIGHBOURS {
        let other = format!("node-{}:7", (number + distance) % nodes);
        let rt = rt.clone();
        drop(rt.clone().spawn(async move {
            let mut stream = rt.connect_tcp(&*other).await.unwrap();
            let mut buf = [0; 64];
            loop {
                stream.write_all(&buf).await.unwrap();
                stream.read_exact(&mut buf).await.unwrap();
                rt.sleep(EVERY).await;
            }
        }));
    }
    server.await.unwrap();
}
