//! The functions for applications, on each backend.

#![allow(
    clippy::drop_non_drop,
    reason = "without a backend, nothing has a destructor"
)]

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, copy, copy_bidirectional,
};
use anyrt::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use anyrt::runtime::{Backend, Builder, Handle};
use anyrt::shutdown::GracefulShutdown;
use anyrt::sync::{CancellationToken, mpsc, oneshot};
use anyrt::task::{JoinSet, LocalSet, TaskTracker, spawn_blocking, spawn_local, yield_now};
use anyrt::time::{Instant, interval, sleep, timeout};
use anyrt_core::channel::{Receiver as _, Sender as _};
use anyrt_core::{Channel, error::TrySendError};

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (client, accepted) = anyrt::try_join!(TcpStream::connect(address), listener.accept())?;
    assert_eq!(accepted.1, client.local_addr()?);
    Ok((client, accepted.0))
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_connection_is_read_and_written_by_tokio_s_traits() -> io::Result<()> {
    let (mut client, server) = pair().await?;
    let echo = anyrt::spawn(async move {
        let (mut read, mut write) = server.into_split();
        copy(&mut read, &mut write).await
    });
    client.write_all(b"hello ").await?;
    client.write_all(b"world").await?;
    client.shutdown().await?;
    let mut said = Vec::new();
    // Appends to uninitialized memory.
    client.read_to_end(&mut said).await?;
    assert_eq!(said, b"hello world");
    assert_eq!(echo.await??, 11);
    Ok(())
}

#[anyrt::test]
async fn a_connection_is_read_and_written_by_the_traits_of_futures() -> io::Result<()> {
    use futures_util::io::{AsyncReadExt, AsyncWriteExt};
    let (mut client, mut server) = pair().await?;
    AsyncWriteExt::write_all(&mut client, b"hello").await?;
    AsyncWriteExt::close(&mut client).await?;
    let mut said = String::new();
    AsyncReadExt::read_to_string(&mut server, &mut said).await?;
    assert_eq!(said, "hello");
    Ok(())
}

#[anyrt::test]
async fn a_vectored_write_is_one_write() -> io::Result<()> {
    let (mut client, mut server) = pair().await?;
    let slices = [
        IoSlice::new(b"abc"),
        IoSlice::new(b""),
        IoSlice::new(b"defg"),
    ];
    assert!(client.is_write_vectored());
    assert_eq!(client.write_vectored(&slices).await?, 7);
    let written = futures_util::io::AsyncWriteExt::write_vectored(&mut client, &slices).await?;
    assert_eq!(written, 7);
    client.shutdown().await?;
    let mut said = String::new();
    server.read_to_string(&mut said).await?;
    assert_eq!(said, "abcdefgabcdefg");
    Ok(())
}

#[anyrt::test]
async fn halves_can_be_reunited_and_dropping_the_writing_one_ends_the_stream() -> io::Result<()> {
    let (client, server) = pair().await?;
    let (read, write) = client.into_split();
    assert_eq!(read.peer_addr()?, server.local_addr()?);
    assert_eq!(write.local_addr()?, server.peer_addr()?);
    let (other_read, other_write) = server.into_split();
    let Err(halves) = read.reunite(other_write) else {
        panic!("halves of two streams make none");
    };
    let (read, other_write) = (halves.0, halves.1);
    let client = read.reunite(write).map_err(io::Error::other)?;
    let mut server = other_write.reunite(other_read).map_err(io::Error::other)?;

    let (mut read, write) = client.into_split();
    drop(write);
    let mut end = [0; 1];
    assert_eq!(server.read(&mut end).await?, 0, "FIN");
    server.write_all(b"!").await?;
    assert_eq!(read.read(&mut end).await?, 1, "this way is still open");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn halves_of_two_backends_make_no_stream() -> io::Result<()> {
    let (here, _peer) = pair().await?;
    for &backend in Backend::enabled() {
        let elsewhere = Builder::new_multi_thread().backend(backend).build()?;
        let streams = elsewhere.spawn(pair()).await??;
        let (read, write) = pair().await?.0.into_split();
        let (other_read, other_write) = streams.0.into_split();
        let error = read.reunite(other_write);
        assert!(error.is_err());
        assert!(other_read.reunite(write).is_err());
        elsewhere.shutdown_background();
    }
    drop(here);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn options_and_peeking_work() -> io::Result<()> {
    let (mut client, server) = pair().await?;
    assert!(!client.nodelay()?);
    client.set_nodelay(true)?;
    assert!(client.nodelay()?);
    client.write_all(b"x").await?;
    let mut seen = [0; 4];
    assert_eq!(server.peek(&mut seen).await?, 1);
    assert_eq!(server.peek(&mut seen).await?, 1);
    assert_eq!(seen[0], b'x');
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_proxy_passes_both_directions_and_their_ends() -> io::Result<()> {
    let (mut client, mut inbound) = pair().await?;
    let (mut outbound, server) = pair().await?;
    let proxy = anyrt::spawn(async move { copy_bidirectional(&mut inbound, &mut outbound).await });
    let server = anyrt::spawn(async move {
        let mut server = BufReader::new(server);
        let mut line = String::new();
        server.read_line(&mut line).await?;
        server.write_all(line.to_uppercase().as_bytes()).await?;
        server.shutdown().await?;
        io::Result::Ok(())
    });
    client.write_all(b"hello\n").await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    client.shutdown().await?;
    assert_eq!(answer, "HELLO\n");
    server.await??;
    assert_eq!(proxy.await??, (6, 6));
    Ok(())
}

#[anyrt::test]
async fn std_sockets_are_taken_over() -> io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    listener.set_nonblocking(true)?;
    client.set_nonblocking(true)?;
    let (mut client, listener) = (
        TcpStream::from_std(client)?,
        TcpListener::from_std(listener)?,
    );
    let (mut server, _) = listener.accept().await?;
    client.write_all(b"x").await?;
    assert_eq!(server.read_u8().await?, b'x');
    Ok(())
}

#[anyrt::test]
async fn datagrams_are_sent_to_names_and_to_peers() -> io::Result<()> {
    let (one, two) = (
        UdpSocket::bind("127.0.0.1:0").await?,
        UdpSocket::bind(("127.0.0.1", 0)).await?,
    );
    let port = two.local_addr()?.port();
    one.send_to(b"by address", two.local_addr()?).await?;
    one.send_to(b"by name", format!("127.0.0.1:{port}")).await?;
    let mut buf = [0; 16];
    for expected in ["by address", "by name"] {
        let (length, from) = two.recv_from(&mut buf).await?;
        assert_eq!(&buf[..length], expected.as_bytes());
        assert_eq!(from, one.local_addr()?);
    }
    two.connect(one.local_addr()?).await?;
    assert_eq!(two.peer_addr()?, one.local_addr()?);
    two.send(b"back").await?;
    assert_eq!(one.recv_from(&mut buf).await?.0, 4);
    one.connect(two.local_addr()?).await?;
    one.send(b"forth").await?;
    assert_eq!(two.recv(&mut buf).await?, 5);
    let none: &[std::net::SocketAddr] = &[];
    let error = one.send_to(b"x", none).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    Ok(())
}

#[anyrt::test]
async fn names_are_resolved() -> io::Result<()> {
    let mut addresses = lookup_host("localhost:80").await?;
    assert!(addresses.all(|address| address.ip().is_loopback() && address.port() == 80));
    assert!(lookup_host("no port").await.is_err());
    Ok(())
}

#[anyrt::test]
async fn a_live_port_is_in_use() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let error = TcpListener::bind(listener.local_addr()?).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    Ok(())
}

#[anyrt::test]
async fn panics_and_aborts_are_errors_of_the_one_who_joins() {
    let error = anyrt::spawn(async { panic!("on purpose") })
        .await
        .unwrap_err();
    assert!(error.is_panic());
    let payload = error.into_panic();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));

    let task = anyrt::spawn(std::future::pending::<()>());
    let (id, abort) = (task.id(), task.abort_handle());
    assert_eq!(abort.id(), id);
    abort.abort();
    abort.abort();
    let error = task.await.unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(error.id(), id);
    assert!(abort.is_finished());
    let task = anyrt::spawn(std::future::pending::<()>());
    assert!(task.cancel().await.is_err());
}

#[anyrt::test(flavor = "multi_thread")]
async fn local_tasks_share_what_is_not_send() {
    let sum = Rc::new(Cell::new(0));
    let local = LocalSet::new();
    let spawns = async {
        let tasks: Vec<_> = (1..=10)
            .map(|n| {
                let sum = Rc::clone(&sum);
                spawn_local(async move {
                    yield_now().await;
                    sum.set(sum.get() + n);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    };
    local.run_until(spawns).await;
    assert_eq!(sum.get(), 55);
}

#[anyrt::test(flavor = "multi_thread")]
async fn outside_of_a_set_local_tasks_are_refused_in_block_on_as_by_tokio() {
    fn refused<T>(spawn: impl FnOnce() -> T) {
        let panic = catch_unwind(AssertUnwindSafe(spawn)).err().unwrap();
        let said = panic.downcast::<String>().unwrap();
        assert!(said.contains("outside of a `task::LocalSet`"), "{said}");
    }
    refused(|| spawn_local(async {}));
    refused(|| JoinSet::new().spawn_local(async {}));
    refused(|| TaskTracker::new().spawn_local(async {}));
    // Through the trait they belong to this `block_on`.
    let local = anyrt_core::LocalSpawner::spawn_local(&Handle::current(), async { 7 });
    assert_eq!(local.await.unwrap(), 7);
}

#[anyrt::test]
async fn a_join_set_gives_what_ends_first_and_aborts_the_rest() {
    let mut set = JoinSet::new();
    let (release, released) = oneshot::channel::<()>();
    set.spawn(async move {
        released.await.unwrap();
        1
    });
    set.spawn(async { 2 });
    set.spawn_blocking(|| 3);
    set.spawn(async { 4 });
    set.spawn_on(async { 5 }, &Handle::current());
    assert_eq!(set.len(), 5);
    let mut ended = Vec::new();
    for _ in 0..4 {
        ended.push(set.join_next().await.unwrap().unwrap());
    }
    ended.sort_unstable();
    assert_eq!(ended, [2, 3, 4, 5]);
    assert!(set.try_join_next().is_none());
    release.send(()).unwrap();
    let (_, value) = set.join_next_with_id().await.unwrap().unwrap();
    assert_eq!(value, 1);
    assert!(set.join_next().await.is_none());

    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    set.spawn(async move {
        let _held = held;
        std::future::pending().await
    });
    set.shutdown().await;
    assert!(set.is_empty());
    assert_eq!(Arc::strong_count(&dropped), 1);

    let set: JoinSet<u32> = (1..=3).map(|n| async move { n }).collect();
    assert_eq!(set.join_all().await.iter().sum::<u32>(), 6);
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_tracker_waits_for_its_tasks() {
    let tracker = TaskTracker::new();
    let ended = Arc::new(AtomicUsize::new(0));
    for _ in 0..10 {
        let (here, there) = (Arc::clone(&ended), Arc::clone(&ended));
        tracker.spawn(async move {
            yield_now().await;
            here.fetch_add(1, Ordering::SeqCst);
        });
        tracker.spawn_blocking(move || there.fetch_add(1, Ordering::SeqCst));
    }
    tracker.close();
    tracker.wait().await;
    assert_eq!(ended.load(Ordering::SeqCst), 20);
}

#[anyrt::test]
async fn a_graceful_shutdown_asks_and_waits() {
    let shutdown = GracefulShutdown::new();
    let stopped = Arc::new(Mutex::new(Vec::new()));
    for n in 0..3 {
        let (stop, stopped) = (shutdown.token().clone(), Arc::clone(&stopped));
        shutdown.spawn(async move {
            stop.cancelled().await;
            yield_now().await;
            stopped.lock().unwrap().push(n);
        });
    }
    shutdown.shutdown(Duration::from_secs(30)).await.unwrap();
    assert_eq!(stopped.lock().unwrap().len(), 3);

    let stubborn = GracefulShutdown::new();
    let task = stubborn.spawn(std::future::pending::<()>());
    assert!(stubborn.shutdown(Duration::from_millis(1)).await.is_err());
    task.abort();
}

#[anyrt::test]
async fn timers_are_never_early_and_can_be_moved() {
    let start = Instant::now();
    sleep(Duration::from_millis(20)).await;
    assert!(start.elapsed() >= Duration::from_millis(20));

    let mut moved = pin!(sleep(Duration::MAX));
    assert!(!moved.is_elapsed());
    let sooner = Instant::now() + Duration::from_millis(1);
    moved.as_mut().reset(sooner);
    assert_eq!(moved.deadline(), sooner);
    moved.as_mut().await;
    assert!(moved.is_elapsed());
    moved.await;

    assert!(
        timeout(Duration::from_millis(1), std::future::pending::<()>())
            .await
            .is_err()
    );
    assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
    assert_eq!(timeout(Duration::MAX, async { 7 }).await, Ok(7));

    let mut ticks = interval(Duration::from_millis(1));
    let first = ticks.tick().await;
    assert!(ticks.tick().await > first);
}

#[anyrt::test]
async fn a_busy_task_starves_no_timer() {
    let Ok((client, server)) = pair().await else {
        panic!("a connection over loopback");
    };
    let (mut client, mut server) = (client, server);
    // A peer that never stops sending keeps the reader always ready.
    let talker = anyrt::spawn(async move { while client.write_all(&[1; 4096]).await.is_ok() {} });
    let busy = anyrt::spawn(async move {
        let mut buf = [0; 1];
        while server.read(&mut buf).await.is_ok() {}
    });
    sleep(Duration::from_millis(10)).await;
    busy.abort();
    talker.abort();
}

#[anyrt::test(flavor = "multi_thread")]
async fn tokio_s_channels_and_macros_work() {
    let (sender, mut receiver) = mpsc::channel(1);
    let token = CancellationToken::new();
    let child = token.child_token();
    let producer = anyrt::spawn(async move {
        for n in 0.. {
            anyrt::select! {
                () = child.cancelled() => return n,
                sent = sender.send(n) => sent.unwrap(),
            }
        }
        unreachable!("there are many numbers")
    });
    for expected in 0..100 {
        assert_eq!(receiver.recv().await, Some(expected));
    }
    token.cancel();
    assert!(producer.await.unwrap() >= 100);
    assert_eq!(anyrt::join!(async { 1 }, async { 2 }), (1, 2));
}

#[anyrt::test]
async fn a_handle_gives_channels_to_generic_code() {
    let rt = Handle::current();
    let (sender, mut receiver) = rt.bounded(1);
    sender.send(1).await.unwrap();
    assert!(matches!(sender.try_send(2), Err(TrySendError::Full(2))));
    assert_eq!(receiver.recv().await, Some(1));
    drop(sender);
    assert_eq!(receiver.recv().await, None);
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_result_is_awaited_across_runtimes() {
    for &backend in Backend::enabled() {
        let (send, receive) = oneshot::channel();
        let (done, driven) = oneshot::channel();
        let job = spawn_blocking(move || {
            let elsewhere = Builder::new_current_thread()
                .backend(backend)
                .build()
                .unwrap();
            send.send(elsewhere.handle().clone()).unwrap();
            elsewhere.block_on(driven).unwrap();
        });
        let elsewhere = receive.await.unwrap();
        let task = elsewhere.spawn(async {
            sleep(Duration::from_millis(1)).await;
            Handle::current().backend()
        });
        assert_eq!(task.await.unwrap(), backend);
        done.send(()).unwrap();
        job.await.unwrap();
        // The runtime has ended, so tasks are cancelled before they start.
        let late = elsewhere.spawn(async {});
        assert!(late.await.unwrap_err().is_cancelled());
    }
}
