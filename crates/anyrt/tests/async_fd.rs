//! Any descriptor with its readiness, on each backend.
#![cfg(unix)]

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyrt::io::unix::{AsyncFd, AsyncFdReadyGuard};
use anyrt::io::{Interest, Ready};
use anyrt::runtime::{Backend, Handle};
use anyrt::task::yield_now;

fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (one, two) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    two.set_nonblocking(true)?;
    Ok((one, two))
}

fn watched() -> io::Result<(AsyncFd<UnixStream>, AsyncFd<UnixStream>)> {
    let (one, two) = pair()?;
    Ok((AsyncFd::new(one)?, AsyncFd::new(two)?))
}

/// Returns `true` if the future stays pending while the reactor runs.
async fn stays_pending<F: Future + Unpin>(mut future: F) -> bool {
    for _ in 0..8 {
        let polled = poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut future).poll(cx))).await;
        if polled.is_ready() {
            return false;
        }
        yield_now().await;
    }
    true
}

#[anyrt::test(flavor = "multi_thread")]
async fn it_is_writable_at_once_and_readable_when_something_comes() -> io::Result<()> {
    let (one, two) = watched()?;
    one.writable().await?.retain_ready();
    assert!(stays_pending(pin!(one.readable())).await);
    two.get_ref().write_all(b"x")?;
    let mut guard = one.readable().await?;
    assert_eq!(guard.ready(), Ready::READABLE);
    assert_eq!(guard.get_inner().as_raw_fd(), one.as_raw_fd());
    assert_eq!(guard.get_ref().as_fd().as_raw_fd(), one.as_raw_fd());
    let read = |fd: &AsyncFd<UnixStream>| fd.get_ref().read(&mut [0; 8]);
    assert_eq!(guard.try_io(read).unwrap()?, 1);
    // The readiness was not cleared, although the socket is empty.
    one.readable().await?.retain_ready();
    assert!(guard.try_io(read).is_err(), "it is empty");
    assert!(stays_pending(pin!(one.readable())).await);
    two.get_ref().write_all(b"x")?;
    one.readable().await?.retain_ready();
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn readiness_after_the_guard_is_not_cleared_with_it() -> io::Result<()> {
    let (one, two) = watched()?;
    two.get_ref().write_all(b"x")?;
    let mut guard = one.readable().await?;
    assert_eq!(one.get_ref().read(&mut [0; 8])?, 1);
    two.get_ref().write_all(b"y")?;
    // Whichever event the guard has seen, the byte is still found.
    guard.clear_ready();
    let read = |mut fd: &UnixStream| fd.read(&mut [0; 8]);
    assert_eq!(one.async_io(Interest::READABLE, read).await?, 1);
    Ok(())
}

/// Returns `true` if cleared readiness is found again, because the poller is not edge-triggered.
fn finds_what_was_cleared() -> bool {
    let backend = Handle::current().backend();
    matches!(backend, Backend::Smol | Backend::AsyncStd)
}

#[anyrt::test(flavor = "multi_thread")]
async fn parts_of_what_is_ready_are_cleared() -> io::Result<()> {
    let (mut one, two) = watched()?;
    two.get_ref().write_all(b"x")?;
    one.readable().await?.retain_ready();
    one.writable().await?.retain_ready();
    let both = Interest::READABLE | Interest::WRITABLE;
    {
        let mut guard = one.ready(both).await?;
        assert_eq!(guard.ready(), Ready::READABLE | Ready::WRITABLE);
        guard.clear_ready_matching(Ready::READABLE);
        assert_eq!(guard.ready(), Ready::WRITABLE);
        let is_known = |interest| match one.try_io(interest, |_| Ok(())) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        };
        assert_eq!(is_known(Interest::READABLE), finds_what_was_cleared());
        assert!(is_known(Interest::WRITABLE));
        guard.clear_ready_matching(Ready::WRITABLE);
        assert_eq!(guard.ready(), Ready::EMPTY);
        assert_eq!(is_known(Interest::WRITABLE), finds_what_was_cleared());
    }
    // A new event.
    two.get_ref().write_all(b"y")?;
    let mut guard = one.ready_mut(Interest::READABLE).await?;
    assert_eq!(guard.ready(), Ready::READABLE);
    assert_eq!(guard.get_inner_mut().read(&mut [0; 8])?, 2);
    guard.clear_ready_matching(Ready::READABLE);
    assert_eq!(guard.ready(), Ready::EMPTY);
    assert_eq!(guard.get_ref().as_raw_fd(), guard.get_inner().as_raw_fd());
    assert!(stays_pending(pin!(guard.get_mut().readable())).await);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn operations_are_tried_only_while_it_is_known_to_be_ready() -> io::Result<()> {
    let (mut one, mut two) = watched()?;
    let none = one.try_io_mut(Interest::READABLE, |_| -> io::Result<()> {
        panic!("nothing has come")
    });
    assert_eq!(none.unwrap_err().kind(), ErrorKind::WouldBlock);
    two.writable_mut().await?.get_inner_mut().write_all(b"xy")?;
    one.readable_mut().await?.retain_ready();
    let mut byte = [0; 1];
    let read = one.try_io_mut(Interest::READABLE, |fd| fd.read(&mut byte))?;
    assert_eq!((read, byte), (1, *b"x"));
    let read = one.try_io(Interest::READABLE, |mut fd| fd.read(&mut byte))?;
    assert_eq!((read, byte), (1, *b"y"));
    for _ in 0..2 {
        let read = one.try_io(Interest::READABLE, |mut fd| fd.read(&mut byte));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    let wait = one.async_io_mut(Interest::READABLE, |fd| fd.read(&mut byte));
    let write = two.async_io(Interest::WRITABLE, |mut fd| fd.write(b"z"));
    assert_eq!(anyrt::try_join!(wait, write)?, (1, 1));
    assert_eq!(byte, *b"z");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_writer_waits_for_room() -> io::Result<()> {
    let (one, two) = watched()?;
    let mut sent = 0;
    let mut guard = one.writable().await?;
    while let Ok(written) = guard.try_io(|fd| fd.get_ref().write(&[1; 4096])) {
        sent += written?;
    }
    let mut writable = pin!(one.writable());
    assert!(stays_pending(writable.as_mut()).await);
    let mut received = 0;
    while received < sent {
        let read = two.async_io(Interest::READABLE, |mut fd| fd.read(&mut [0; 4096]));
        received += read.await?;
    }
    writable.await?.retain_ready();
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn any_number_of_tasks_wait() -> io::Result<()> {
    let (one, two) = watched()?;
    let one = Arc::new(one);
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let one = Arc::clone(&one);
        waiting.push(anyrt::spawn(async move {
            let mut byte = [0; 1];
            let read = |mut fd: &UnixStream| fd.read(&mut byte);
            one.async_io(Interest::READABLE, read).await
        }));
    }
    for _ in 0..8 {
        yield_now().await;
        let write = |mut fd: &UnixStream| fd.write(b"x");
        two.async_io(Interest::WRITABLE, write).await?;
    }
    for task in waiting {
        assert_eq!(task.await??, 1);
    }
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn of_those_who_poll_the_last_one_of_each_direction_is_woken() -> io::Result<()> {
    let (mut one, two) = watched()?;
    one.writable().await?.retain_ready();
    let forgotten = &mut Context::from_waker(Waker::noop());
    assert!(one.poll_read_ready(forgotten).is_pending());
    let reader = poll_fn(|cx| one.poll_read_ready(cx).map_ok(|guard| guard.ready()));
    let write = |mut fd: &UnixStream| fd.write(b"x");
    let write = two.async_io(Interest::WRITABLE, write);
    assert_eq!(anyrt::try_join!(reader, write)?, (Ready::READABLE, 1));
    let ready = poll_fn(|cx| one.poll_write_ready_mut(cx).map_ok(|guard| guard.ready())).await?;
    assert_eq!(ready, Ready::WRITABLE);
    let read = poll_fn(|cx| match one.poll_read_ready_mut(cx) {
        Poll::Ready(Ok(mut guard)) => {
            Poll::Ready(guard.try_io(|fd| fd.get_mut().read(&mut [0; 8])))
        }
        _ => unreachable!("it is ready"),
    });
    assert_eq!(read.await.unwrap()?, 1);
    let ready = poll_fn(|cx| one.poll_write_ready(cx).map_ok(|guard| guard.ready())).await?;
    assert_eq!(ready, Ready::WRITABLE);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn the_end_is_told_apart_from_data() -> io::Result<()> {
    let (one, two) = watched()?;
    drop(two);
    let ready = one.readable().await?.ready();
    assert!(ready.is_read_closed() && ready.is_readable());
    let mut guard = one.writable().await?;
    assert!(guard.ready().is_write_closed());
    guard.clear_ready();
    // It stays closed.
    assert!(one.writable().await?.ready().is_writable());
    Ok(())
}

#[cfg(target_os = "linux")]
#[anyrt::test(flavor = "multi_thread")]
async fn priority_and_errors_are_waited_for_alone() -> io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    client.set_nonblocking(true)?;
    let client = AsyncFd::with_interest(client, Interest::PRIORITY | Interest::READABLE)?;
    let (mut server, _) = listener.accept()?;
    server.write_all(b"ordinary")?;
    client.readable().await?.retain_ready();
    assert!(stays_pending(pin!(client.ready(Interest::PRIORITY))).await);
    socket2::SockRef::from(&server).send_out_of_band(b"!")?;
    let ready = client.ready(Interest::PRIORITY).await?.ready();
    assert!(ready.is_priority());

    // With this option a rejected datagram is queued as an error.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    socket.set_nonblocking(true)?;
    socket.connect(nobody)?;
    let socket = AsyncFd::new(socket)?;
    assert!(stays_pending(pin!(socket.ready(Interest::ERROR))).await);
    socket.get_ref().send(b"anybody?")?;
    let ready = socket.ready(Interest::ERROR).await?.ready();
    assert_eq!(ready, Ready::ERROR);
    Ok(())
}

#[anyrt::test]
async fn what_was_wrapped_comes_back_open_and_can_be_watched_again() -> io::Result<()> {
    let (one, mut two) = pair()?;
    let mut one = AsyncFd::with_interest(one, Interest::READABLE)?;
    assert!(format!("{one:?}").starts_with("AsyncFd { inner:"));
    one.get_mut().set_nonblocking(true)?;
    // SAFETY: the stream owns its descriptor, which is open for as long as the stream lives.
    let one = unsafe { AsyncFd::register_with_interest(one.into_inner(), Interest::READABLE)? };
    assert_eq!(
        two.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    // SAFETY: as above.
    let one = unsafe { AsyncFd::register(one.into_inner())? };
    let one = AsyncFd::try_new(one.into_inner())?;
    drop(AsyncFd::try_with_interest(
        one.into_inner(),
        Interest::READABLE,
    )?);
    assert_eq!(two.read(&mut [0])?, 0, "closed");
    Ok(())
}

/// Only has a descriptor number, like the types of many crates.
struct Numbered(UnixStream);

impl AsRawFd for Numbered {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_has_only_the_number_of_a_descriptor_is_watched() -> io::Result<()> {
    let (one, mut two) = pair()?;
    let mut one = AsyncFd::new(Numbered(one))?;
    assert!(stays_pending(pin!(one.readable())).await);
    for round in 0..200_u8 {
        // The byte arrives before, while and after the reader finds that there is none.
        let writer = std::thread::spawn(move || {
            two.write_all(&[round])?;
            io::Result::Ok(two)
        });
        let mut byte = [0];
        match round % 3 {
            0 => loop {
                let mut guard = one.readable().await?;
                if let Ok(read) = guard.try_io(|fd| (&fd.get_ref().0).read(&mut byte)) {
                    read?;
                    guard.clear_ready();
                    break;
                }
            },
            1 => loop {
                let mut guard = one.readable_mut().await?;
                if let Ok(read) = guard.try_io(|fd| fd.get_mut().0.read(&mut byte)) {
                    read?;
                    guard.clear_ready();
                    break;
                }
            },
            _ => loop {
                let mut guard = one.ready_mut(Interest::READABLE).await?;
                // Clearing before the attempt must not lose a byte that has arrived.
                guard.clear_ready();
                match guard.get_inner_mut().0.read(&mut byte) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => {
                        read?;
                        break;
                    }
                }
            },
        }
        assert_eq!(byte, [round]);
        two = writer.join().expect("it writes")?;
    }
    Ok(())
}

#[anyrt::test]
async fn a_number_of_no_descriptor_is_refused() {
    struct Nothing(RawFd);

    impl AsRawFd for Nothing {
        fn as_raw_fd(&self) -> RawFd {
            self.0
        }
    }

    for number in [-1, RawFd::MAX] {
        let (inner, cause) = AsyncFd::try_new(Nothing(number))
            .err()
            .unwrap()
            .into_parts();
        assert_eq!(inner.0, number);
        assert_eq!(cause.raw_os_error(), Some(9), "{cause}");
    }
}

#[cfg(target_os = "linux")]
#[anyrt::test]
async fn what_cannot_be_watched_comes_back() {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let number = file.as_raw_fd();
    let error = AsyncFd::try_new(file).unwrap_err();
    assert_eq!(
        format!("{error}"),
        format!("{}", io::Error::from_raw_os_error(1))
    );
    let (file, cause) = error.into_parts();
    assert_eq!(file.as_raw_fd(), number);
    assert_eq!(cause.kind(), ErrorKind::PermissionDenied);
    let error = AsyncFd::new(file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[anyrt::test(flavor = "multi_thread")]
async fn datagrams_are_neither_lost_nor_awaited_in_vain() -> io::Result<()> {
    let (one, two) = UnixDatagram::pair()?;
    one.set_nonblocking(true)?;
    let one = AsyncFd::new(one)?;
    let receiver = anyrt::spawn(async move {
        let mut buf = [0; 8];
        for n in 0..100_u8 {
            let len = one
                .async_io(Interest::READABLE, |fd| fd.recv(&mut buf))
                .await?;
            assert_eq!(&buf[..len], [n]);
        }
        io::Result::Ok(())
    });
    for n in 0..100 {
        two.send(&[n])?;
        if n % 7 == 0 {
            yield_now().await;
        }
    }
    receiver.await?
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_busy_descriptor_starves_nobody() -> io::Result<()> {
    let (one, two) = watched()?;
    two.get_ref().write_all(b"x")?;
    let busy = anyrt::spawn(async move {
        loop {
            // Always ready, because it is never read.
            one.async_io(Interest::READABLE, |_| Ok(())).await.unwrap();
        }
    });
    anyrt::time::sleep(std::time::Duration::from_millis(5)).await;
    busy.abort();
    assert!(busy.await.unwrap_err().is_cancelled());
    Ok(())
}

#[test]
fn interests_and_readiness_have_tokio_s_names() {
    let mut interest = Interest::READABLE | Interest::WRITABLE;
    assert!(interest.is_readable() && interest.is_writable());
    assert!(!interest.is_priority() && !interest.is_error());
    assert_eq!(format!("{interest:?}"), "READABLE | WRITABLE");
    interest |= Interest::ERROR.add(Interest::PRIORITY);
    assert_eq!(
        format!("{interest:?}"),
        "READABLE | WRITABLE | PRIORITY | ERROR"
    );
    assert_eq!(
        interest.remove(Interest::READABLE.add(Interest::ERROR)),
        Some(Interest::WRITABLE | Interest::PRIORITY)
    );
    assert_eq!(Interest::READABLE.remove(Interest::READABLE), None);
    let mut ready = Ready::READABLE | Ready::WRITE_CLOSED;
    assert!(ready.is_readable() && ready.is_writable() && !ready.is_read_closed());
    ready |= Ready::ERROR;
    assert_eq!(ready & Ready::ERROR, Ready::ERROR);
    assert_eq!(ready - Ready::ERROR - Ready::READABLE, Ready::WRITE_CLOSED);
    assert!(Ready::EMPTY.is_empty() && !Ready::ALL.is_empty());
    assert!(Ready::ALL.is_priority() && Ready::ALL.is_error());
}

#[test]
fn it_is_send_and_sync_as_what_it_wraps() {
    fn both<T: Send + Sync>() {}
    fn send<T: Send>(_: impl FnOnce(&'static AsyncFd<UnixStream>) -> T) {}
    both::<AsyncFd<UnixStream>>();
    both::<AsyncFdReadyGuard<'_, UnixStream>>();
    send(|fd| fd.readable());
    send(|fd| fd.async_io(Interest::READABLE, |_| Ok(())));
}
