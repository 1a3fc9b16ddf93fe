//! The readiness of sockets: when it is reported, and when it is over.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use anyrt_core::net::UdpSocket;
use anyrt_core::readiness::{Direction, Interest, Readiness};
use anyrt_core::runtime::Runtime;
use anyrt_core::task::yield_now;
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::peer::{peer_udp, udp, with_peer};
use crate::case::cases;
use crate::{Sockets, poll_once};

cases! {
    ready {
        async a_stream_is_ready_until_a_read_finds_nothing;
        async a_stream_read_to_its_last_byte_becomes_ready_for_later_data_and_for_the_end;
        async a_datagram_socket_is_ready_until_a_receive_finds_nothing;
        async after_an_operation_that_found_nothing_the_next_data_makes_a_stream_ready;
    }
}

const ROUNDS: usize = 50;

/// Polls once for readability.
async fn is_readable(socket: &impl Readiness) -> bool {
    let mut ready = poll_fn(|cx| socket.poll_ready(cx, Direction::Read));
    match poll_once(&mut ready).await {
        Poll::Ready(result) => result.is_ok(),
        Poll::Pending => false,
    }
}

/// Waits by the method that keeps one waker.
async fn readable(socket: &impl Readiness) {
    poll_fn(|cx| socket.poll_ready(cx, Direction::Read))
        .await
        .unwrap();
}

async fn a_stream_is_ready_until_a_read_finds_nothing<R: Runtime + Sockets>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let mut word = [0; 4];
    assert!(!is_readable(&stream).await, "nothing was sent");
    // The reactor may report the data, or the socket may find it by itself.
    for _ in 0..ROUNDS {
        peer.write_all(b"ping").await.unwrap();
        readable(&stream).await;
        stream.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
        // The read took exactly what was there, and did not find that nothing is left.
        readable(&stream).await;
        assert!(is_readable(&stream).await);
        // More than one, if the reactor saw the data before the read and reports it afterwards.
        let mut reads = 0..ROUNDS;
        while is_readable(&stream).await {
            assert!(reads.next().is_some(), "reads have found nothing");
            assert!(poll_once(&mut stream.read(&mut word)).await.is_pending());
            yield_now().await; // renews the budget
        }
    }
    drop(peer);
    readable(&stream).await;
    assert_eq!(stream.read(&mut word).await.unwrap(), 0);
}

async fn a_stream_read_to_its_last_byte_becomes_ready_for_later_data_and_for_the_end<
    R: Runtime + Sockets,
>(
    rt: R,
) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let mut word = [0; 4];
    for sent in [b"ping", b"pong", b"last"] {
        peer.write_all(sent).await.unwrap();
        stream.ready(Interest::READABLE).await.unwrap();
        stream.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, sent);
    }
    drop(peer);
    stream.ready(Interest::READABLE).await.unwrap();
    assert_eq!(stream.read(&mut word).await.unwrap(), 0);
    stream.ready(Interest::READABLE).await.unwrap();
}

async fn a_datagram_socket_is_ready_until_a_receive_finds_nothing<R: Runtime + Sockets>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, _) = peer_udp();
    let mut word = [0; 4];
    assert!(!is_readable(&socket).await, "nothing was sent");
    for sent in [b"ping", b"pong"].into_iter().cycle().take(ROUNDS) {
        peer.send_to(sent, address).await;
        readable(&socket).await;
        assert_eq!(socket.recv_from(&mut word).await.unwrap().0, 4);
        assert_eq!(&word, sent);
        readable(&socket).await;
        assert!(is_readable(&socket).await);
        // As for a stream.
        let mut receives = 0..ROUNDS;
        while is_readable(&socket).await {
            assert!(receives.next().is_some(), "receives have found nothing");
            let mut receive = pin!(socket.recv_from(&mut word));
            assert!(poll_once(&mut receive).await.is_pending());
            yield_now().await; // renews the budget
        }
    }
}

async fn after_an_operation_that_found_nothing_the_next_data_makes_a_stream_ready<
    R: Runtime + Sockets,
>(
    rt: R,
) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    peer.write_all(b"ping").await.unwrap();
    readable(&stream).await;
    // The operation decides that there is nothing, although there is.
    let would_block = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    stream.try_io(Interest::READABLE, would_block).unwrap_err();
    peer.write_all(b"pong").await.unwrap();
    readable(&stream).await;
    let mut words = [0; 8];
    stream.read_exact(&mut words).await.unwrap();
    assert_eq!(&words, b"pingpong");
}
