//! A wait inside a blocking job, in `block_in_place` or outside ends with the runtime: with an
//! error, or with the panic of a timer, as on Tokio. No wait keeps the runtime from ending.
#![cfg(all(unix, feature = "process", feature = "fs"))]
#![expect(
    clippy::unwrap_used,
    clippy::async_yields_async,
    reason = "a test fails by panicking, and a wait is begun in the runtime but awaited elsewhere"
)]

use std::fmt::Display;
use std::future::{Future, pending, poll_fn};
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyrt::io::{AsyncReadExt, AsyncWriteExt, Interest, unix::AsyncFd};
use anyrt::net::{
    TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream, unix::pipe,
};
use anyrt::process::Command;
use anyrt::runtime::{Backend, Builder, Handle, Runtime};
use anyrt::task::{JoinSet, block_in_place};
use anyrt::time::{Duration, interval, sleep, timeout};

const HOUR: Duration = Duration::from_secs(3600);
/// Long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

type Wait = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Begins, in the runtime, a wait for something that never happens.
type Begin = fn() -> Pin<Box<dyn Future<Output = Wait>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The wait returned an error.
    Error,
    /// The wait panicked with the message that the runtime has ended.
    Panic,
}

fn wait<T, E: Display>(future: impl Future<Output = Result<T, E>> + Send + 'static) -> Wait {
    Box::pin(async { future.await.map(drop).map_err(|error| error.to_string()) })
}

/// For waits without an error.
fn endless<T>(future: impl Future<Output = T> + Send + 'static) -> Wait {
    Box::pin(async {
        future.await;
        Ok(())
    })
}

macro_rules! waits {
    ($($name:ident: $end:ident = $begin:expr;)*) => {
        &[$((stringify!($name), End::$end, || Box::pin(async { $begin }))),*]
    };
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (one, two) = anyrt::join!(TcpStream::connect(address), listener.accept());
    (one.unwrap(), two.unwrap().0)
}

/// The address of a listener with a full queue, so that a connection is neither accepted nor
/// rejected.
fn full_listener() -> (
    socket2::Socket,
    Vec<std::net::TcpStream>,
    std::net::SocketAddr,
) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50))
    {
        queued.push(stream);
    }
    (socket, queued, address)
}

fn sleeper() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::null());
    command
}

/// All waits that depend on a runtime. Signals are excluded: they belong to the process, and a wait
/// for one continues, as on Tokio.
const WAITS: &[(&str, End, Begin)] = waits! {
    tcp_accept: Error = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        wait(async move { listener.accept().await })
    };
    tcp_connect: Error = {
        let (listener, queued, address) = full_listener();
        wait(async move {
            let _full = (listener, queued);
            TcpStream::connect(address).await
        })
    };
    tcp_read: Error = {
        let (mut one, two) = tcp_pair().await;
        wait(async move {
            let _two = two;
            one.read(&mut [0]).await
        })
    };
    tcp_write: Error = {
        let (mut one, two) = tcp_pair().await;
        wait(async move {
            let _two = two;
            one.write_all(&vec![0; 64 << 20]).await
        })
    };
    tcp_peek: Error = {
        let (one, two) = tcp_pair().await;
        wait(async move {
            let _two = two;
            one.peek(&mut [0]).await
        })
    };
    tcp_readable: Error = {
        let (one, two) = tcp_pair().await;
        wait(async move {
            let _two = two;
            // If the runtime wakes all waiters at its end, the following read returns the error.
            one.readable().await?;
            match one.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => one.readable().await,
                read => read.map(drop),
            }
        })
    };
    tcp_half: Error = {
        let (one, two) = tcp_pair().await;
        wait(async move {
            let (mut read, _write) = one.into_split();
            let _two = two;
            read.read(&mut [0]).await
        })
    };
    udp_recv: Error = {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        wait(async move { socket.recv_from(&mut [0]).await })
    };
    unix_accept: Error = {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        wait(async move {
            let _folder = folder;
            listener.accept().await
        })
    };
    unix_read: Error = {
        let (mut one, two) = UnixStream::pair().unwrap();
        wait(async move {
            let _two = two;
            one.read(&mut [0]).await
        })
    };
    unix_recv: Error = {
        let (one, two) = UnixDatagram::pair().unwrap();
        wait(async move {
            let _two = two;
            one.recv(&mut [0]).await
        })
    };
    pipe_read: Error = {
        let (sender, mut receiver) = pipe::pipe().unwrap();
        wait(async move {
            let _sender = sender;
            receiver.read(&mut [0]).await
        })
    };
    pipe_write: Error = {
        let (mut sender, receiver) = pipe::pipe().unwrap();
        wait(async move {
            let _receiver = receiver;
            sender.write_all(&vec![0; 64 << 20]).await
        })
    };
    async_fd: Error = {
        let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
        one.set_nonblocking(true).unwrap();
        let one = AsyncFd::new(one).unwrap();
        wait(async move {
            let _two = two;
            one.async_io(Interest::READABLE, |mut fd| fd.read(&mut [0])).await
        })
    };
    async_fd_ready: Error = {
        let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
        one.set_nonblocking(true).unwrap();
        let one = AsyncFd::new(one).unwrap();
        wait(async move {
            let _two = two;
            one.readable().await.map(|mut guard| guard.clear_ready())
        })
    };
    child_status: Error = {
        let mut child = sleeper().spawn().unwrap();
        wait(async move { child.wait().await })
    };
    child_output: Error = {
        let child = sleeper().spawn().unwrap();
        wait(child.wait_with_output())
    };
    child_pipe: Error = {
        let mut child = sleeper().spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        wait(async move {
            let _child = child;
            stdout.read(&mut [0]).await
        })
    };
    files: Error = {
        wait(async {
            loop {
                if let Err(error) = anyrt::fs::metadata("/").await {
                    return io::Result::<()>::Err(error);
                }
            }
        })
    };
    name: Error = {
        wait(async {
            loop {
                if let Err(error) = anyrt::net::lookup_host("localhost:1").await {
                    return io::Result::<()>::Err(error);
                }
            }
        })
    };
    task: Error = {
        let task = anyrt::spawn(pending::<()>());
        wait(task)
    };
    tasks: Error = {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        wait(async move { set.join_next().await.unwrap() })
    };
    sleep: Panic = endless(sleep(HOUR));
    timeout: Panic = wait(timeout(HOUR, pending::<()>()));
    interval: Panic = {
        let mut interval = interval(HOUR);
        interval.tick().await;
        endless(async move { interval.tick().await })
    };
};

#[derive(Debug, Clone, Copy)]
enum Entrance {
    Job,
    InPlace,
    Outside,
}

/// Runs `begun` in the place of the entrance. Sends to `waits` when it waits. Returns a receiver of
/// the result.
fn enter(
    runtime: &Runtime,
    entrance: Entrance,
    begun: Wait,
    waits: Sender<()>,
) -> Receiver<Result<Result<(), String>, String>> {
    let (ended, has_ended) = mpsc::channel();
    let run = move |handle: Handle| {
        let mut begun = begun;
        let result = catch_unwind(AssertUnwindSafe(|| {
            handle.block_on(poll_fn(|cx| {
                let polled = begun.as_mut().poll(cx);
                if polled.is_pending() {
                    let _ = waits.send(());
                }
                polled
            }))
        }));
        drop(begun);
        let said = |panic: Box<dyn std::any::Any + Send>| match panic.downcast::<String>() {
            Ok(said) => *said,
            Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
        };
        let _ = ended.send(result.map_err(said));
    };
    let handle = runtime.handle().clone();
    match entrance {
        Entrance::Job => drop(runtime.spawn_blocking(move || run(handle))),
        Entrance::InPlace => {
            drop(runtime.spawn(async move { block_in_place(|| run(Handle::current())) }));
        }
        Entrance::Outside => drop(thread::spawn(move || run(handle))),
    }
    has_ended
}

fn build(backend: Backend, workers: Option<usize>) -> Runtime {
    let mut builder = match workers {
        None => Builder::new_current_thread(),
        Some(workers) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
    };
    builder.backend(backend).enable_all().build().unwrap()
}

/// Checks one cell of the table.
fn check(
    backend: Backend,
    workers: Option<usize>,
    entrance: Entrance,
    (_, end, begin): (&str, End, Begin),
) -> Result<(), String> {
    let runtime = build(backend, workers);
    let begun = runtime.block_on(async { begin().await });
    let (waits, does_wait) = mpsc::channel();
    let result = enter(&runtime, entrance, begun, waits);
    if does_wait.recv_timeout(LIMIT).is_err() {
        return Err(format!("it does not wait: {:?}", result.try_recv()));
    }
    let (dropped, is_dropped) = mpsc::channel();
    thread::spawn(move || {
        drop(runtime);
        let _ = dropped.send(());
    });
    is_dropped
        .recv_timeout(LIMIT)
        .map_err(|_| "the runtime does not end".to_owned())?;
    let result = result
        .recv_timeout(LIMIT)
        .map_err(|_| "the wait does not end".to_owned())?;
    match (end, result) {
        (End::Error, Ok(Err(_))) => Ok(()),
        (End::Panic, Err(said)) if said.contains("end") || said.contains("shut") => Ok(()),
        (_, result) => Err(format!("ended with {result:?}")),
    }
}

fn check_all(backend: Backend, entrances: &[(Entrance, Option<usize>)]) {
    if !backend.is_enabled() {
        return;
    }
    // One thread per cell, because most of them only wait.
    let cells: Vec<_> = WAITS
        .iter()
        .flat_map(|wait| entrances.iter().map(move |entrance| (*wait, *entrance)))
        .map(|(wait, (entrance, workers))| {
            let checked = thread::spawn(move || check(backend, workers, entrance, wait));
            (wait.0, entrance, workers, checked)
        })
        .collect();
    let wrong: Vec<_> = cells
        .into_iter()
        .filter_map(|(name, entrance, workers, checked)| {
            let error = checked.join().unwrap().err()?;
            Some(format!(
                "{name} by {entrance:?} with {workers:?} workers: {error}"
            ))
        })
        .collect();
    assert!(wrong.is_empty(), "{backend}:\n{}", wrong.join("\n"));
}

macro_rules! each_backend {
    ($($name:ident: $backend:ident;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_blocking_job_is_told_that_its_runtime_has_ended() {
                let entrances = [(Entrance::Job, None), (Entrance::Job, Some(2))];
                check_all(Backend::$backend, &entrances);
            }

            #[test]
            fn a_thread_of_the_application_is_told_that_the_runtime_has_ended() {
                let entrances = [(Entrance::Outside, None), (Entrance::Outside, Some(2))];
                check_all(Backend::$backend, &entrances);
            }

            #[test]
            fn whoever_blocks_in_place_is_told_that_the_runtime_has_ended() {
                let entrances = [(Entrance::InPlace, Some(1)), (Entrance::InPlace, Some(2))];
                check_all(Backend::$backend, &entrances);
            }
        }
    )*};
}

each_backend! {
    tokio: Tokio;
    smol: Smol;
    async_std: AsyncStd;
    glommio: Glommio;
}
