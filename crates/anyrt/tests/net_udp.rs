//! UDP with Tokio's semantics, on each backend.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Waker};

use anyrt::io::{Interest, ReadBuf};
use anyrt::net::UdpSocket;
use futures_util::FutureExt;

async fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let one = UdpSocket::bind("127.0.0.1:0").await?;
    let two = UdpSocket::bind(("127.0.0.1", 0)).await?;
    one.connect(two.local_addr()?).await?;
    two.connect(one.local_addr()?).await?;
    Ok((one, two))
}

fn would_block<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[anyrt::test(flavor = "multi_thread")]
async fn readiness_tells_when_to_try() -> io::Result<()> {
    let (one, two) = pair().await?;
    let from = one.local_addr()?;
    let mut buf = [0; 16];
    assert!(would_block(two.try_recv(&mut buf)));
    assert!(two.readable().now_or_never().is_none());
    let ready = one.ready(Interest::READABLE | Interest::WRITABLE).await?;
    assert!(ready.is_writable() && !ready.is_readable());

    one.writable().await?;
    assert_eq!(one.try_send(b"one")?, 3);
    two.readable().await?;
    assert_eq!(two.try_peek(&mut buf)?, 3);
    assert_eq!(two.try_peek_from(&mut buf)?, (3, from));
    assert_eq!(two.try_peek_sender()?, from);
    assert_eq!(two.try_recv(&mut buf)?, 3);
    assert!(would_block(two.try_recv(&mut buf)));

    poll_fn(|cx| one.poll_send_ready(cx)).await?;
    assert_eq!(one.try_send(b"three")?, 5);
    poll_fn(|cx| two.poll_recv_ready(cx)).await?;
    assert_eq!(two.try_recv_from(&mut buf)?, (5, from));
    assert_eq!(&buf[..5], b"three");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_datagram_is_taken_also_without_room_for_it() -> io::Result<()> {
    let (one, two) = pair().await?;
    let mut none: &mut [u8] = &mut [];
    assert!(two.recv_buf(&mut none).now_or_never().is_none());
    for round in 0..2 {
        one.send(b"cut off").await?;
        match round {
            0 => assert_eq!(two.recv_buf(&mut none).await?, 0),
            _ => {
                two.readable().await?;
                assert_eq!(two.try_recv_buf(&mut none)?, 0);
            }
        }
    }
    one.send(b"next").await?;
    let mut buf = [0; 16];
    assert_eq!(two.recv(&mut buf).await?, 4);
    assert_eq!(&buf[..4], b"next");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn buffers_are_advanced_by_a_datagram() -> io::Result<()> {
    let (one, two) = pair().await?;
    let from = one.local_addr()?;
    let mut buf = Vec::with_capacity(64);
    assert!(would_block(two.try_recv_buf(&mut buf)));
    one.send(b"ab").await?;
    two.readable().await?;
    assert_eq!(two.try_recv_buf(&mut buf)?, 2);
    one.send(b"cd").await?;
    two.readable().await?;
    assert_eq!(two.try_recv_buf_from(&mut buf)?, (2, from));
    let (received, _) = anyrt::try_join!(two.recv_buf(&mut buf), one.send(b"ef"))?;
    assert_eq!(received, 2);
    let (received, _) = anyrt::try_join!(two.recv_buf_from(&mut buf), one.send(b"gh"))?;
    assert_eq!(received, (2, from));
    assert_eq!(buf, b"abcdefgh");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn datagrams_are_polled() -> io::Result<()> {
    let (one, two) = pair().await?;
    let (from, to) = (one.local_addr()?, two.local_addr()?);
    let mut memory = [0; 16];
    let cx = &mut Context::from_waker(Waker::noop());
    let mut buf = ReadBuf::new(&mut memory);
    assert!(two.poll_recv(cx, &mut buf).is_pending());
    assert!(two.poll_recv_from(cx, &mut buf).is_pending());
    assert!(two.poll_peek(cx, &mut buf).is_pending());
    assert!(two.poll_peek_from(cx, &mut buf).is_pending());
    assert!(two.poll_peek_sender(cx).is_pending());

    assert_eq!(poll_fn(|cx| one.poll_send(cx, b"abc")).await?, 3);
    assert_eq!(poll_fn(|cx| two.poll_peek_sender(cx)).await?, from);
    poll_fn(|cx| two.poll_peek(cx, &mut buf)).await?;
    assert_eq!(buf.filled(), b"abc");
    buf.clear();
    assert_eq!(poll_fn(|cx| two.poll_peek_from(cx, &mut buf)).await?, from);
    poll_fn(|cx| two.poll_recv(cx, &mut buf)).await?;
    assert_eq!(buf.filled(), b"abcabc");

    let free = UdpSocket::bind("127.0.0.1:0").await?;
    let other = UdpSocket::bind("127.0.0.1:0").await?;
    let target = other.local_addr()?;
    assert_eq!(poll_fn(|cx| free.poll_send_to(cx, b"x", target)).await?, 1);
    buf.clear();
    let sender = poll_fn(|cx| other.poll_recv_from(cx, &mut buf)).await?;
    assert_eq!((sender, buf.filled()), (free.local_addr()?, &b"x"[..]));
    free.writable().await?;
    assert_eq!(free.try_send_to(b"yz", target)?, 2);
    assert_eq!(other.peek_sender().await?, free.local_addr()?);
    let mut buf = [0; 4];
    assert_eq!(other.peek(&mut buf).await?, 2);
    assert_eq!(other.peek_from(&mut buf).await?, (2, free.local_addr()?));
    assert_eq!(other.recv_from(&mut buf).await?, (2, free.local_addr()?));
    assert_eq!(two.local_addr()?, to);
    Ok(())
}

#[cfg(unix)]
#[anyrt::test(flavor = "multi_thread")]
async fn operations_of_one_s_own_are_run_when_it_is_ready() -> io::Result<()> {
    use std::io::{Read, Write};

    use socket2::SockRef;

    let (one, two) = pair().await?;
    let none = two.try_io(Interest::READABLE, || {
        (&mut &*SockRef::from(&two)).read(&mut [0; 4])
    });
    assert!(would_block(none));
    let mut buf = [0; 4];
    let receive = two.async_io(Interest::READABLE, || {
        (&mut &*SockRef::from(&two)).read(&mut buf)
    });
    let send = one.async_io(Interest::WRITABLE, || {
        (&mut &*SockRef::from(&one)).write(b"ping")
    });
    assert_eq!(anyrt::try_join!(receive, send)?, (4, 4));
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn one_socket_is_shared_by_a_sender_and_a_receiver() -> io::Result<()> {
    let (one, two) = pair().await?;
    let echo = Arc::new(two);
    let server = anyrt::spawn(async move {
        let mut buf = [0; 16];
        for _ in 0..100 {
            let (len, from) = echo.recv_from(&mut buf).await?;
            echo.send_to(&buf[..len], from).await?;
        }
        io::Result::Ok(())
    });
    let client = Arc::new(one);
    let receiver = Arc::clone(&client);
    let receiver = anyrt::spawn(async move {
        let mut buf = [0; 16];
        for n in 0..100_u8 {
            loop {
                receiver.readable().await?;
                match receiver.try_recv(&mut buf) {
                    Ok(len) => {
                        assert_eq!(&buf[..len], [n]);
                        break;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    });
    for n in 0..100 {
        client.send(&[n]).await?;
        if n % 8 == 7 {
            anyrt::task::yield_now().await;
        }
    }
    server.await??;
    receiver.await?
}

#[anyrt::test(flavor = "multi_thread")]
async fn options_are_those_of_the_system() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.set_broadcast(true)?;
    assert!(socket.broadcast()?);
    socket.set_multicast_loop_v4(false)?;
    assert!(!socket.multicast_loop_v4()?);
    socket.set_multicast_ttl_v4(3)?;
    assert_eq!(socket.multicast_ttl_v4()?, 3);
    socket.set_ttl(33)?;
    assert_eq!(socket.ttl()?, 33);
    socket.set_tos_v4(0x10)?;
    assert_eq!(socket.tos_v4()?, 0x10);
    assert!(socket.take_error()?.is_none());
    #[cfg(target_os = "linux")]
    {
        assert_eq!(socket.device()?, None);
        let v6 = UdpSocket::bind("[::1]:0").await?;
        v6.set_tclass_v6(0x20)?;
        assert_eq!(v6.tclass_v6()?, 0x20);
        v6.set_multicast_loop_v6(false)?;
        assert!(!v6.multicast_loop_v6()?);
    }
    let group = Ipv4Addr::new(239, 1, 2, 3);
    let member = UdpSocket::bind("0.0.0.0:0").await?;
    match member.join_multicast_v4(group, Ipv4Addr::LOCALHOST) {
        Ok(()) => member.leave_multicast_v4(group, Ipv4Addr::LOCALHOST)?,
        // Without a network leaving fails as well.
        Err(_) => assert!(
            member
                .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
                .is_err()
        ),
    }
    let group = "ff02::1:2:3".parse().unwrap();
    let member = UdpSocket::bind("[::]:0").await?;
    match member.join_multicast_v6(&group, 0) {
        Ok(()) => member.leave_multicast_v6(&group, 0)?,
        Err(_) => assert!(member.leave_multicast_v6(&group, 0).is_err()),
    }
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn sockets_go_to_std_and_back() -> io::Result<()> {
    let (one, two) = pair().await?;
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd, AsRawFd};
        assert_eq!(one.as_fd().as_raw_fd(), one.as_raw_fd());
    }
    two.readable().now_or_never();
    let std = two.into_std()?;
    one.send(b"ping").await?;
    std.set_nonblocking(false)?;
    let mut buf = [0; 8];
    assert_eq!(std.recv(&mut buf)?, 4);
    std.set_nonblocking(true)?;
    let two = UdpSocket::try_from(std)?;
    one.send(b"again").await?;
    two.readable().await?;
    assert_eq!(two.recv(&mut buf).await?, 5);
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_refusal_is_an_error_of_who_receives() -> io::Result<()> {
    let gone = UdpSocket::bind("127.0.0.1:0").await?.local_addr()?;
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(gone).await?;
    socket.send(b"anybody?").await?;
    let error = socket.recv(&mut [0; 4]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    socket.send(b"anybody?").await?;
    let error = socket.peek_from(&mut [0; 4]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    Ok(())
}

#[anyrt::test]
async fn connecting_tries_each_address() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let peer = UdpSocket::bind("127.0.0.1:0").await?.local_addr()?;
    // It cannot connect to an address of the other family.
    let addresses: [SocketAddr; 2] = ["[::1]:1".parse().unwrap(), peer];
    socket.connect(&addresses[..]).await?;
    assert_eq!(socket.peer_addr()?, peer);
    let none: &[SocketAddr] = &[];
    let error = socket.connect(none).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    Ok(())
}

#[test]
fn a_blocking_socket_is_refused() {
    let refused = std::panic::catch_unwind(|| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        UdpSocket::from_std(socket)
    });
    assert!(refused.is_err());
}
