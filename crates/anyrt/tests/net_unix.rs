//! Unix sockets and pipes, on every backend.
#![cfg(unix)]

use std::future::poll_fn;
use std::hint::spin_loop;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use anyrt::io::{AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use anyrt::net::unix::{UCred, pipe};
use anyrt::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use anyrt::runtime::Builder;
use futures_util::FutureExt;

/// An unused path, which is removed on drop.
struct TempPath(PathBuf);

impl TempPath {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "anyrt-{}-{}.sock",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }
}

impl AsRef<Path> for TempPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[anyrt::test]
async fn a_listener_accepts_and_streams_carry_bytes_both_ways() -> io::Result<()> {
    let path = TempPath::new();
    let listener = UnixListener::bind(&path)?;
    assert_eq!(listener.local_addr()?.as_pathname(), Some(path.as_ref()));
    let server = anyrt::spawn(async move {
        let (mut stream, peer) = listener.accept().await?;
        assert!(peer.is_unnamed());
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        stream.write_all(text.to_uppercase().as_bytes()).await?;
        io::Result::Ok(())
    });
    let mut stream = UnixStream::connect(&path).await?;
    assert_eq!(stream.peer_addr()?.as_pathname(), Some(path.as_ref()));
    stream.write_all(b"hello").await?;
    // The peer reads to the end and can still answer.
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert_eq!(answer, "HELLO");
    server.await.unwrap()
}

#[anyrt::test]
async fn a_live_path_cannot_be_bound_again_and_a_dead_one_refuses() -> io::Result<()> {
    let path = TempPath::new();
    let listener = UnixListener::bind(&path)?;
    let error = UnixListener::bind(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(listener);
    let error = UnixStream::connect(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let error = UnixStream::connect(TempPath::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    Ok(())
}

#[anyrt::test]
async fn a_dropped_accept_takes_no_connection() -> io::Result<()> {
    let path = TempPath::new();
    let listener = UnixListener::bind(&path)?;
    let mut accept = Box::pin(listener.accept());
    assert!((&mut accept).now_or_never().is_none());
    let _client = UnixStream::connect(&path).await?;
    drop(accept);
    listener.accept().await.map(drop)
}

#[anyrt::test]
async fn several_tasks_accept_from_one_listener() -> io::Result<()> {
    let path = TempPath::new();
    let listener = Arc::new(UnixListener::bind(&path)?);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let listener = Arc::clone(&listener);
            anyrt::spawn(async move { listener.accept().await.map(drop) })
        })
        .collect();
    for _ in 0..4 {
        UnixStream::connect(&path).await?;
    }
    for task in tasks {
        task.await.unwrap()?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[anyrt::test]
async fn names_may_be_abstract() -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;

    use anyrt::net::unix::SocketAddr;

    let name = format!(
        "anyrt-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    );
    let listener = UnixListener::bind(format!("\0{name}"))?;
    assert_eq!(
        listener.local_addr()?.as_abstract_name(),
        Some(name.as_bytes())
    );
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name)?;
    let (client, accepted) = anyrt::try_join!(
        async { UnixStream::connect_addr(&SocketAddr::from(address)).await },
        listener.accept(),
    )?;
    assert_eq!(
        client.peer_addr()?.as_abstract_name(),
        Some(name.as_bytes())
    );
    drop(accepted);
    Ok(())
}

#[anyrt::test]
async fn credentials_are_those_of_this_process() -> io::Result<()> {
    let (a, b) = UnixStream::pair()?;
    let peer: UCred = a.peer_cred()?;
    assert_eq!(peer, b.peer_cred()?);
    assert_eq!(peer.uid(), rustix::process::getuid().as_raw());
    assert_eq!(peer.gid(), rustix::process::getgid().as_raw());
    if let Some(pid) = peer.pid() {
        assert_eq!(pid.cast_unsigned(), std::process::id());
    }
    Ok(())
}

#[anyrt::test]
async fn owned_halves_work_in_two_tasks_and_go_together_again() -> io::Result<()> {
    let (a, mut b) = UnixStream::pair()?;
    let (mut read, mut write) = a.into_split();
    let writer = anyrt::spawn(async move {
        write.write_all(b"ping").await?;
        io::Result::Ok(write)
    });
    let mut buf = [0; 4];
    b.read_exact(&mut buf).await?;
    b.write_all(&buf).await?;
    read.read_exact(&mut buf).await?;
    assert_eq!(&buf, b"ping");
    let write = writer.await.unwrap()?;
    let (other_read, other_write) = UnixStream::pair()?.0.into_split();
    let error = write.reunite(other_read).unwrap_err();
    assert!(error.to_string().contains("not from the same socket"));
    let write = error.1;
    drop(other_write);
    let mut a = read.reunite(write).unwrap();
    a.write_all(b"!").await?;
    assert_eq!(b.read_u8().await?, b'!');
    Ok(())
}

#[anyrt::test]
async fn a_dropped_write_half_is_the_end_and_a_forgotten_one_is_not() -> io::Result<()> {
    let (a, mut b) = UnixStream::pair()?;
    let (_read, write) = a.into_split();
    drop(write);
    assert_eq!(b.read(&mut [0; 1]).await?, 0);

    let (a, mut b) = UnixStream::pair()?;
    let (read, write) = a.into_split();
    write.forget();
    assert!(b.read(&mut [0; 1]).now_or_never().is_none());
    drop(read);
    assert_eq!(b.read(&mut [0; 1]).await?, 0);
    Ok(())
}

#[anyrt::test]
async fn borrowed_halves_read_and_write_at_once() -> io::Result<()> {
    let (mut a, mut b) = UnixStream::pair()?;
    let data = vec![7; 1 << 20];
    let mut echoed = Vec::new();
    {
        let (mut read, mut write) = a.split();
        let there = async {
            write.write_all(&data).await?;
            write.shutdown().await
        };
        let back = read.read_to_end(&mut echoed);
        let echo = async {
            let (mut read, mut write) = b.split();
            anyrt::io::copy(&mut read, &mut write).await?;
            write.shutdown().await
        };
        anyrt::try_join!(there, back, echo)?;
    }
    assert_eq!(echoed, data);
    Ok(())
}

#[anyrt::test]
async fn a_fresh_pair_is_writable_and_not_readable() -> io::Result<()> {
    let (a, b) = UnixStream::pair()?;
    assert_eq!(a.try_write(b"hi")?, 2);
    let nothing = a.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    b.readable().await?;
    let mut received = Vec::with_capacity(8);
    assert_eq!(b.try_read_buf(&mut received)?, 2);
    assert_eq!(received, b"hi");
    assert!(
        b.readable()
            .now_or_never()
            .is_none_or(|ready| ready.is_ok())
    );
    Ok(())
}

#[anyrt::test]
async fn trying_until_it_would_block_moves_everything() -> io::Result<()> {
    let (a, b) = UnixStream::pair()?;
    let mut written = 0;
    loop {
        match a.try_write_vectored(&[IoSlice::new(b"hello "), IoSlice::new(b"world")]) {
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    assert!(a.writable().now_or_never().is_none());
    let mut read = 0;
    let mut buf = vec![0; 4096];
    while read < written {
        b.readable().await?;
        match b.try_read(&mut buf) {
            Ok(n) => read += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    assert_eq!(read, written);
    a.writable().await?;
    drop(b);
    let ready = a.ready(Interest::READABLE).await?;
    assert!(ready.is_read_closed());
    Ok(())
}

#[anyrt::test]
async fn own_system_calls_wait_for_readiness() -> io::Result<()> {
    let (a, b) = UnixStream::pair()?;
    let fd = a.as_fd().try_clone_to_owned()?;
    let mut buf = [0; 8];
    let receive = a.async_io(Interest::READABLE, || {
        rustix::io::read(&fd, &mut buf).map_err(io::Error::from)
    });
    let (received, ()) = anyrt::try_join!(receive, async {
        anyrt::task::yield_now().await;
        b.try_write(b"late").map(drop)
    })?;
    assert_eq!(&buf[..received], b"late");
    let write = || rustix::io::write(&fd, b"x").map_err(io::Error::from);
    a.writable().await?;
    assert_eq!(a.try_io(Interest::WRITABLE, write)?, 1);
    Ok(())
}

#[anyrt::test]
async fn sockets_come_from_and_go_to_the_standard_library() -> io::Result<()> {
    let (a, b) = std::os::unix::net::UnixStream::pair()?;
    a.set_nonblocking(true)?;
    b.set_nonblocking(true)?;
    let mut a = UnixStream::from_std(a)?;
    let mut b = UnixStream::try_from(b)?;
    a.write_all(b"x").await?;
    assert_eq!(b.read_u8().await?, b'x');
    let a = a.into_std()?;
    a.set_nonblocking(false)?;
    b.write_all(b"y").await?;
    let mut buf = [0];
    io::Read::read_exact(&mut &a, &mut buf)?;
    assert_eq!(&buf, b"y");
    Ok(())
}

#[cfg(debug_assertions)]
#[anyrt::test]
async fn a_blocking_socket_is_refused() {
    let (a, _b) = std::os::unix::net::UnixStream::pair().unwrap();
    let refused = std::panic::catch_unwind(|| UnixStream::from_std(a));
    assert!(refused.is_err());
}

#[anyrt::test]
async fn the_traits_of_futures_io_work_as_well() -> io::Result<()> {
    let (mut a, mut b) = UnixStream::pair()?;
    futures_util::io::AsyncWriteExt::write_all(&mut a, b"hello").await?;
    futures_util::io::AsyncWriteExt::close(&mut a).await?;
    let mut text = String::new();
    futures_util::io::AsyncReadExt::read_to_string(&mut b, &mut text).await?;
    assert_eq!(text, "hello");
    Ok(())
}

#[anyrt::test]
async fn datagrams_arrive_whole_with_their_sender() -> io::Result<()> {
    let (here, there) = (TempPath::new(), TempPath::new());
    let a = UnixDatagram::bind(&here)?;
    let b = UnixDatagram::bind(&there)?;
    a.send_to(b"one", &there).await?;
    a.send_to(b"three", &there).await?;
    let mut buf = [0; 16];
    let (received, from) = b.recv_from(&mut buf).await?;
    assert_eq!(&buf[..received], b"one");
    assert_eq!(from.as_pathname(), Some(here.as_ref()));
    let mut datagram = Vec::with_capacity(16);
    let (received, from) = b.recv_buf_from(&mut datagram).await?;
    assert_eq!((received, &datagram[..]), (5, &b"three"[..]));
    assert_eq!(from.as_pathname(), Some(here.as_ref()));
    let error = b.try_recv_from(&mut buf).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);

    b.connect(&here)?;
    b.send(b"four").await?;
    let mut space = [0; 16];
    let mut space = ReadBuf::new(&mut space);
    let from = poll_fn(|cx| a.poll_recv_from(cx, &mut space)).await?;
    assert_eq!(space.filled(), b"four");
    assert_eq!(from.as_pathname(), Some(there.as_ref()));
    Ok(())
}

#[anyrt::test]
async fn datagrams_wait_for_room_and_end_by_shutdown() -> io::Result<()> {
    let (a, b) = UnixDatagram::pair()?;
    let mut sent = 0;
    while a.try_send(b"x").is_ok() {
        sent += 1;
    }
    assert!(a.send(b"x").now_or_never().is_none());
    let (received, ()) = anyrt::try_join!(
        async {
            let mut received = 0;
            while received <= sent {
                b.recv(&mut [0; 1]).await?;
                received += 1;
            }
            Ok(received)
        },
        async { a.send(b"x").await.map(drop) },
    )?;
    assert_eq!(received, sent + 1);
    a.shutdown(std::net::Shutdown::Write)?;
    let error = a.send(b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    Ok(())
}

#[anyrt::test]
async fn an_unbound_socket_sends() -> io::Result<()> {
    let path = TempPath::new();
    let socket = UnixSocket::new_datagram()?;
    socket.bind(&path)?;
    let receiver = socket.datagram()?;
    UnixDatagram::unbound()?.send_to(b"x", &path).await?;
    let (received, from) = receiver.recv_from(&mut [0; 4]).await?;
    assert_eq!(received, 1);
    assert!(from.is_unnamed());
    Ok(())
}

#[anyrt::test]
async fn a_socket_becomes_what_it_was_made_for() -> io::Result<()> {
    let path = TempPath::new();
    let socket = UnixSocket::new_stream()?;
    socket.bind(&path)?;
    let listener = socket.listen(16)?;
    let connect = UnixSocket::new_stream()?.connect(&path);
    let (mut client, (mut server, _)) = anyrt::try_join!(connect, listener.accept())?;
    client.write_all(b"x").await?;
    assert_eq!(server.read_u8().await?, b'x');

    assert!(UnixSocket::new_stream()?.datagram().is_err());
    assert!(UnixSocket::new_datagram()?.listen(1).is_err());
    assert!(UnixSocket::new_datagram()?.connect(&path).await.is_err());
    Ok(())
}

#[anyrt::test]
async fn a_pipe_carries_bytes_until_its_sender_goes() -> io::Result<()> {
    let (mut sender, mut receiver) = pipe::pipe()?;
    let data = vec![3; 1 << 18];
    let copy = data.clone();
    let task = anyrt::spawn(async move { sender.write_all(&copy).await });
    let mut all = Vec::new();
    receiver.read_to_end(&mut all).await?;
    assert_eq!(all, data);
    task.await.unwrap()?;

    let (mut sender, receiver) = pipe::pipe()?;
    drop(receiver);
    let error = sender.write_all(b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    Ok(())
}

#[anyrt::test]
async fn more_slices_than_the_system_takes_do_not_fill_a_pipe() -> io::Result<()> {
    let (mut sender, mut receiver) = pipe::pipe()?;
    let task = anyrt::spawn(async move {
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).await.map(|_| all.len())
    });
    let slices = [IoSlice::new(b"x"); 3000];
    let mut written = 0;
    for _ in 0..10 {
        written += sender.write_vectored(&slices).await?;
        written += sender.write(b"y").await?;
    }
    drop(sender);
    assert_eq!(task.await.unwrap()?, written);
    Ok(())
}

#[cfg(target_os = "linux")]
#[anyrt::test]
async fn a_named_pipe_is_opened_from_both_ends() -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let path = TempPath::new();
    mknodat(CWD, &path.0, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let mut options = pipe::OpenOptions::new();
    assert!(options.open_sender(&path).is_err(), "nobody reads");
    let mut receiver = options.open_receiver(&path)?;
    let mut sender = options.open_sender(&path)?;
    sender.write_all(b"x").await?;
    assert_eq!(receiver.read_u8().await?, b'x');
    drop(receiver);
    let mut sender = options.read_write(true).open_sender(&path)?;
    sender.write_all(b"y").await?;

    let file = TempPath::new();
    std::fs::write(&file, "")?;
    let error = options.read_write(false).open_receiver(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    Ok(())
}

#[anyrt::test]
async fn a_pipe_checks_what_it_takes_over() -> io::Result<()> {
    let (read, write) = io::pipe()?;
    let error = pipe::Sender::from_owned_fd(OwnedFd::from(read)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let sender = pipe::Sender::from_owned_fd(OwnedFd::from(write))?;
    let number = sender.as_raw_fd();
    let fd = sender.into_blocking_fd()?;
    assert_eq!(fd.as_raw_fd(), number);
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
    Ok(())
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_may_move_from_task_to_task() -> io::Result<()> {
    let (mut a, mut b) = UnixStream::pair()?;
    for round in 0..20_u8 {
        a = anyrt::spawn(async move {
            a.write_u8(round).await?;
            io::Result::Ok(a)
        })
        .await
        .unwrap()?;
        b = anyrt::spawn(async move {
            assert_eq!(b.read_u8().await?, round);
            io::Result::Ok(b)
        })
        .await
        .unwrap()?;
    }
    Ok(())
}

#[anyrt::test]
async fn polling_remembers_the_last_who_asked() -> io::Result<()> {
    let (a, b) = UnixStream::pair()?;
    let waiting = poll_fn(|cx| a.poll_read_ready(cx));
    let (ready, ()) = anyrt::join!(waiting, async {
        anyrt::task::yield_now().await;
        b.try_write(b"x").unwrap();
    });
    ready?;
    poll_fn(|cx| a.poll_write_ready(cx)).await?;
    let mut buf = [0; 1];
    let mut buf = ReadBuf::new(&mut buf);
    let mut a = a;
    poll_fn(|cx| anyrt::io::AsyncRead::poll_read(Pin::new(&mut a), cx, &mut buf)).await?;
    assert_eq!(buf.filled(), b"x");
    let listener = UnixListener::bind(TempPath::new())?;
    poll_fn(|cx| {
        assert!(listener.poll_accept(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    Ok(())
}

#[test]
fn without_a_runtime_a_panic_says_what_to_do() {
    let panic = std::panic::catch_unwind(UnixStream::pair).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("anyrt"), "{message}");
}

/// Never called; compiling it is the test.
#[expect(dead_code, reason = "it is checked by compiling it")]
fn futures_are_send(stream: &UnixStream, datagram: &UnixDatagram, listener: &UnixListener) {
    fn is_send<T: Send>(_: T) {}
    is_send(stream.readable());
    is_send(stream.async_io(Interest::READABLE, || Ok(())));
    is_send(UnixStream::connect(""));
    is_send(listener.accept());
    is_send(datagram.send_to(&[], ""));
    is_send(datagram.recv_buf_from(&mut Vec::new()));
}

/// An event of a closed descriptor that a worker has taken but not reported must not reach the next
/// descriptor.
#[test]
fn a_closed_stream_never_closes_the_next_one() -> io::Result<()> {
    let rounds = std::env::var("ROUNDS").map_or(20_000, |rounds| rounds.parse().unwrap());
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let _current = runtime.enter();
    for round in 0..rounds {
        let (closed, peer) = UnixStream::pair()?;
        // The hang-up is an event for a worker.
        drop(peer);
        for _ in 0..round % 200 {
            spin_loop();
        }
        drop(closed);
        let (live, _peer) = UnixStream::pair()?;
        if let Some(ready) = live.ready(Interest::READABLE).now_or_never() {
            assert!(!ready?.is_read_closed(), "in round {round}");
        }
    }
    Ok(())
}

#[anyrt::test]
async fn sockets_are_made_of_the_number_of_a_descriptor() -> io::Result<()> {
    use std::os::fd::{FromRawFd, IntoRawFd};

    let of_number = |socket: UnixSocket| {
        // SAFETY: the descriptor was released by `into_raw_fd` for this.
        unsafe { UnixSocket::from_raw_fd(socket.into_raw_fd()) }
    };
    let datagrams = of_number(UnixSocket::new_datagram()?);
    assert!(datagrams.datagram().is_ok());
    let stream = of_number(UnixSocket::new_stream()?);
    assert!(stream.datagram().is_err(), "it is none of datagrams");
    let socket = anyrt::net::TcpSocket::new_v4()?;
    // SAFETY: as above.
    let socket = unsafe { anyrt::net::TcpSocket::from_raw_fd(socket.into_raw_fd()) };
    socket.bind((std::net::Ipv4Addr::LOCALHOST, 0).into())?;
    assert!(socket.listen(1)?.local_addr()?.port() > 0);
    Ok(())
}
