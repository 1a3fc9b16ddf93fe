//! 1 KB echo through anyrt's Glommio and Tokio backends and through native Glommio, in one run.
//!
//! The server has one thread. The client is another process, so the measured CPU time is that of
//! the server only.
//!
//! ```text
//! cargo run --release -p anyrt-glommio --example echo_bench [-- ROUNDS [PART OF A NAME]]
//! ```
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is the real time"
)]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc;
use std::time::Instant;

use anyrt_core::runtime::Owner;
use anyrt_core::{Net, Runtime, Spawner, TcpListener, TcpStream};
use futures_util::{AsyncReadExt, AsyncWriteExt};

const MESSAGE: usize = 1024;
const BUFFER: usize = 4096;

/// Requests per second, and microseconds of the server's CPU per request.
type Figures = (f64, f64);

/// Serves while the client runs with that number of connections.
type Server = fn(usize) -> Figures;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [role, address, connections, requests] = &args[..] {
        assert_eq!(role, "client");
        return client(
            address.parse().unwrap(),
            connections.parse().unwrap(),
            requests.parse().unwrap(),
        );
    }
    let rounds: usize = args.first().map_or(5, |rounds| rounds.parse().unwrap());
    let only = args.get(1);
    let servers: [(&str, Server); 3] = [
        ("native glommio", native_glommio),
        ("anyrt glommio", anyrt_glommio),
        ("anyrt tokio", anyrt_tokio),
    ];
    for connections in [1, 64] {
        let mut all = vec![Vec::new(); servers.len()];
        for round in 1..=rounds {
            for ((name, server), figures) in servers.iter().zip(&mut all) {
                if only.is_some_and(|only| !name.contains(only.as_str())) {
                    continue;
                }
                eprint!("\r{connections:2} connections, round {round}: {name:16}");
                figures.push(server(connections));
            }
        }
        eprintln!();
        for ((name, _), figures) in servers.iter().zip(all) {
            if figures.is_empty() {
                continue;
            }
            let rate = median(figures.iter().map(|f| f.0).collect());
            let cpu = median(figures.iter().map(|f| f.1).collect());
            println!(
                "{connections:3} connections  {name:16} {rate:9.0} requests/s  {cpu:6.2} us CPU per request"
            );
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs the client against `address` and measures this process in the meantime.
fn measure(address: SocketAddr, connections: usize) -> Figures {
    let requests = 100_000 / connections;
    let (started, busy) = (Instant::now(), cpu_nanos());
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["client", &address.to_string()])
        .args([connections.to_string(), requests.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let total = (requests * connections) as f64;
    let cpu = (cpu_nanos() - busy) as f64 / 1e3 / total;
    (total / started.elapsed().as_secs_f64(), cpu)
}

/// Returns the CPU time of this process's threads.
fn cpu_nanos() -> u64 {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn client(address: SocketAddr, connections: usize, requests: usize) {
    let runtime: anyrt_tokio::runtime::Runtime = anyrt_core::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let rt = runtime.handle();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let connecting = rt.clone();
                rt.spawn(async move {
                    let mut stream = connecting.connect_tcp(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let (sent, mut received) = ([7; MESSAGE], [0; MESSAGE]);
                    for _ in 0..requests {
                        stream.write_all(&sent).await.unwrap();
                        stream.read_exact(&mut received).await.unwrap();
                    }
                    assert_eq!(sent, received);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn serve<R: Runtime>(rt: R, bound: mpsc::Sender<SocketAddr>) {
    let listener = rt.bind_tcp("127.0.0.1:0").await.unwrap();
    bound.send(listener.local_addr().unwrap()).unwrap();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let _detached = rt.spawn(async move {
            let mut buffer = [0; BUFFER];
            loop {
                match stream.read(&mut buffer).await.unwrap() {
                    0 => return,
                    n => stream.write_all(&buffer[..n]).await.unwrap(),
                }
            }
        });
    }
}

fn through_anyrt<O: Owner>(runtime: &O, connections: usize) -> Figures {
    let (bound, address) = mpsc::channel();
    let rt = runtime.handle().clone();
    let _detached = rt.clone().spawn(serve(rt, bound));
    measure(address.recv().unwrap(), connections)
}

fn anyrt_glommio(connections: usize) -> Figures {
    let runtime = anyrt_glommio::runtime::Builder::new()
        .shards(1)
        .build()
        .unwrap();
    through_anyrt(&runtime, connections)
}

fn anyrt_tokio(connections: usize) -> Figures {
    let runtime: anyrt_tokio::runtime::Runtime = anyrt_core::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    through_anyrt(&runtime, connections)
}

fn native_glommio(connections: usize) -> Figures {
    let (bound, address) = mpsc::channel();
    let (stop, stopper) = futures_util::future::abortable(std::future::pending::<()>());
    let executor = glommio::LocalExecutorBuilder::new(glommio::Placement::Unbound)
        .io_memory(64 * 1024)
        .spawn(move || async move {
            let listener = glommio::net::TcpListener::bind("127.0.0.1:0").unwrap();
            bound.send(listener.local_addr().unwrap()).unwrap();
            let serving = glommio::spawn_local(async move {
                loop {
                    let mut stream = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    glommio::spawn_local(async move {
                        let mut buffer = [0; BUFFER];
                        loop {
                            match stream.read(&mut buffer).await.unwrap() {
                                0 => return,
                                n => stream.write_all(&buffer[..n]).await.unwrap(),
                            }
                        }
                    })
                    .detach();
                }
            });
            let _ = stop.await;
            serving.cancel().await;
        })
        .unwrap();
    let figures = measure(address.recv().unwrap(), connections);
    stopper.abort();
    executor.join().unwrap();
    figures
}
