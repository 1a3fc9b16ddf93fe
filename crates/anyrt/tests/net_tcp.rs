//! TCP with Tokio's semantics, on each backend.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use anyrt::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use anyrt::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
use anyrt::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use anyrt::task::yield_now;
use futures_util::FutureExt;

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (client, accepted) = anyrt::try_join!(TcpStream::connect(address), listener.accept())?;
    Ok((client, accepted.0))
}

fn would_block<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[anyrt::test(flavor = "multi_thread")]
async fn readiness_tells_when_to_try() -> io::Result<()> {
    let (client, server) = pair().await?;
    let mut buf = [0; 16];
    assert!(would_block(server.try_read(&mut buf)));
    assert!(server.readable().now_or_never().is_none());

    client.writable().await?;
    assert_eq!(client.try_write(b"hello")?, 5);
    server.readable().await?;
    assert_eq!(server.try_read(&mut buf)?, 5);
    assert_eq!(&buf[..5], b"hello");
    assert!(would_block(server.try_read(&mut buf)));

    poll_fn(|cx| client.poll_write_ready(cx)).await?;
    let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cde")];
    assert_eq!(client.try_write_vectored(&slices)?, 5);
    poll_fn(|cx| server.poll_read_ready(cx)).await?;
    let (mut one, mut two) = ([0; 3], [0; 3]);
    let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
    assert_eq!(server.try_read_vectored(&mut slices)?, 5);
    assert_eq!((&one, &two[..2]), (b"abc", &b"de"[..]));

    client.writable().await?;
    assert_eq!(client.try_write(b"into a vector")?, 13);
    server.readable().await?;
    let mut vector = Vec::with_capacity(64);
    assert_eq!(server.try_read_buf(&mut vector)?, 13);
    assert_eq!(vector, b"into a vector");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn of_more_slices_than_the_system_takes_the_first_are_used() -> io::Result<()> {
    const MORE: usize = 3000;
    let (client, mut server) = pair().await?;
    let data: Vec<u8> = (0..=250).cycle().take(MORE).collect();
    let slices: Vec<_> = data.chunks(1).map(IoSlice::new).collect();
    client.writable().await?;
    let written = client.try_write_vectored(&slices)?;
    let mut received = vec![0; written];
    server.read_exact(&mut received).await?;
    assert_eq!(received, data[..written]);

    let mut client = client;
    client.write_all(&data).await?;
    drop(client);
    let mut received = Vec::new();
    loop {
        server.readable().await?;
        let mut room = vec![0; MORE];
        let mut slices: Vec<_> = room.chunks_mut(1).map(IoSliceMut::new).collect();
        match server.try_read_vectored(&mut slices) {
            Ok(0) => break,
            Ok(len) => received.extend_from_slice(&room[..len]),
            result => assert!(would_block(result)),
        }
    }
    assert!(received == data);
    Ok(())
}

/// Clearing a buffer of many kilobytes for each small read would cost more than the read.
#[anyrt::test(flavor = "multi_thread")]
async fn a_read_initializes_no_more_than_it_has_read() -> io::Result<()> {
    async fn check(
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut TcpStream,
    ) -> io::Result<()> {
        let mut memory = [const { MaybeUninit::uninit() }; 64 * 1024];
        let mut buf = ReadBuf::uninit(&mut memory);
        for (word, sum) in [(&b"one"[..], 3), (b"three", 8)] {
            writer.write_all(word).await?;
            poll_fn(|cx| Pin::new(&mut *reader).poll_read(cx, &mut buf)).await?;
            assert!(buf.filled().ends_with(word));
            assert_eq!(buf.initialized().len(), sum);
        }
        Ok(())
    }

    let (mut client, mut server) = pair().await?;
    check(&mut server, &mut client).await?;
    check(&mut server.split().0, &mut client).await?;
    check(&mut server.into_split().0, &mut client).await
}

#[anyrt::test(flavor = "multi_thread")]
async fn the_end_of_the_stream_is_readiness() -> io::Result<()> {
    let (client, server) = pair().await?;
    let both = Interest::READABLE | Interest::WRITABLE;
    let ready = client.ready(both).await?;
    assert!(ready.is_writable() && !ready.is_readable());
    drop(server);
    loop {
        let ready = client.ready(Interest::READABLE).await?;
        if ready.is_read_closed() {
            break;
        }
        yield_now().await;
    }
    assert_eq!(client.try_read(&mut [0; 4])?, 0);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn room_to_write_comes_back_when_the_peer_has_read() -> io::Result<()> {
    let (client, server) = pair().await?;
    let chunk = vec![7; 65_536];
    let mut sent = 0;
    client.writable().await?;
    loop {
        match client.try_write(&chunk) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    assert!(client.writable().now_or_never().is_none());
    let reader = anyrt::spawn(async move {
        let mut received = 0;
        let mut buf = vec![0; 65_536];
        while received < sent {
            server.readable().await?;
            match server.try_read(&mut buf) {
                Ok(n) => received += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(server)
    });
    client.writable().await?;
    reader.await??;
    Ok(())
}

#[cfg(unix)]
#[anyrt::test(flavor = "multi_thread")]
async fn operations_of_one_s_own_are_run_when_it_is_ready() -> io::Result<()> {
    use socket2::SockRef;

    let (client, server) = pair().await?;
    let none = server.try_io(Interest::READABLE, || {
        (&mut &*SockRef::from(&server)).read(&mut [0; 4])
    });
    assert!(would_block(none));
    let mut buf = [0; 4];
    let read = server.async_io(Interest::READABLE, || {
        (&mut &*SockRef::from(&server)).read(&mut buf)
    });
    let write = client.async_io(Interest::WRITABLE, || {
        (&mut &*SockRef::from(&client)).write(b"ping")
    });
    assert_eq!(anyrt::try_join!(read, write)?, (4, 4));
    assert_eq!(&buf, b"ping");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn peeking_takes_nothing() -> io::Result<()> {
    let (mut client, mut server) = pair().await?;
    let mut memory = [0; 8];
    let mut buf = ReadBuf::new(&mut memory);
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(server.poll_peek(cx, &mut buf).is_pending());
    client.write_all(b"abc").await?;
    assert_eq!(poll_fn(|cx| server.poll_peek(cx, &mut buf)).await?, 3);
    assert_eq!(buf.filled(), b"abc");
    let mut some = [0; 2];
    assert_eq!(server.peek(&mut some).await?, 2);
    {
        let (mut read, _write) = server.split();
        assert_eq!(read.peek(&mut some).await?, 2);
        let mut buf = ReadBuf::new(&mut memory);
        assert_eq!(poll_fn(|cx| read.poll_peek(cx, &mut buf)).await?, 3);
    }
    assert_eq!(server.read(&mut memory).await?, 3);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn borrowed_halves_work_at_the_same_time() -> io::Result<()> {
    let (mut client, mut server) = pair().await?;
    {
        let (mut read, mut write): (ReadHalf<'_>, WriteHalf<'_>) = client.split();
        let (mut peer_read, mut peer_write) = server.split();
        assert_eq!(read.peer_addr()?, peer_write.local_addr()?);
        assert_eq!(write.local_addr()?, peer_read.peer_addr()?);
        assert!(!read.as_ref().nodelay()? && !write.as_ref().nodelay()?);
        let ping = async {
            write.write_all(b"ping").await?;
            let mut pong = [0; 4];
            read.read_exact(&mut pong).await?;
            io::Result::Ok(pong)
        };
        let pong = async {
            let mut ping = [0; 4];
            peer_read.read_exact(&mut ping).await?;
            let pong = [IoSlice::new(b"po"), IoSlice::new(b"ng")];
            assert_eq!(peer_write.write_vectored(&pong).await?, 4);
            io::Result::Ok(ping)
        };
        let (pong, ping) = anyrt::try_join!(ping, pong)?;
        assert_eq!((&pong, &ping), (b"pong", b"ping"));

        assert!(write.ready(Interest::WRITABLE).await?.is_writable());
        write.writable().await?;
        assert_eq!(write.try_write(b"a")?, 1);
        assert_eq!(write.try_write_vectored(&[IoSlice::new(b"bc")])?, 2);
        let mut got = Vec::with_capacity(8);
        while got.len() < 3 {
            peer_read.readable().await?;
            match peer_read.try_read_buf(&mut got) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => assert_ne!(read?, 0),
            }
        }
        assert_eq!(got, b"abc");
        assert!(would_block(peer_read.try_read(&mut [0; 4])));
        let mut memory = [0; 4];
        let mut slices = [IoSliceMut::new(&mut memory)];
        assert!(would_block(peer_read.try_read_vectored(&mut slices)));
        write.shutdown().await?;
        peer_read.ready(Interest::READABLE).await?;
        assert_eq!(peer_read.read(&mut [0; 4]).await?, 0, "FIN");
    }
    // Dropping borrowed halves has no effect, and this direction is still open.
    server.write_all(b"!").await?;
    assert_eq!(client.read_u8().await?, b'!');
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn owned_halves_have_the_methods_of_the_stream() -> io::Result<()> {
    let (client, server) = pair().await?;
    let (read, write): (OwnedReadHalf, OwnedWriteHalf) = client.into_split();
    let (mut peer_read, mut peer_write) = server.into_split();
    assert_eq!(read.local_addr()?, peer_write.peer_addr()?);
    assert_eq!(write.peer_addr()?, peer_read.local_addr()?);
    read.as_ref().set_nodelay(true)?;
    assert!(write.as_ref().nodelay()?);
    assert!(write.ready(Interest::WRITABLE).await?.is_writable());
    write.writable().await?;
    assert_eq!(write.try_write(b"ab")?, 2);
    assert_eq!(write.try_write_vectored(&[IoSlice::new(b"c")])?, 1);
    let mut memory = [0; 8];
    while peer_read.peek(&mut memory).await? < 3 {
        yield_now().await;
    }
    let mut buf = ReadBuf::new(&mut memory);
    assert_eq!(poll_fn(|cx| peer_read.poll_peek(cx, &mut buf)).await?, 3);
    peer_read.readable().await?;
    assert!(peer_read.ready(Interest::READABLE).await?.is_readable());
    assert_eq!(peer_read.try_read(&mut memory[..1])?, 1);
    let mut slices = [IoSliceMut::new(&mut memory[..1])];
    assert_eq!(peer_read.try_read_vectored(&mut slices)?, 1);
    let mut rest = Vec::with_capacity(4);
    assert_eq!(peer_read.try_read_buf(&mut rest)?, 1);
    assert_eq!(rest, b"c");

    let ReuniteError(read, peer_write_back) = read.reunite(peer_write).unwrap_err();
    peer_write = peer_write_back;
    let mut client = write.reunite(read).unwrap();
    // A half that was forgotten sends no FIN.
    peer_write.write_all(b"x").await?;
    peer_write.forget();
    assert_eq!(client.read_u8().await?, b'x');
    assert!(would_block(client.try_read(&mut [0; 1])));
    let (_read, mut write) = client.into_split();
    write.shutdown().await?;
    assert_eq!(peer_read.read(&mut [0; 4]).await?, 0);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_busy_reader_of_a_half_starves_no_timer() -> io::Result<()> {
    let (client, server) = pair().await?;
    let (_read, mut write) = client.into_split();
    let (mut read, _write) = server.into_split();
    let talker = anyrt::spawn(async move { while write.write_all(&[1; 4096]).await.is_ok() {} });
    let busy = anyrt::spawn(async move { while read.read(&mut [0; 1]).await.is_ok() {} });
    anyrt::time::sleep(Duration::from_millis(5)).await;
    busy.abort();
    talker.abort();
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn long_transfers_through_halves_are_complete() -> io::Result<()> {
    const LENGTH: usize = 1 << 20;
    let (client, server) = pair().await?;
    let (_read, mut write) = client.into_split();
    let (mut read, _write) = server.into_split();
    let sender = anyrt::spawn(async move {
        let data: Vec<u8> = (0..LENGTH).map(|n| (n % 251) as u8).collect();
        write.write_all(&data).await
    });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await?;
    sender.await??;
    assert_eq!(received.len(), LENGTH);
    let ok = received
        .iter()
        .enumerate()
        .all(|(n, &byte)| byte == (n % 251) as u8);
    assert!(ok, "in order");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn listeners_are_polled_and_have_options() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    listener.set_ttl(61)?;
    assert_eq!(listener.ttl()?, 61);
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(listener.poll_accept(cx).is_pending());
    let address = listener.local_addr()?;
    let accept = poll_fn(|cx| listener.poll_accept(cx));
    let (client, (server, peer)) = anyrt::try_join!(TcpStream::connect(address), accept)?;
    assert_eq!(
        (client.local_addr()?, server.local_addr()?),
        (peer, address)
    );
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd, AsRawFd};
        assert_eq!(listener.as_fd().as_raw_fd(), listener.as_raw_fd());
        assert_eq!(server.as_fd().as_raw_fd(), server.as_raw_fd());
    }
    // There and back.
    let listener = TcpListener::try_from(listener.into_std()?)?;
    assert_eq!(listener.local_addr()?, address);
    let (_client, _accepted) = anyrt::try_join!(TcpStream::connect(address), listener.accept())?;
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn streams_have_options_and_go_to_std_and_back() -> io::Result<()> {
    let (mut client, server) = pair().await?;
    client.set_nodelay(true)?;
    assert!(client.nodelay()?);
    client.set_ttl(63)?;
    assert_eq!(client.ttl()?, 63);
    assert_eq!(client.linger()?, None);
    #[expect(deprecated, reason = "it is tested, too")]
    client.set_linger(Some(Duration::from_secs(1)))?;
    assert_eq!(client.linger()?, Some(Duration::from_secs(1)));
    client.set_zero_linger()?;
    assert_eq!(client.linger()?, Some(Duration::ZERO));
    #[expect(deprecated, reason = "it is tested, too")]
    client.set_linger(None)?;
    #[cfg(target_os = "linux")]
    {
        client.set_quickack(true)?;
        assert!(client.quickack()?);
    }
    assert!(client.take_error()?.is_none());
    let address = AsRef::<TcpStream>::as_ref(&client).local_addr()?;

    // After a wait for readiness, so that it is registered.
    server.readable().now_or_never();
    client.write_all(b"before").await?;
    let mut std_server = server.into_std()?;
    std_server.set_nonblocking(false)?;
    let mut buf = [0; 6];
    std_server.read_exact(&mut buf)?;
    std_server.set_nonblocking(true)?;
    let mut server = TcpStream::try_from(std_server)?;
    assert_eq!(server.peer_addr()?, address);
    client.write_all(b"after").await?;
    server.readable().await?;
    server.read_exact(&mut buf[..5]).await?;
    assert_eq!(&buf[..5], b"after");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn closing_with_zero_linger_resets_the_connection() -> io::Result<()> {
    let (client, mut server) = pair().await?;
    client.set_zero_linger()?;
    drop(client);
    let error = server.read(&mut [0; 4]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn sockets_take_options_before_they_connect_or_listen() -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    assert!(socket.reuseaddr()?);
    socket.set_keepalive(true)?;
    assert!(socket.keepalive()?);
    socket.set_nodelay(true)?;
    assert!(socket.nodelay()?);
    socket.set_send_buffer_size(64 * 1024)?;
    assert!(socket.send_buffer_size()? >= 64 * 1024);
    socket.set_recv_buffer_size(64 * 1024)?;
    assert!(socket.recv_buffer_size()? >= 64 * 1024);
    socket.set_zero_linger()?;
    assert_eq!(socket.linger()?, Some(Duration::ZERO));
    #[expect(deprecated, reason = "it is tested, too")]
    socket.set_linger(None)?;
    socket.set_tos_v4(0x10)?;
    assert_eq!(socket.tos_v4()?, 0x10);
    assert!(socket.take_error()?.is_none());
    #[cfg(target_os = "linux")]
    {
        socket.set_reuseport(true)?;
        assert!(socket.reuseport()?);
        assert_eq!(socket.device()?, None);
        let v6 = TcpSocket::new_v6()?;
        v6.set_tclass_v6(0x20)?;
        assert_eq!(v6.tclass_v6()?, 0x20);
    }
    socket.bind("127.0.0.1:0".parse().unwrap())?;
    let address = socket.local_addr()?;
    let listener = socket.listen(16)?;
    assert_eq!(listener.local_addr()?, address);

    let connecting = TcpSocket::new_v4()?.connect(address);
    let (mut client, (mut server, _)) = anyrt::try_join!(connecting, listener.accept())?;
    client.write_all(b"x").await?;
    assert_eq!(server.read_u8().await?, b'x');

    drop(listener);
    let error = TcpSocket::new_v4()?.connect(address).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let std = std::net::TcpStream::connect(listener.local_addr()?)?;
    let expected = std.local_addr()?;
    assert_eq!(TcpSocket::from_std_stream(std).local_addr()?, expected);
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
        let socket = TcpSocket::new_v4()?;
        let number = socket.as_raw_fd();
        assert_eq!(socket.as_fd().as_raw_fd(), number);
        let owned: OwnedFd = std::net::TcpStream::connect(listener.local_addr()?)?.into();
        let number = owned.as_raw_fd();
        assert_eq!(TcpSocket::from(owned).into_raw_fd(), number);
    }
    Ok(())
}

#[anyrt::test]
async fn all_kinds_of_addresses_are_addresses() -> io::Result<()> {
    async fn port_of<A: ToSocketAddrs>(address: A) -> io::Result<u16> {
        Ok(lookup_host(address).await?.next().unwrap().port())
    }
    let v4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7);
    let v6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 7, 0, 0);
    let any = SocketAddr::V4(v4);
    assert_eq!(port_of("127.0.0.1:7").await?, 7);
    assert_eq!(port_of(String::from("localhost:7")).await?, 7);
    assert_eq!(port_of(&String::from("[::1]:7")).await?, 7);
    assert_eq!(port_of(("localhost", 7)).await?, 7);
    assert_eq!(port_of((String::from("127.0.0.1"), 7)).await?, 7);
    assert_eq!(port_of((IpAddr::from([127, 0, 0, 1]), 7)).await?, 7);
    assert_eq!(port_of((Ipv4Addr::LOCALHOST, 7)).await?, 7);
    assert_eq!(port_of((Ipv6Addr::LOCALHOST, 7)).await?, 7);
    assert_eq!(port_of(v4).await?, 7);
    assert_eq!(port_of(v6).await?, 7);
    assert_eq!(port_of(any).await?, 7);
    assert_eq!(port_of(&any).await?, 7);
    assert_eq!(port_of(&[any][..]).await?, 7);
    let none: &[SocketAddr] = &[];
    let error = TcpStream::connect(none).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    Ok(())
}

#[test]
fn a_blocking_socket_is_refused_where_the_caller_is() {
    let refused = std::panic::catch_unwind(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        TcpListener::from_std(listener)
    });
    let message = *refused.unwrap_err().downcast::<&str>().unwrap();
    assert!(message.contains("blocking socket"), "{message}");
}

#[anyrt::test(flavor = "multi_thread")]
async fn two_tasks_wait_for_readiness_and_one_gets_the_data() -> io::Result<()> {
    let (mut client, server) = pair().await?;
    let server = std::sync::Arc::new(server);
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let server = std::sync::Arc::clone(&server);
        tasks.push(anyrt::spawn(async move {
            let mut byte = [0; 1];
            loop {
                server.readable().await?;
                match server.try_read(&mut byte) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        }));
    }
    for _ in 0..2 {
        yield_now().await;
        client.write_all(b"x").await?;
    }
    for task in tasks {
        assert_eq!(task.await??, 1);
    }
    Ok(())
}

#[test]
fn futures_and_types_are_send_and_sync_as_tokio_s() {
    fn both<T: Send + Sync + Unpin>() {}
    fn send<T: Send>(_: impl FnOnce(&'static TcpStream) -> T) {}
    both::<TcpSocket>();
    both::<ReadHalf<'_>>();
    both::<WriteHalf<'_>>();
    both::<ReuniteError>();
    send(|stream| stream.ready(Interest::READABLE));
    send(|stream| stream.readable());
    send(|stream| stream.async_io(Interest::READABLE, || Ok(())));
}
