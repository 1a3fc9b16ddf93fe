//! The erased runtime behaves like the one inside.

mod common;

use std::future::{Future, pending};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use anyrt_core::channel::{Receiver, Sender, UnboundedSender};
use anyrt_core::erased::ErasedTcpStream;
use anyrt_core::error::{ReuniteError, TryRecvError, TrySendError};
use anyrt_core::time::Sleep;
use anyrt_core::{
    AbortHandle, Blocking, Channel, ErasedRuntime, FromStd, JoinHandle, JoinSet, LocalSpawner, Net,
    Runtime, Spawner, TcpListener, TcpStream, Timer, UdpSocket,
};
use common::{CountDrops, Rt, RtOf, message, within_a_minute};
use futures_util::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};

fn assert_runtime<R: Runtime + Clone + std::fmt::Debug + Send + Sync + 'static>(_: &R) {}

fn assert_send<T: Send>(value: T) -> T {
    value
}

fn erased() -> (Rt, ErasedRuntime) {
    let rt = Rt::new();
    let erased = ErasedRuntime::new(rt.clone());
    (rt, erased)
}

/// Runs a test on a runtime and its erased twin.
fn test<F: Future>(body: impl FnOnce(ErasedRuntime) -> F + Send + 'static) {
    within_a_minute(|| {
        let (rt, erased) = erased();
        rt.block_on(body(erased));
        rt.pool.shutdown(None);
        rt.queue.drain();
    });
}

#[test]
fn it_is_a_runtime() {
    let (_, erased) = erased();
    assert_runtime(&erased);
    assert_eq!(format!("{erased:?}"), "ErasedRuntime(Rt)");
    let again = ErasedRuntime::new(erased);
    assert_eq!(format!("{again:?}"), "ErasedRuntime(Rt)", "not twice");
}

#[test]
fn tasks_keep_their_semantics() {
    test(|rt| async move {
        assert_eq!(
            rt.spawn(async { String::from("value") }).await.unwrap(),
            "value"
        );

        let bad = rt.spawn(async { panic!("in the task") });
        assert_eq!(message(bad.await.unwrap_err()), "in the task");

        let drops = CountDrops::new();
        let guard = drops.guard();
        let mut task = rt.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        assert!((&mut task).now_or_never().is_none());
        let abort = task.abort_handle();
        assert_eq!(abort.id(), task.id());
        assert!(!task.is_finished() && !abort.is_finished());
        abort.clone().abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(abort.is_finished());
        assert_eq!(drops.get(), 1);

        let (sent, mut seen) = rt.bounded(1);
        drop(rt.spawn(async move { sent.send(7).await }));
        assert_eq!(seen.recv().await, Some(7), "a dropped handle detaches");

        let task = rt.spawn(pending::<()>());
        assert!(task.cancel().await.unwrap_err().is_cancelled());
    });
}

#[test]
fn values_that_nobody_joins_are_dropped() {
    test(|rt| async move {
        let drops = CountDrops::new();
        for detach_first in [true, false] {
            let guard = drops.guard();
            let task = rt.spawn(async move { guard });
            if detach_first {
                drop(task);
                anyrt_core::task::yield_now().await;
            } else {
                while !task.is_finished() {
                    anyrt_core::task::yield_now().await;
                }
                drop(task);
            }
        }
        assert_eq!(drops.get(), 2);
    });
}

#[test]
fn local_tasks_and_blocking_jobs_work() {
    test(|rt| async move {
        let value = Rc::new(7);
        let task = rt.spawn_local(async move { value });
        let (id, abort) = (task.id(), task.abort_handle());
        assert_eq!(abort.id(), id);
        assert_eq!(*task.await.unwrap(), 7);

        let waiting = rt.spawn_local(pending::<Rc<()>>());
        waiting.abort();
        assert!(!waiting.is_finished());
        assert!(waiting.await.unwrap_err().is_cancelled());

        assert_eq!(rt.spawn_blocking(|| vec![1, 2]).await.unwrap(), [1, 2]);
        let bad = rt.spawn_blocking(|| panic!("in the job"));
        assert_eq!(message(bad.await.unwrap_err()), "in the job");
    });
}

#[test]
fn its_handles_fill_a_join_set() {
    test(|rt| async move {
        let mut set = JoinSet::new();
        for i in 0..3 {
            set.spawn_on(&rt, async move { i });
        }
        set.spawn_blocking_on(&rt, || 3);
        let mut values = assert_send(set).join_all().await;
        values.sort_unstable();
        assert_eq!(values, [0, 1, 2, 3]);
    });
}

#[test]
fn time_is_that_of_the_runtime() {
    let (rt, erased) = erased();
    let start = erased.now();
    assert_eq!(start, rt.now());
    let second = Duration::from_secs(1);

    let mut sleep = assert_send(erased.sleep(second));
    assert_eq!(sleep.deadline(), start + second);
    assert!((&mut sleep).now_or_never().is_none());
    rt.clock.advance(second);
    assert!(sleep.is_elapsed());
    assert!((&mut sleep).now_or_never().is_some());
    Pin::new(&mut sleep).reset(start + 2 * second);
    assert!((&mut sleep).now_or_never().is_none());
    assert_eq!(erased.sleep_until(start).now_or_never(), Some(()));

    let timeout = erased.timeout(second, pending::<()>());
    let mut interval = erased.interval(second);
    assert_eq!(interval.tick().now_or_never(), Some(start + second));
    assert_eq!(interval.tick().now_or_never(), None);
    rt.clock.advance(second);
    assert_eq!(interval.tick().now_or_never(), Some(start + 2 * second));
    assert!(timeout.now_or_never().unwrap().is_err());
}

#[test]
fn channels_are_those_of_the_runtime_inside() {
    test(|rt| async move {
        let (sender, mut receiver) = rt.bounded(1);
        sender.send(1).await.unwrap();
        assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
        assert_eq!(receiver.recv().await, Some(1));
        drop(receiver);
        assert_eq!(sender.send(3).await.unwrap_err().0, 3);
        assert!(format!("{sender:?}").contains("Sender"), "{sender:?}");

        let (sender, mut receiver) = rt.unbounded();
        sender.send(1).unwrap();
        drop(sender);
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    });
}

/// Returns the two ends of a connection: an erased one, and a blocking one of std.
async fn pair(rt: &ErasedRuntime) -> (ErasedTcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    let stream = rt.connect_tcp(address).await.expect("it listens");
    let (peer, _) = listener.accept().expect("it is connecting");
    (stream, peer)
}

#[test]
fn a_listener_accepts_and_a_stream_talks() {
    test(|rt| async move {
        let listener = rt.bind_tcp("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = rt.spawn({
            let rt = rt.clone();
            async move {
                let mut stream = rt.connect_tcp(("127.0.0.1", address.port())).await?;
                stream.write_all(b"ping").await?;
                stream.close().await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                std::io::Result::Ok((answer, stream.local_addr()?))
            }
        });
        let (mut stream, peer) = assert_send(listener.accept()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), peer);
        assert_eq!(stream.local_addr().unwrap(), address);
        let mut peeked = [0; 4];
        assert_eq!(stream.peek(&mut peeked[..2]).await.unwrap(), 2);
        let mut question = String::new();
        stream.read_to_string(&mut question).await.unwrap();
        assert_eq!((question.as_str(), &peeked[..2]), ("ping", &b"pi"[..]));
        stream.write_all(b"pong").await.unwrap();
        stream.flush().await.unwrap();
        drop(stream);
        let (answer, client) = client.await.unwrap().unwrap();
        assert_eq!((answer.as_str(), client), ("pong", peer));

        let _client = std::net::TcpStream::connect(address).unwrap();
        let mut incoming = Box::pin(listener.incoming());
        assert!(incoming.next().await.unwrap().is_ok());

        let taken = rt.bind_tcp(address).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.raw_os_error().is_some());
    });
}

#[test]
fn options_and_shutdown_reach_the_socket() {
    test(|rt| async move {
        let (stream, mut peer) = pair(&rt).await;
        for on in [true, false] {
            stream.set_nodelay(on).unwrap();
            assert_eq!(stream.nodelay().unwrap(), on);
        }
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn many_slices_are_one_write_and_one_read() {
    test(|rt| async move {
        let (mut stream, mut peer) = pair(&rt).await;
        let slices = [IoSlice::new(b"many "), IoSlice::new(b"slices")];
        assert_eq!(stream.write_vectored(&slices).await.unwrap(), 11);
        let mut text = [0; 11];
        peer.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"many slices");

        peer.write_all(&text).unwrap();
        let (mut start, mut end) = ([0; 5], [0; 6]);
        // Nothing is read before all data has arrived.
        while stream.peek(&mut text).await.unwrap() < 11 {}
        let mut slices = [IoSliceMut::new(&mut start), IoSliceMut::new(&mut end)];
        assert_eq!(stream.read_vectored(&mut slices).await.unwrap(), 11);
        assert_eq!((&start, &end), (b"many ", b"slices"));
    });
}

#[test]
fn halves_work_apart_and_find_together() {
    test(|rt| async move {
        let (stream, mut peer) = pair(&rt).await;
        let address = stream.local_addr().unwrap();
        let (mut read, mut write) = stream.into_split();
        let slices = [IoSlice::new(b"pi"), IoSlice::new(b"ng")];
        assert_eq!(write.write_vectored(&slices).await.unwrap(), 4);
        write.flush().await.unwrap();
        let mut text = [0; 4];
        peer.read_exact(&mut text).unwrap();
        peer.write_all(&text).unwrap();
        let mut answer = [0; 4];
        read.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"ping");

        // Halves of two streams do not match, and are returned unchanged.
        let (other, mut other_peer) = pair(&rt).await;
        let (other_read, other_write) = other.into_split();
        let ReuniteError(read, other_write) =
            ErasedTcpStream::reunite(read, other_write).unwrap_err();
        let ReuniteError(other_read, write) =
            ErasedTcpStream::reunite(other_read, write).unwrap_err();

        let mut stream = ErasedTcpStream::reunite(read, write).unwrap();
        assert_eq!(stream.local_addr().unwrap(), address);
        // The failed attempts sent no FIN: the stream can still write.
        stream.write_all(b"x").await.unwrap();
        peer.read_exact(&mut text[..1]).unwrap();

        drop(other_read);
        drop(other_write);
        assert_eq!(other_peer.read(&mut [0]).unwrap(), 0, "FIN");
    });
}

#[test]
fn halves_of_two_kinds_of_streams_do_not_find_together() {
    test(|rt| async move {
        let (stream, _peer) = pair(&rt).await;
        let other = ErasedRuntime::new(RtOf::<1>::new());
        let (other, mut other_peer) = pair(&other).await;
        let (read, write) = stream.into_split();
        let (other_read, other_write) = other.into_split();
        let ReuniteError(read, other_write) =
            ErasedTcpStream::reunite(read, other_write).unwrap_err();
        assert!(ErasedTcpStream::reunite(read, write).is_ok());
        assert!(ErasedTcpStream::reunite(other_read, other_write).is_ok());
        assert_eq!(
            other_peer.read(&mut [0]).unwrap(),
            0,
            "dropped with the result"
        );
    });
}

#[test]
fn datagrams_go_to_and_fro() {
    test(|rt| async move {
        let socket = rt.bind_udp("127.0.0.1:0").await.unwrap();
        let other = rt.bind_udp("127.0.0.1:0").await.unwrap();
        let to = other.local_addr().unwrap();
        assert_eq!(assert_send(socket.send_to(b"ping", to)).await.unwrap(), 4);
        let mut buf = [0; 8];
        let (len, from) = assert_send(other.recv_from(&mut buf)).await.unwrap();
        assert_eq!(
            (&buf[..len], from),
            (&b"ping"[..], socket.local_addr().unwrap())
        );

        assert_eq!(
            other.peer_addr().unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        other.connect(from).await.unwrap();
        assert_eq!(other.peer_addr().unwrap(), from);
        assert_eq!(other.send(b"pong").await.unwrap(), 4);
        socket.connect(to).await.unwrap();
        let len = socket.recv(&mut buf).await.unwrap();
        assert_eq!(&buf[..len], b"pong");
    });
}

#[test]
fn errors_keep_kind_and_errno() {
    test(|rt| async move {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let error = rt.connect_tcp(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.raw_os_error().is_some());
        let error = rt.bind_tcp("no port").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn sockets_of_std_are_taken_over_only_where_the_way_was_kept() {
    let rt = Rt::new();
    let listener = || {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        listener
    };
    let without = ErasedRuntime::new(rt.clone());
    let error = without.tcp_listener_from_std(listener()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("with_from_std"), "{error}");
    let native = listener();
    let address = native.local_addr().unwrap();
    let with = ErasedRuntime::with_from_std(rt);
    let taken = with.tcp_listener_from_std(native).unwrap();
    assert_eq!(taken.local_addr().unwrap(), address);
}
