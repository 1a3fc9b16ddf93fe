//! TCP streams: every byte arrives, the end is seen, errors keep their kind.

use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv6Addr, Shutdown, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use anyrt_core::net::{FromStd, TcpListener, TcpStream};
use anyrt_core::runtime::Runtime;
use futures_util::future::join;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::peer::{
    arrived, assert_bytes, bytes, dropped, narrow_pair, pair, start_peer, there, with_peer,
};
use crate::case::cases;
use crate::{Gate, poll_once, watchdog};

cases! {
    from_std {
        async a_writer_waits_until_the_peer_reads;
    }
    async one_byte_is_echoed;
    async one_kilobyte_is_echoed;
    async eight_megabytes_are_echoed_while_they_are_sent;
    async a_thousand_round_trips_stay_in_step;
    async a_waiting_read_is_woken_by_data;
    async close_sends_the_end_and_reading_goes_on;
    async writing_goes_on_after_the_peer_has_closed_its_side;
    async dropping_a_stream_sends_the_end;
    async all_that_was_written_before_the_drop_arrives;
    async dropping_a_stream_that_waits_in_a_task_sends_the_end;
    async dropping_a_stream_with_unread_data_does_not_leave_the_peer_waiting;
    async reading_after_the_end_gives_zero_again;
    async a_reset_is_an_error_of_read_with_kind_and_errno;
    async writing_to_a_reset_connection_is_an_error;
    async a_vectored_write_sends_all_slices_at_once;
    async a_vectored_read_fills_the_buffers_in_order;
    async a_vectored_write_of_more_slices_than_the_system_takes_is_no_full_stream;
    async a_vectored_read_into_more_buffers_than_the_system_takes_leaves_the_rest;
    async an_empty_read_takes_nothing;
    async an_empty_write_sends_nothing_and_is_no_end;
    async peeking_takes_nothing;
    async nodelay_is_off_until_it_is_set;
    async the_two_sides_agree_on_their_addresses;
    async shutdown_of_writing_sends_the_end_at_once;
    async shutdown_of_reading_ends_reading;
    async shutdown_of_both_ends_both;
    async ipv6_works_where_the_system_has_it;
}

async fn one_byte_is_echoed<R: Runtime>(rt: R) {
    echo(rt, 1).await;
}

async fn one_kilobyte_is_echoed<R: Runtime>(rt: R) {
    echo(rt, 1024).await;
}

async fn eight_megabytes_are_echoed_while_they_are_sent<R: Runtime>(rt: R) {
    echo(rt, 8 * 1024 * 1024).await;
}

/// Sends `length` bytes through a server task and checks the echo, both at the same time.
async fn echo<R: Runtime>(rt: R, length: usize) {
    let (client, server) = pair(&rt).await;
    let server = rt.spawn(async move {
        let (mut read, mut write) = server.into_split();
        copy(&mut read, &mut write).await
    });
    let (mut read, mut write) = client.into_split();
    let sender = rt.spawn(async move {
        for offset in (0..length).step_by(64 * 1024) {
            let chunk = bytes(offset, (length - offset).min(64 * 1024));
            write.write_all(&chunk).await.unwrap();
        }
        write.close().await.unwrap();
    });
    // Not `read_to_end`, which in a debug build fills the buffer byte by byte: 94 % of the time of
    // the long case.
    let (mut buffer, mut received) = (vec![0; 64 * 1024], 0);
    loop {
        let n = read.read(&mut buffer).await.unwrap();
        if n == 0 {
            break;
        }
        assert_bytes(&buffer[..n], received);
        received += n;
    }
    assert_eq!(received, length);
    sender.await.unwrap();
    assert_eq!(server.await.unwrap(), length);
}

/// Copies to the end and closes. Returns the number of bytes.
async fn copy<A: AsyncRead + Unpin, B: AsyncWrite + Unpin>(read: &mut A, write: &mut B) -> usize {
    let mut buffer = vec![0; 16 * 1024];
    let mut total = 0;
    loop {
        let n = read.read(&mut buffer).await.unwrap();
        if n == 0 {
            break;
        }
        write.write_all(&buffer[..n]).await.unwrap();
        total += n;
    }
    write.close().await.unwrap();
    total
}

async fn a_thousand_round_trips_stay_in_step<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move { peer.echo().await });
    for round in 0..1000_u32 {
        stream.write_all(&round.to_be_bytes()).await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(u32::from_be_bytes(answer), round);
    }
    drop(stream);
    peer.join().await;
}

async fn a_waiting_read_is_woken_by_data<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let waits = Gate::new();
    let waiting = waits.clone();
    let peer = start_peer(async move {
        waiting.wait().await;
        peer.write_all(b"late").await.unwrap();
        peer
    });
    let mut buffer = [0; 16];
    let mut read = stream.read(&mut buffer);
    assert!(
        poll_once(&mut read).await.is_pending(),
        "nothing was sent yet"
    );
    waits.open();
    assert_eq!(read.await.unwrap(), 4);
    assert_eq!(&buffer[..4], b"late");
    drop(peer.join().await);
}

async fn close_sends_the_end_and_reading_goes_on<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move {
        assert_eq!(peer.all().await, b"question");
        peer.write_all(b"answer").await.unwrap();
    });
    stream.write_all(b"question").await.unwrap();
    stream.close().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
    peer.join().await;
}

async fn writing_goes_on_after_the_peer_has_closed_its_side<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    peer.write_all(b"all").await.unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"all");

    let peer = start_peer(async move { peer.all().await });
    let sent = bytes(0, 100_000);
    stream.write_all(&sent).await.unwrap();
    stream.close().await.unwrap();
    assert_eq!(peer.join().await, sent);
}

async fn dropping_a_stream_sends_the_end<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    stream.write_all(b"last words").await.unwrap();
    drop(stream);
    assert_eq!(there(async move { peer.all().await }).await, b"last words");
}

async fn all_that_was_written_before_the_drop_arrives<R: Runtime>(rt: R) {
    const LENGTH: usize = 1024 * 1024;
    let (mut stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move { peer.all().await });
    stream.write_all(&bytes(0, LENGTH)).await.unwrap();
    drop(stream);
    let received = peer.join().await;
    assert_eq!(received.len(), LENGTH);
    assert_bytes(&received, 0);
}

async fn dropping_a_stream_that_waits_in_a_task_sends_the_end<R: Runtime>(rt: R) {
    use anyrt_core::task::JoinHandle;
    let (mut stream, mut peer) = with_peer(&rt).await;
    let waits = Gate::new();
    let waiting = waits.clone();
    let task = rt.spawn(async move {
        let mut read = [0; 1];
        let mut read = stream.read(&mut read);
        assert!(
            poll_once(&mut read).await.is_pending(),
            "nothing is ever sent"
        );
        waiting.open();
        read.await
    });
    waits.wait().await;
    assert!(task.cancel().await.expect_err("cancelled").is_cancelled());
    assert_eq!(there(async move { peer.all().await }).await, b"");
}

async fn dropping_a_stream_with_unread_data_does_not_leave_the_peer_waiting<R: Runtime>(rt: R) {
    let (stream, mut peer) = with_peer(&rt).await;
    peer.write_all(b"never read").await.unwrap();
    arrived().await;
    drop(stream);
    assert_eq!(there(async move { peer.all().await }).await, b"");
}

async fn reading_after_the_end_gives_zero_again<R: Runtime>(rt: R) {
    let (mut stream, peer) = with_peer(&rt).await;
    drop(peer);
    for _ in 0..3 {
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    }
}

async fn a_reset_is_an_error_of_read_with_kind_and_errno<R: Runtime>(rt: R) {
    let (mut stream, peer) = with_peer(&rt).await;
    peer.reset().await;
    let error = stream.read(&mut [0; 8]).await.expect_err("reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(error.raw_os_error().is_some(), "{error:?}");
}

async fn writing_to_a_reset_connection_is_an_error<R: Runtime>(rt: R) {
    let (mut stream, peer) = with_peer(&rt).await;
    peer.reset().await;
    // The first error may be the reset itself. A signal would end the process.
    for _ in 0..3 {
        let error = stream.write(b"too late").await.expect_err("reset");
        assert!(
            matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
            ),
            "{error:?}"
        );
        assert!(error.raw_os_error().is_some(), "{error:?}");
    }
    let slices = [IoSlice::new(b"too"), IoSlice::new(b"late")];
    let error = stream.write_vectored(&slices).await.expect_err("reset");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

async fn a_writer_waits_until_the_peer_reads<R: Runtime + FromStd>(rt: R) {
    const LENGTH: usize = 4 * 1024 * 1024;
    let (mut stream, mut peer) = narrow_pair(&rt).await;
    let data = bytes(0, LENGTH);
    let sent = Cell::new(0);
    let mut write = pin!(async {
        while sent.get() < LENGTH {
            sent.set(sent.get() + stream.write(&data[sent.get()..]).await.unwrap());
        }
    });
    // Four megabytes never fit into some kilobytes of buffers.
    rt.timeout(Duration::from_millis(50), &mut write)
        .await
        .expect_err("nobody reads");
    assert!(0 < sent.get() && sent.get() < LENGTH, "{sent:?} bytes");

    let peer = start_peer(async move {
        let mut received = vec![0; LENGTH];
        peer.read_exact(&mut received).await.unwrap();
        received
    });
    write.await;
    assert_bytes(&peer.join().await, 0);
}

async fn a_vectored_write_sends_all_slices_at_once<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let two = [IoSlice::new(b"abc"), IoSlice::new(b"defg")];
    assert_eq!(stream.write_vectored(&two).await.unwrap(), 7);

    let data = bytes(0, 640);
    let many: Vec<_> = data.chunks(10).map(IoSlice::new).collect();
    assert_eq!(stream.write_vectored(&many).await.unwrap(), 640);
    drop(stream);

    let received = there(async move { peer.all().await }).await;
    assert_eq!(received, [b"abcdefg", &data[..]].concat());
}

async fn a_vectored_read_fills_the_buffers_in_order<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    peer.write_all(&bytes(0, 1000)).await.unwrap();
    drop(peer);
    let mut received = Vec::new();
    loop {
        let (mut a, mut b, mut c) = ([0; 3], [0; 1], [0; 29]);
        let mut buffers = [&mut a[..], &mut b[..], &mut c[..]].map(IoSliceMut::new);
        let n = stream.read_vectored(&mut buffers).await.unwrap();
        if n == 0 {
            break;
        }
        received.extend_from_slice(&[&a[..], &b[..], &c[..]].concat()[..n]);
    }
    assert_eq!(received.len(), 1000);
    assert_bytes(&received, 0);
}

async fn a_vectored_write_of_more_slices_than_the_system_takes_is_no_full_stream<R: Runtime>(
    rt: R,
) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    // From now on it is registered.
    assert!(dropped(stream.read(&mut [0; 1])).await.is_none());
    let peer = start_peer(async move { peer.all().await.len() });
    let slices = [IoSlice::new(b"x"); 3000];
    let mut written = 0;
    for _ in 0..10 {
        written += stream.write_vectored(&slices).await.unwrap();
        written += stream.write(b"y").await.unwrap();
    }
    drop(stream);
    assert_eq!(peer.join().await, written);
}

async fn a_vectored_read_into_more_buffers_than_the_system_takes_leaves_the_rest<R: Runtime>(
    rt: R,
) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    assert!(dropped(stream.read(&mut [0; 1])).await.is_none());
    peer.write_all(&bytes(0, 2900)).await.unwrap();
    let mut all = vec![0; 2900];
    while stream.peek(&mut all).await.unwrap() < 2900 {
        arrived().await;
    }

    let mut room = [0; 2800];
    let read = {
        let mut buffers: Vec<_> = room.chunks_mut(1).map(IoSliceMut::new).collect();
        stream.read_vectored(&mut buffers).await.unwrap()
    };
    assert_bytes(&room[..read], 0);
    // The peer sends nothing more, so no event comes.
    let mut rest = vec![0; 2900 - read];
    stream.read_exact(&mut rest).await.unwrap();
    assert_bytes(&rest, read);
}

async fn an_empty_read_takes_nothing<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    peer.write_all(b"data").await.unwrap();
    assert_eq!(stream.read(&mut []).await.unwrap(), 0);
    let mut data = [0; 4];
    stream.read_exact(&mut data).await.unwrap();
    assert_eq!(&data, b"data");
}

async fn an_empty_write_sends_nothing_and_is_no_end<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    assert_eq!(stream.write(b"").await.unwrap(), 0);
    stream.flush().await.unwrap();
    stream.write_all(b"data").await.unwrap();
    drop(stream);
    assert_eq!(there(async move { peer.all().await }).await, b"data");
}

async fn peeking_takes_nothing<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    peer.write_all(b"abcdef").await.unwrap();
    drop(peer);
    arrived().await;
    let mut buffer = [0; 3];
    for _ in 0..3 {
        assert_eq!(stream.peek(&mut buffer).await.unwrap(), 3);
        assert_eq!(&buffer, b"abc");
    }
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"abcdef");
    assert_eq!(stream.peek(&mut buffer).await.unwrap(), 0);
}

async fn nodelay_is_off_until_it_is_set<R: Runtime>(rt: R) {
    let (client, server) = pair(&rt).await;
    for stream in [client, server] {
        assert!(!stream.nodelay().unwrap());
        stream.set_nodelay(true).unwrap();
        assert!(stream.nodelay().unwrap());
        stream.set_nodelay(false).unwrap();
        assert!(!stream.nodelay().unwrap());
    }
}

async fn the_two_sides_agree_on_their_addresses<R: Runtime>(rt: R) {
    let (stream, peer) = with_peer(&rt).await;
    let of = |address: io::Result<SocketAddr>| address.unwrap();
    assert_eq!(of(stream.local_addr()), of(peer.peer_addr()));
    assert_eq!(of(stream.peer_addr()), of(peer.local_addr()));
}

async fn shutdown_of_writing_sends_the_end_at_once<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    stream.write_all(b"all").await.unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let (mut peer, all) = there(async move {
        let all = peer.all().await;
        (peer, all)
    })
    .await;
    assert_eq!(all, b"all");
    let error = stream.write(b"more").await.expect_err("closed for writing");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    peer.write_all(b"still").await.unwrap();
    let mut received = [0; 5];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"still");
}

async fn shutdown_of_reading_ends_reading<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    stream.shutdown(Shutdown::Read).unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    stream.write_all(b"still").await.unwrap();
    drop(stream);
    assert_eq!(there(async move { peer.all().await }).await, b"still");
}

async fn shutdown_of_both_ends_both<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(there(async move { peer.all().await }).await, b"");
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    let error = stream.write(b"more").await.expect_err("closed for writing");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

async fn ipv6_works_where_the_system_has_it<R: Runtime>(rt: R) {
    let any = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = std::net::TcpListener::bind(any) {
        watchdog::skip(format!("this system has no IPv6 loopback: {error}"));
    }
    let listener = rt.bind_tcp(any).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert!(address.is_ipv6());
    // As text, too, with the brackets.
    let (client, accepted) = join(rt.connect_tcp(address.to_string()), listener.accept()).await;
    let (mut client, (mut server, from)) = (client.unwrap(), accepted.unwrap());
    assert_eq!(from, client.local_addr().unwrap());
    client.write_all(b"six").await.unwrap();
    drop(client);
    let mut received = Vec::new();
    server.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"six");
}
