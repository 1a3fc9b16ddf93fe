//! Unix sockets and pipes of simulated nodes: the kernel's own, with names per node and news by the seed.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use anyrt::io::unix::AsyncFd;
use anyrt::io::{AsyncReadExt, AsyncWriteExt, Interest};
use anyrt::net::unix::pipe;
use anyrt::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use anyrt::runtime::Handle;
use anyrt::sim::{FailureKind, Sim, current};
use anyrt::time::{Instant, sleep};
use rustix::io::Errno;

const SECOND: Duration = Duration::from_secs(1);

/// Runs `future` as the client of a simulation.
#[track_caller]
fn simulate<F>(seed: u64, future: F) -> Sim
where
    F: Future<Output = ()> + Send + 'static,
{
    let sim = Sim::new(seed);
    sim.client("client", future);
    if let Err(failure) = sim.run() {
        panic!("{failure}");
    }
    assert_eq!(sim.foreign_wakes(), 0);
    sim
}

#[track_caller]
fn assert_errno<T>(result: io::Result<T>, errno: Errno) {
    let found = result.err().and_then(|error| error.raw_os_error());
    assert_eq!(found, Some(errno.raw_os_error()));
}

/// Sends back what comes, until the end.
async fn echo(listener: UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        anyrt::spawn(async move {
            let (mut read, mut write) = stream.into_split();
            let _ = anyrt::io::copy(&mut read, &mut write).await;
        });
    }
}

#[test]
fn a_path_belongs_to_its_node() {
    for seed in 0..20 {
        let sim = Sim::new(seed);
        sim.host("db", || async {
            echo(UnixListener::bind("/run/db.sock").unwrap()).await;
        });
        let node = sim.node("db").unwrap();
        sim.client("other", async move {
            sleep(SECOND).await;
            assert_errno(UnixStream::connect("/run/db.sock").await, Errno::NOENT);
            let listener = UnixListener::bind("/run/db.sock").unwrap();
            let address = listener.local_addr().unwrap();
            assert_eq!(address.as_pathname(), Some(Path::new("/run/db.sock")));
            // What runs on the other node finds that node's.
            let text = Handle::from(node.runtime()).spawn(async {
                let mut stream = UnixStream::connect("/run/../run/./db.sock").await.unwrap();
                let peer = stream.peer_addr().unwrap();
                assert_eq!(peer.as_pathname(), Some(Path::new("/run/db.sock")));
                assert!(stream.local_addr().unwrap().is_unnamed());
                stream.write_all(b"hello").await.unwrap();
                stream.shutdown().await.unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).await.unwrap();
                text
            });
            assert_eq!(text.await.unwrap(), "hello");
        });
        sim.run().unwrap();
    }
    let left = std::fs::metadata("/run/db.sock");
    assert_eq!(left.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_path_is_taken_until_it_is_removed_and_an_abstract_name_until_it_is_closed() {
    simulate(1, async {
        let listener = UnixListener::bind("server").unwrap();
        assert_errno(UnixListener::bind("/server").map(drop), Errno::ADDRINUSE);
        let datagrams = UnixSocket::new_datagram().unwrap();
        assert_errno(datagrams.bind("server"), Errno::ADDRINUSE);
        let stream = UnixStream::connect("server").await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        drop((listener, stream, accepted));
        assert_errno(UnixStream::connect("server").await, Errno::CONNREFUSED);
        assert_errno(UnixListener::bind("server").map(drop), Errno::ADDRINUSE);
        #[cfg(feature = "fs")]
        anyrt::fs::remove_file("server").await.unwrap();
        #[cfg(not(feature = "fs"))]
        assert!(current().remove_unix_path(Path::new("server")));
        assert!(!current().remove_unix_path(Path::new("server")));
        assert_errno(UnixStream::connect("server").await, Errno::NOENT);
        let again = UnixSocket::new_stream().unwrap();
        again.bind("server").unwrap();
        let again = again.listen(1).unwrap();
        UnixStream::connect("server").await.unwrap();
        drop(again);

        let listener = UnixListener::bind("\0server").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(address.as_abstract_name(), Some(&b"server"[..]));
        assert_errno(UnixListener::bind("\0server").map(drop), Errno::ADDRINUSE);
        UnixStream::connect("\0server").await.unwrap();
        drop(listener);
        assert_errno(UnixStream::connect("\0server").await, Errno::CONNREFUSED);
        assert_errno(UnixStream::connect("\0nobody").await, Errno::CONNREFUSED);
        UnixListener::bind("\0server").unwrap();
    });
}

#[test]
fn a_stream_ends_as_on_linux() {
    for seed in 0..20 {
        simulate(seed, async {
            // Half-close.
            let (mut left, mut right) = UnixStream::pair().unwrap();
            left.write_all(b"question").await.unwrap();
            left.shutdown().await.unwrap();
            let mut text = String::new();
            right.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "question");
            assert_errno(left.write_all(b"x").await, Errno::PIPE);
            right.write_all(b"answer").await.unwrap();
            drop(right);
            text.clear();
            left.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "answer");

            // A peer that goes with unread data resets.
            let (mut left, right) = UnixStream::pair().unwrap();
            left.write_all(b"unread").await.unwrap();
            right.readable().await.unwrap();
            drop(right);
            assert_errno(left.read_u8().await, Errno::CONNRESET);
            let (mut left, right) = UnixStream::pair().unwrap();
            drop(right);
            assert_errno(left.write_all(b"x").await, Errno::PIPE);
        });
    }
}

#[test]
fn a_writer_waits_for_its_reader() {
    for seed in 0..5 {
        simulate(seed, async {
            const BYTES: usize = 4 << 20;
            let (mut left, mut right) = UnixStream::pair().unwrap();
            let (mut sender, mut receiver) = pipe::pipe().unwrap();
            let written = Arc::new(Mutex::new([0; 2]));
            let counts = Arc::clone(&written);
            anyrt::spawn(async move {
                let chunk = vec![7; 16 << 10];
                for _ in 0..BYTES / chunk.len() {
                    left.write_all(&chunk).await.unwrap();
                    counts.lock().unwrap()[0] += chunk.len();
                }
            });
            let counts = Arc::clone(&written);
            anyrt::spawn(async move {
                let chunk = vec![9; 16 << 10];
                for _ in 0..BYTES / chunk.len() {
                    sender.write_all(&chunk).await.unwrap();
                    counts.lock().unwrap()[1] += chunk.len();
                }
            });
            sleep(SECOND).await;
            let before = *written.lock().unwrap();
            sleep(SECOND).await;
            assert_eq!(before, *written.lock().unwrap(), "nobody reads");
            assert!(before.iter().all(|count| (1..BYTES).contains(count)));
            let mut all = Vec::new();
            right.read_to_end(&mut all).await.unwrap();
            assert!(all.len() == BYTES && all.iter().all(|byte| *byte == 7));
            all.clear();
            receiver.read_to_end(&mut all).await.unwrap();
            assert!(all.len() == BYTES && all.iter().all(|byte| *byte == 9));
        });
    }
}

#[test]
fn datagrams_arrive_whole_with_the_path_of_their_sender() {
    for seed in 0..20 {
        simulate(seed, async {
            let server = UnixDatagram::bind("/server").unwrap();
            let client = UnixDatagram::bind("/client").unwrap();
            assert_errno(client.send_to(b"x", "/nobody").await, Errno::NOENT);
            let answering = anyrt::spawn(async move {
                let mut buf = [0; 4];
                for _ in 0..2 {
                    let (size, from) = server.recv_from(&mut buf).await.unwrap();
                    let path = from.as_pathname().unwrap();
                    assert_eq!(path, Path::new("/client"));
                    server.send_to(&buf[..size], path).await.unwrap();
                }
            });
            let mut buf = [0; 64];
            client.connect("/server").unwrap();
            assert_eq!(
                client.peer_addr().unwrap().as_pathname(),
                Some(Path::new("/server"))
            );
            for (sent, expected) in [(&b"one"[..], &b"one"[..]), (b"longer", b"long")] {
                client.send(sent).await.unwrap();
                let size = client.recv(&mut buf).await.unwrap();
                assert_eq!(&buf[..size], expected);
            }
            answering.await.unwrap();
            assert_errno(client.send(b"x").await, Errno::CONNREFUSED);
        });
    }
}

#[test]
fn a_pipe_ends_with_its_ends() {
    simulate(3, async {
        let (mut sender, mut receiver) = pipe::pipe().unwrap();
        let reading = anyrt::spawn(async move {
            let mut text = String::new();
            receiver.read_to_string(&mut text).await.map(|_| text)
        });
        sleep(SECOND).await;
        sender.write_all(b"late").await.unwrap();
        drop(sender);
        assert_eq!(reading.await.unwrap().unwrap(), "late");
        let (mut sender, receiver) = pipe::pipe().unwrap();
        drop(receiver);
        assert_errno(sender.write_all(b"x").await, Errno::PIPE);
        // Of std, too: nobody outside has an end of it.
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let reader = AsyncFd::with_interest(reader, Interest::READABLE).unwrap();
        drop(writer);
        let end = reader.async_io(Interest::READABLE, |mut reader| reader.read(&mut [0]));
        assert_eq!(end.await.unwrap(), 0);
    });
}

#[test]
fn a_node_that_crashes_closes_its_sockets_and_keeps_its_paths() {
    for seed in 0..10 {
        let sim = Sim::new(seed);
        let (sender, receiver) = mpsc::channel();
        let host = sim.host("db", move || {
            let sender = sender.clone();
            async move {
                sender.send(UnixListener::bind("/db").err()).unwrap();
                let (mut stream, inherited) = UnixStream::pair().unwrap();
                INHERITED.lock().unwrap().push(inherited);
                // Never ends: the test has the other end.
                let _ = stream.read_u8().await;
            }
        });
        sim.client("test", async move {
            sleep(SECOND).await;
            assert!(receiver.recv().unwrap().is_none());
            let mut other = INHERITED.lock().unwrap().pop().unwrap();
            host.crash();
            assert_eq!(other.read(&mut [0]).await.unwrap(), 0);
            host.restart();
            sleep(SECOND).await;
            let error = receiver.recv().unwrap().unwrap();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            INHERITED.lock().unwrap().clear();
        });
        sim.run().unwrap();
    }
    static INHERITED: Mutex<Vec<UnixStream>> = Mutex::new(Vec::new());
}

#[test]
fn the_seed_decides_who_hears_first() {
    let order = |seed| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&order);
        let (took, taken) = mpsc::channel();
        let sim = simulate(seed, async move {
            let mut tasks = Vec::new();
            let mut writers = Vec::new();
            for number in 0..4 {
                let (mut reader, writer) = UnixStream::pair().unwrap();
                writers.push(writer);
                let log = Arc::clone(&log);
                tasks.push(anyrt::spawn(async move {
                    reader.read_u8().await.unwrap();
                    log.lock().unwrap().push(number);
                }));
            }
            sleep(SECOND).await;
            let start = Instant::now();
            for writer in &mut writers {
                writer.write_all(b"x").await.unwrap();
            }
            for task in tasks {
                task.await.unwrap();
            }
            took.send(start.elapsed()).unwrap();
        });
        let order = order.lock().unwrap().clone();
        (order, sim.hash(), taken.recv().unwrap())
    };
    let mut seen = BTreeSet::new();
    let mut times = BTreeSet::new();
    for seed in 0..200 {
        let once = order(seed);
        assert_eq!(once, order(seed));
        seen.insert(once.0);
        times.insert(once.2);
    }
    assert!(seen.len() > 15, "{} orders of 24", seen.len());
    // The last of four hears of it after 5 to 20 µs.
    let spread = *times.last().unwrap() - *times.first().unwrap();
    assert!(spread > Duration::from_micros(7), "{spread:?}");
}

#[test]
fn a_deadlock_names_the_socket() {
    let sim = Sim::new(1);
    sim.client("client", async {
        let (mut left, _right) = UnixStream::pair().unwrap();
        left.read_u8().await.unwrap();
    });
    let failure = sim.run().unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Deadlock);
    let text = failure.to_string();
    assert!(text.contains("waits for data from a Unix socket"), "{text}");
}

#[test]
fn an_open_simulation_hears_of_a_thread_outside() {
    use anyrt::runtime::Builder;

    let runtime = Builder::new_current_thread()
        .backend(anyrt::runtime::Backend::Sim)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (inside, outside) = std::os::unix::net::UnixStream::pair().unwrap();
        inside.set_nonblocking(true).unwrap();
        let mut inside = UnixStream::from_std(inside).unwrap();
        let (started, waits) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            waits.recv().unwrap();
            io::Write::write_all(&mut &outside, b"x").unwrap();
        });
        let mut reading = Box::pin(inside.read_u8());
        let first = std::future::poll_fn(|cx| std::task::Poll::Ready(reading.as_mut().poll(cx)));
        assert!(first.await.is_pending());
        started.send(()).unwrap();
        // Nobody rings: the simulator must look for itself.
        assert_eq!(reading.await.unwrap(), b'x');
        thread.join().unwrap();
    });
}

/// Compared between two fresh processes, where descriptors have other numbers and the kernel other names.
#[anyrt::test(sim, seeds = 20, check = 2)]
async fn unix_sockets_do_the_same_in_each_process() {
    let listener = UnixListener::bind("/run/echo").unwrap();
    anyrt::spawn(echo(listener));
    let clients: Vec<_> = (0..5_u8)
        .map(|number| {
            anyrt::spawn(async move {
                let mut stream = UnixStream::connect("/run/echo").await.unwrap();
                let (mut sender, mut receiver) = pipe::pipe().unwrap();
                for round in 0..20 {
                    stream.write_all(&[number, round]).await.unwrap();
                    let mut answer = [0; 2];
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, [number, round]);
                    sender.write_all(&answer).await.unwrap();
                    receiver.read_exact(&mut answer).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}
