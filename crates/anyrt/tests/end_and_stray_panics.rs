//! Every wait ends with its runtime, and a panic in foreign code ends nothing else.
#![cfg(unix)]

use std::future::{Future, poll_fn};
use std::io::Write;
use std::pin::pin;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};

use anyrt::net::{TcpListener, TcpStream, UnixStream};
use anyrt::runtime::{Backend, Builder, Handle, Runtime};
use anyrt::task::block_in_place;
use anyrt::time::{Duration, interval, sleep, timeout};

fn build(backend: Backend, workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .backend(backend)
        .worker_threads(workers)
        .enable_all();
    builder.build().expect("a runtime")
}

/// Ends the runtime while one of its tasks is in this wait inside `block_in_place`.
fn end_while_waiting<F>(what: &str, wait: fn() -> F)
where
    F: Future<Output = ()> + 'static,
{
    for &backend in Backend::enabled() {
        let runtime = build(backend, 2);
        let (tell, waits) = mpsc::channel();
        runtime.spawn(async move {
            block_in_place(|| {
                Handle::current().block_on(async {
                    let mut wait = pin!(wait());
                    poll_fn(|cx| {
                        let polled = wait.as_mut().poll(cx);
                        let _ = tell.send(());
                        polled
                    })
                    .await;
                });
            });
        });
        waits.recv().expect("it was polled");
        println!("{what} on {backend}");
        drop(runtime);
    }
}

#[test]
fn a_wait_inside_block_in_place_ends_with_the_runtime() {
    const LONG: Duration = Duration::from_secs(3600);
    end_while_waiting("accept", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        // Once more after the error, like typical servers.
        while listener.accept().await.is_ok() {}
    });
    end_while_waiting("a Unix read", || async {
        let (one, _other) = UnixStream::pair().expect("a pair");
        one.readable().await.expect_err("the runtime has ended");
    });
    end_while_waiting("sleep", || async { sleep(LONG).await });
    end_while_waiting("timeout", || async {
        let _ = timeout(LONG, std::future::pending::<()>()).await;
    });
    end_while_waiting("interval", || async {
        let mut interval = interval(LONG);
        loop {
            interval.tick().await;
        }
    });
}

/// Sends a message when it is dropped.
struct Tells(mpsc::Sender<()>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// Blocks the task in place until `go` arrives. Reports when it blocks, and when it continues.
fn block_until(go: &Mutex<mpsc::Receiver<()>>, tell: &mpsc::Sender<()>) {
    block_in_place(|| {
        tell.send(()).expect("somebody listens");
        go.lock().expect("no panic").recv().expect("a word");
    });
    tell.send(()).expect("somebody listens");
}

/// The worker returns while the substitute is still polling the second task. That task ends last,
/// when the worker has nothing left to do but wait for it.
#[test]
fn a_task_that_has_blocked_in_place_may_be_the_last_to_end() {
    for &backend in Backend::enabled() {
        for _ in 0..20 {
            let runtime = build(backend, 1);
            let (tell, told) = mpsc::channel();
            let [
                (let_first, first),
                (let_second, second),
                (dropped, is_dropped),
            ] = [(); 3].map(|()| {
                let (send, receive) = mpsc::channel();
                (send, Mutex::new(receive))
            });
            let tells = tell.clone();
            let first = runtime.spawn(async move { block_until(&first, &tells) });
            told.recv().expect("the first blocks");
            let tells = tell.clone();
            runtime.spawn(async move {
                block_until(&second, &tells);
                let is_dropped = is_dropped.lock().expect("no panic");
                is_dropped.recv().expect("a drop");
            });
            told.recv().expect("the second blocks");
            let dropped = Tells(dropped);
            runtime.spawn(async move {
                let _dropped = dropped;
                tell.send(()).expect("somebody listens");
                std::future::pending::<()>().await;
            });
            told.recv().expect("the third waits");
            let_first.send(()).expect("the first listens");
            told.recv().expect("the first goes on");
            runtime.block_on(first).expect("no panic");
            let_second.send(()).expect("the second listens");
            told.recv().expect("the second goes on");
            drop(runtime);
        }
    }
}

/// Tasks that are dropped, or polled for the last time, while the runtime ends do not notice it.
#[test]
fn a_task_does_not_see_its_runtime_end() {
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    for &backend in Backend::enabled() {
        for round in 0..30 {
            let runtime = build(backend, 2);
            let (tell, runs) = mpsc::channel();
            for _ in 0..4 {
                let tell = tell.clone();
                runtime.spawn(async move {
                    loop {
                        let bound = anyrt::net::UdpSocket::bind("127.0.0.1:0").await;
                        if bound.is_err() {
                            FAILED.fetch_add(1, Ordering::SeqCst);
                        }
                        let _ = tell.send(());
                        anyrt::task::yield_now().await;
                    }
                });
            }
            runs.recv().expect("one runs");
            if round % 2 == 0 {
                drop(runtime);
            } else {
                runtime.shutdown_background();
            }
        }
    }
    assert_eq!(FAILED.load(Ordering::SeqCst), 0);
}

/// A waker that panics.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a stranger's waker");
    }
}

#[test]
fn a_waker_that_panics_stops_no_other() {
    for &backend in Backend::enabled() {
        // Tokio aborts the process.
        if backend == Backend::Tokio {
            continue;
        }
        let runtime = build(backend, 1);
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("its address");
            let mut peer = std::net::TcpStream::connect(address).expect("a connection");
            let (stream, _) = listener.accept().await.expect("a client");
            // A new stream may be assumed to be readable until an operation finds that it is not.
            assert!(stream.try_read(&mut [0]).is_err());
            let strange = Waker::from(Arc::new(Panics));
            assert!(
                stream
                    .poll_read_ready(&mut Context::from_waker(&strange))
                    .is_pending()
            );
            // Another waiter for the same byte.
            let reader = anyrt::spawn(async move {
                stream.readable().await.expect("readiness");
                stream
            });
            anyrt::task::yield_now().await;
            peer.write_all(b"x").expect("a byte");
            let stream: TcpStream = reader.await.expect("no panic");
            drop(stream);
            sleep(Duration::from_millis(1)).await;
            assert_eq!(anyrt::spawn(async { 7 }).await.expect("no panic"), 7);
        });
    }
}

/// Not a test in itself: the test below runs it.
#[test]
#[ignore = "aborts"]
fn child() {
    let name = std::env::var("ENDS_BACKEND").expect("a backend");
    let backend: Backend = name.parse().expect("a backend");
    let runtime = Builder::new_multi_thread()
        .backend(backend)
        .worker_threads(1)
        .on_thread_unpark(|| panic!("a hook"))
        .enable_all()
        .build()
        .expect("a runtime");
    // Until the worker has waited and was woken.
    loop {
        let task = runtime.spawn(async {});
        runtime.block_on(async {
            let _ = task.await;
            sleep(Duration::from_millis(1)).await;
        });
    }
}

fn run_child(backend: Backend) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "child", "--ignored", "--nocapture"]);
    command.env("ENDS_BACKEND", backend.name());
    command.output().expect("a child")
}

#[test]
fn a_worker_that_panics_outside_a_task_aborts_the_process_and_says_so() {
    use std::os::unix::process::ExitStatusExt;

    for &backend in Backend::enabled() {
        let output = run_child(backend);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(6), "{backend}: {said}");
        assert!(said.contains("abort"), "{backend}: {said}");
    }
}
