//! Inside a simulation the facade works as on any other backend, and depends on the seed only.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt::io::{AsyncReadExt, AsyncWriteExt, Interest};
use anyrt::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use anyrt::runtime::{Backend, Handle};
use anyrt::sim::{FailureKind, Link, Sim, Step, current};
use anyrt::sync::{Notify, mpsc, oneshot, watch};
use anyrt::task::{JoinSet, LocalSet, spawn_blocking, spawn_local, yield_now};
use anyrt::time::{Instant, interval, sleep, timeout};

/// Runs `future` as the client of a simulation.
#[track_caller]
fn simulate<F>(seed: u64, future: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let sim = Sim::new(seed);
    sim.client("client", future);
    if let Err(failure) = sim.run() {
        panic!("{failure}");
    }
    assert_eq!(sim.foreign_wakes(), 0);
}

async fn echo() {
    let listener = TcpListener::bind("0.0.0.0:7").await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        anyrt::spawn(async move {
            let (mut read, mut write) = stream.into_split();
            let _ = anyrt::io::copy(&mut read, &mut write).await;
        });
    }
}

#[test]
fn the_node_is_the_current_runtime() {
    simulate(1, async {
        assert_eq!(Handle::current().backend(), Backend::Sim);
        assert_eq!(Handle::current().name(), Some("client"));
        let inside = || Handle::current().name().map(str::to_owned);
        assert_eq!(
            anyrt::spawn(async move { inside() }).await.unwrap(),
            Some("client".to_owned())
        );
        let job = spawn_blocking(move || Handle::current().block_on(async move { inside() }));
        assert_eq!(job.await.unwrap(), Some("client".to_owned()));
        assert!(anyrt::task::try_id().is_some());
        assert_eq!(
            anyrt::task::block_in_place(|| Handle::current().block_on(async { 7 })),
            7
        );
    });
    assert!(anyrt::sim::try_current().is_none());
}

#[test]
fn time_is_virtual() {
    #[expect(clippy::disallowed_methods, reason = "real time, to be compared with")]
    let real = std::time::Instant::now();
    simulate(2, async {
        let begin = Instant::now();
        sleep(Duration::from_secs(3_600)).await;
        assert!(begin.elapsed() >= Duration::from_secs(3_600));
        let mut ticks = interval(Duration::from_secs(60));
        for _ in 0..=60 {
            ticks.tick().await;
        }
        assert!(begin.elapsed() >= Duration::from_secs(7_200));
        let late = timeout(Duration::from_secs(5), sleep(Duration::from_secs(6))).await;
        assert!(late.is_err());
    });
    assert!(real.elapsed() < Duration::from_secs(3_600));
}

#[test]
fn tcp_works_between_nodes() {
    for seed in 0..20 {
        let sim = Sim::new(seed);
        sim.host("echo", echo);
        sim.client("client", async {
            let mut stream = loop {
                match TcpStream::connect("echo:7").await {
                    Ok(stream) => break stream,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
                }
            };
            stream.set_nodelay(true).unwrap();
            stream.set_ttl(9).unwrap();
            assert_eq!(stream.ttl().unwrap(), 9);
            stream.write_all(b"hello").await.unwrap();
            stream.readable().await.unwrap();
            let mut one = [0; 1];
            assert_eq!(stream.peek(&mut one).await.unwrap(), 1);
            assert_eq!(stream.try_read(&mut one).unwrap(), 1);
            let ready = stream
                .ready(Interest::READABLE | Interest::WRITABLE)
                .await
                .unwrap();
            assert!(ready.is_readable() && ready.is_writable());
            let mut rest = [0; 4];
            stream.read_exact(&mut rest).await.unwrap();
            assert_eq!(&rest, b"ello");
            assert_eq!(
                stream.try_read(&mut one).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            let (mut read, mut write) = stream.into_split();
            write.write_all(b"bye").await.unwrap();
            drop(write);
            let mut text = String::new();
            read.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "bye");
        });
        sim.run().unwrap();
    }
}

#[test]
fn an_operation_that_finds_nothing_is_asked_again_when_something_comes() {
    let sim = Sim::new(3);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"a").await.unwrap();
        sleep(Duration::from_secs(1)).await;
        stream.write_all(b"b").await.unwrap();
        sleep(Duration::from_secs(1)).await;
    });
    sim.client("client", async {
        sleep(Duration::from_millis(5)).await;
        let stream = TcpStream::connect("server:80").await.unwrap();
        let asked = AtomicU32::new(0);
        let begin = Instant::now();
        // It is ready with the first byte, but the operation reports that it is not.
        let second_time = || match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        };
        stream
            .async_io(Interest::READABLE, second_time)
            .await
            .unwrap();
        assert_eq!(asked.into_inner(), 2);
        assert!(
            begin.elapsed() > Duration::from_millis(900),
            "it waits for the second byte"
        );
    });
    sim.run().unwrap();
}

#[test]
fn udp_works_between_nodes() {
    let sim = Sim::new(4);
    sim.host("server", || async {
        let socket = UdpSocket::bind("0.0.0.0:9").await.unwrap();
        let mut buf = Vec::with_capacity(100);
        loop {
            let (_, from) = socket.recv_buf_from(&mut buf).await.unwrap();
            socket.send_to(&buf, from).await.unwrap();
            buf.clear();
        }
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("server:9").await.unwrap();
        socket.set_broadcast(true).unwrap();
        let mut buf = [0; 10];
        assert_eq!(
            socket.try_recv(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        sleep(Duration::from_millis(50)).await;
        socket.writable().await.unwrap();
        assert_eq!(socket.try_send(b"ping").unwrap(), 4);
        socket.readable().await.unwrap();
        assert_eq!(socket.peek(&mut buf).await.unwrap(), 4);
        assert_eq!(socket.try_recv(&mut buf).unwrap(), 4);
        assert_eq!(&buf[..4], b"ping");
    });
    sim.run().unwrap();
}

#[test]
fn a_socket_that_is_bound_first_is_simulated() {
    let sim = Sim::new(5);
    sim.host("server", || async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        // The system does not have this address, and does not allow this port.
        socket.bind("0.0.0.0:80".parse().unwrap()).unwrap();
        assert_eq!(socket.local_addr().unwrap().port(), 80);
        let listener = socket.listen(16).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"x").await.unwrap();
        std::future::pending().await
    });
    sim.client("client", async {
        sleep(Duration::from_millis(5)).await;
        let server = anyrt::net::lookup_host("server:80")
            .await
            .unwrap()
            .next()
            .unwrap();
        let mut stream = TcpSocket::new_v4().unwrap().connect(server).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'x');

        let std = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        std.set_nonblocking(true).unwrap();
        let address = std.local_addr().unwrap();
        let adopted = TcpListener::from_std(std).unwrap();
        assert_eq!(adopted.local_addr().unwrap(), address);
        let (near, far) = anyrt::join!(TcpStream::connect(address), adopted.accept());
        assert_eq!(near.unwrap().local_addr().unwrap(), far.unwrap().1);
    });
    sim.run().unwrap();
}

#[test]
fn tasks_locks_and_channels_work() {
    for seed in 0..20 {
        simulate(seed, async {
            let (sender, mut receiver) = mpsc::channel(2);
            let mut set = JoinSet::new();
            for number in 0..5_u64 {
                let sender = sender.clone();
                set.spawn(async move {
                    sender.send(number).await.unwrap();
                    yield_now().await;
                    number
                });
            }
            drop(sender);
            let mut sum = 0;
            while let Some(number) = receiver.recv().await {
                sum += number;
            }
            assert_eq!(sum, 10);
            while let Some(done) = set.join_next().await {
                sum -= done.unwrap();
            }
            assert_eq!(sum, 0);

            let (answer, question) = oneshot::channel();
            let notify = Arc::new(Notify::new());
            let notified = Arc::clone(&notify);
            anyrt::spawn(async move {
                notified.notified().await;
                answer.send(spawn_blocking(|| 7).await.unwrap()).unwrap();
            });
            notify.notify_one();
            assert_eq!(question.await.unwrap(), 7);

            let panicked = anyrt::spawn(async { panic!("only this task") }).await;
            assert!(panicked.unwrap_err().is_panic());
            let aborted = anyrt::spawn(std::future::pending::<()>());
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn local_tasks_work() {
    let sim = Sim::new(6);
    let count = sim.try_block_on(async {
        let local = LocalSet::new();
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        local
            .run_until(async move {
                let tasks: Vec<_> = (0..3)
                    .map(|_| {
                        let count = Rc::clone(&counted);
                        spawn_local(async move {
                            sleep(Duration::from_millis(1)).await;
                            count.set(count.get() + 1);
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            })
            .await;
        count.get()
    });
    assert_eq!(count.unwrap(), 3);
}

/// Uses everything that could be random without the simulator: `select!`, watch, timers, jobs, the
/// network.
fn program(seed: u64) -> (Vec<Step>, Vec<u8>) {
    let sim = Sim::builder().seed(seed).record().build().unwrap();
    let mut link = Link::default();
    link.loss = 0.05;
    sim.set_link(link);
    sim.host("echo", echo);
    let order = Arc::new(Mutex::new(Vec::new()));
    let (sender, receiver) = watch::channel(0_u64);
    for number in 0..12_u8 {
        let (mut receiver, order) = (receiver.clone(), Arc::clone(&order));
        sim.client(&format!("client-{number}"), async move {
            receiver.changed().await.unwrap();
            order.lock().unwrap().push(number);
            for _ in 0..3 {
                anyrt::select! {
                    _ = yield_now() => order.lock().unwrap().push(100 + number),
                    _ = yield_now() => order.lock().unwrap().push(200 + number % 50),
                }
            }
            let mut stream = TcpStream::connect("echo:7").await.unwrap();
            stream.write_u8(number).await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), number);
            spawn_blocking(|| ()).await.unwrap();
        });
    }
    sim.client("sender", async move {
        sleep(Duration::from_millis(100)).await;
        sender.send_replace(1);
    });
    if let Err(failure) = sim.run() {
        panic!("{failure}");
    }
    let order = order.lock().unwrap().clone();
    (sim.steps(), order)
}

#[test]
fn one_seed_is_one_execution() {
    let orders: BTreeSet<_> = (0..10)
        .map(|seed| {
            let (steps, order) = program(seed);
            let (again, same_order) = program(seed);
            let differs = steps.iter().zip(&again).find(|(one, other)| one != other);
            assert_eq!(differs, None, "seed {seed}");
            assert_eq!((steps.len(), &order), (again.len(), &same_order));
            order
        })
        .collect();
    assert_eq!(orders.len(), 10, "the seed decides");
}

#[test]
fn select_asks_each_branch_first_under_some_seed() {
    let first = |seed| {
        let (sender, receiver) = std::sync::mpsc::channel();
        simulate(seed, async move {
            let branch = anyrt::select! {
                () = async {} => 0,
                () = async {}, if true => 1,
                () = async {} => 2,
                else => 3,
            };
            let biased = anyrt::select! { biased; () = async {} => 0, () = async {} => 1 };
            sender.send((branch, biased)).unwrap();
        });
        receiver.recv().unwrap()
    };
    let mut seen = [0; 3];
    for seed in 0..300 {
        let (branch, biased) = first(seed);
        assert_eq!(biased, 0);
        seen[branch] += 1;
    }
    // Four standard deviations around 100.
    assert!(
        seen.iter().all(|count| (67..133).contains(count)),
        "{seen:?}"
    );
    assert_eq!(first(7), first(7));
}

/// A name that no simulation gives out.
fn abstract_name() -> std::os::unix::net::SocketAddr {
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("anyrt-test-{}", std::process::id());
    std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap()
}

#[test]
fn what_a_node_does_not_have_is_an_error_that_names_it() {
    simulate(8, async {
        let refused = |what: &str, error: std::io::Error| {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            let text = error.to_string();
            assert!(text.contains("\"client\"") && text.contains(what), "{text}");
        };
        let directory = std::env::temp_dir().join("anyrt-never-made");
        let real = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        refused("AsyncFd", anyrt::io::unix::AsyncFd::new(real).unwrap_err());
        let fifo = anyrt::net::unix::pipe::OpenOptions::new().open_receiver(&directory);
        refused("a named pipe", fifo.unwrap_err());
        let real = std::os::unix::net::UnixListener::bind_addr(&abstract_name()).unwrap();
        real.set_nonblocking(true).unwrap();
        refused(
            "a Unix socket or a pipe of its own",
            anyrt::net::UnixListener::from_std(real).unwrap_err(),
        );
        #[cfg(feature = "fs")]
        {
            let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
            let mut file = anyrt::fs::File::from_std(file);
            refused("the node's disk", file.read_u8().await.unwrap_err());
            refused("the node's disk", file.sync_all().await.unwrap_err());
        }
        #[cfg(feature = "process")]
        refused(
            "a child process",
            anyrt::process::Command::new("true").spawn().unwrap_err(),
        );
        assert!(!directory.exists());
    });
}

#[cfg(feature = "signal")]
#[test]
fn signals_come_from_the_test() {
    use anyrt::signal::unix::{SignalKind, signal};

    let sim = Sim::new(9);
    let listens = sim.host("listens", || async {
        let mut hangups = signal(SignalKind::hangup()).unwrap();
        for _ in 0..2 {
            hangups.recv().await;
        }
        assert!(signal(SignalKind::from_raw(9)).is_err());
        anyrt::signal::ctrl_c().await.unwrap();
    });
    let deaf = sim.host("deaf", std::future::pending::<()>);
    sim.client("test", async move {
        sleep(Duration::from_millis(1)).await;
        deaf.signal(28);
        assert!(deaf.is_up(), "SIGWINCH does nothing");
        deaf.signal(15);
        assert!(!deaf.is_up());
        deaf.signal(15);
        for number in [1, 1, 2] {
            assert!(listens.is_up());
            listens.signal(number);
            sleep(Duration::from_millis(1)).await;
        }
        assert!(!listens.is_up(), "its program has ended");
        listens.restart();
        listens.signal(9);
        assert!(!listens.is_up());
    });
    sim.run().unwrap();
}

#[test]
fn nodes_crash_and_come_again() {
    for seed in 0..20 {
        let sim = Sim::new(seed);
        sim.host("echo", echo);
        sim.client("client", async {
            let echo = current().find_node("echo").unwrap();
            sleep(Duration::from_millis(5)).await;
            let mut stream = TcpStream::connect("echo:7").await.unwrap();
            stream.write_all(b"a").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'a');
            echo.crash();
            let ended = stream.read(&mut [0]).await;
            assert!(ended.is_err() || ended.is_ok_and(|n| n == 0));
            echo.restart();
            sleep(Duration::from_millis(5)).await;
            let partition = current().partition(&[&current().node()], &[&echo]);
            let cut = timeout(Duration::from_secs(5), TcpStream::connect("echo:7")).await;
            assert!(cut.is_err(), "nobody answers");
            drop(partition);
            TcpStream::connect("echo:7").await.unwrap();
        });
        sim.run().unwrap();
    }
}

#[test]
fn a_deadlock_names_the_tasks() {
    let sim = Sim::new(10);
    sim.client("client", async {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        let _ = listener.accept().await;
    });
    let failure = sim.run().unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    assert!(
        failure.to_string().contains("a connection to 0.0.0.0:80"),
        "{failure}"
    );
}

#[test]
fn it_is_never_chosen_by_preference() {
    assert!(!Backend::enabled().contains(&Backend::Sim));
    assert!(Backend::Sim.is_enabled());
    assert_eq!("sim".parse::<Backend>().unwrap(), Backend::Sim);
    match anyrt::runtime::Runtime::new() {
        Ok(runtime) => assert_ne!(runtime.handle().backend(), Backend::Sim),
        Err(error) => assert!(error.to_string().contains("never chosen"), "{error}"),
    }
    let named = anyrt::runtime::Builder::new_current_thread()
        .backend(Backend::Sim)
        .build()
        .unwrap();
    assert_eq!(
        named.block_on(async { anyrt::spawn(async { 7 }).await.unwrap() }),
        7
    );
}

#[cfg(feature = "test-util")]
#[test]
fn the_clock_of_a_simulation_cannot_be_paused_by_hand() {
    let sim = Sim::new(1);
    sim.client("client", async { anyrt::time::pause() });
    let text = sim.run().unwrap_err().to_string();
    assert!(
        text.contains("its clock is virtual already") && text.contains("leave it out"),
        "{text}"
    );
    let sim = Sim::new(1);
    sim.client("client", anyrt::time::advance(Duration::from_secs(1)));
    let text = sim.run().unwrap_err().to_string();
    assert!(text.contains("use `time::sleep`"), "{text}");
}
