//! A runtime that has ended leaves no descriptor open. A separate program, because all descriptors
//! of the process count.
#![cfg(target_os = "linux")]

use std::fs::read_dir;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyrt::net::TcpListener;
use anyrt::runtime::{Backend, Builder, Runtime};

const ROUNDS: usize = 20;

fn descriptors() -> usize {
    read_dir("/proc/self/fd").expect("procfs").count()
}

fn builders(backend: Backend) -> [Builder; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut builder| {
        builder.backend(backend).worker_threads(1).enable_all();
        builder
    })
}

/// Ends a runtime with a socket that outlives it.
fn socket(runtime: Runtime) {
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    drop(runtime);
    drop(listener.expect("a port"));
}

/// Ends a runtime with a task that holds a file.
#[cfg(feature = "fs")]
fn file(runtime: Runtime) {
    use anyrt::io::AsyncReadExt;

    let (read, has_read) = anyrt::sync::oneshot::channel();
    runtime.spawn(async move {
        let mut file = anyrt::fs::File::open("Cargo.toml")
            .await
            .expect("this crate");
        let mut text = String::new();
        file.read_to_string(&mut text).await.expect("text");
        read.send(text).expect("somebody waits");
        std::future::pending::<()>().await;
    });
    assert!(!runtime.block_on(has_read).expect("a text").is_empty());
    drop(runtime);
}

#[cfg(not(feature = "fs"))]
fn file(runtime: Runtime) {
    drop(runtime);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a limit for the system, beside all runtimes"
)]
fn a_runtime_that_has_ended_leaves_no_descriptor_behind() {
    for &backend in Backend::enabled() {
        for mut builder in builders(backend) {
            for end_with in [socket, file] {
                // The first runtime opens descriptors for the whole process.
                end_with(builder.build().unwrap());
                let before = descriptors();
                for _ in 0..ROUNDS {
                    end_with(builder.build().unwrap());
                }
                // The system closes the rings and their files with a delay.
                let start = Instant::now();
                while descriptors() > before {
                    assert!(
                        start.elapsed() < Duration::from_secs(60),
                        "{backend} leaves {} descriptors",
                        descriptors() - before
                    );
                    thread::yield_now();
                }
            }
        }
    }
}
