//! Dropping a pending operation loses no connection, byte, datagram or wake-up.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use anyrt_core::net::{FromStd, TcpListener, TcpStream, UdpSocket};
use anyrt_core::runtime::Runtime;
use anyrt_core::task::{JoinHandle, yield_now};
use futures_util::future::{Either, select};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::peer::{
    PeerSocket, PeerStream, arrived, assert_bytes, bytes, deaf_listen, dropped, listen,
    narrow_pair, peer_connect, peer_listen, peer_udp, start_peer, there, turn, udp, with_peer,
};
use crate::case::cases;
use crate::{Gate, poll_once};

cases! {
    from_std {
        async dropped_writes_send_what_they_reported_and_no_more;
        async a_dropped_write_keeps_nothing_of_its_buffer;
    }
    async dropped_accepts_lose_no_connection;
    async accepts_that_time_out_lose_no_connection;
    async accepts_of_aborted_tasks_lose_no_connection;
    async a_dropped_accept_passes_its_wake_on;
    async dropped_reads_lose_no_byte;
    async reads_that_time_out_lose_no_byte;
    async dropped_reads_leave_the_buffer_alone;
    async dropped_peeks_take_nothing;
    async dropped_connects_are_closed;
    async a_connect_that_nobody_answers_can_be_given_up;
    async dropped_receives_lose_no_datagram;
    async dropped_receives_of_a_connected_socket_lose_no_datagram;
    async receives_that_time_out_lose_no_datagram;
    async a_dropped_receive_passes_its_wake_on;
    async dropped_sends_have_sent_nothing;
}

/// Polls a new operation each time until one is ready, and drops those that are pending. The
/// runtime makes progress in between.
// A macro because each operation borrows the buffer again, which a closure cannot express.
macro_rules! persist {
    ($operation:expr) => {
        loop {
            match dropped($operation).await {
                Some(output) => break output,
                None => turn().await,
            }
        }
    };
}

/// Like `persist`, with a short timeout around each attempt. Some expire before the first poll.
macro_rules! persist_with_timeouts {
    ($rt:expr, $operation:expr) => {
        'ready: loop {
            for micros in [500, 0, 50] {
                let attempt = $rt.timeout(Duration::from_micros(micros), $operation);
                if let Ok(output) = attempt.await {
                    break 'ready output;
                }
            }
        }
    };
}

/// Connects `count` clients, one after the other; each must be greeted before the next connects.
async fn greeted_clients(address: SocketAddr, count: u32) {
    for number in 0..count {
        let mut client = peer_connect(address).await;
        client.write_all(&number.to_be_bytes()).await.unwrap();
        assert_eq!(client.all().await, number.to_be_bytes());
    }
}

/// Greets a client with its own number.
async fn greet<S: TcpStream>(mut stream: S, number: u32) {
    let mut request = [0; 4];
    stream.read_exact(&mut request).await.unwrap();
    assert_eq!(u32::from_be_bytes(request), number);
    stream.write_all(&request).await.unwrap();
}

async fn dropped_accepts_lose_no_connection<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    // No client has connected, so this one is certainly pending when it is dropped.
    assert!(dropped(listener.accept()).await.is_none());
    let clients = start_peer(greeted_clients(address, 300));
    for number in 0..300 {
        let (stream, _) = persist!(listener.accept()).unwrap();
        greet(stream, number).await;
    }
    clients.join().await;
}

async fn accepts_that_time_out_lose_no_connection<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    rt.timeout(Duration::from_millis(1), listener.accept())
        .await
        .expect_err("nobody is there yet");
    let clients = start_peer(greeted_clients(address, 300));
    for number in 0..300 {
        let accepted = persist_with_timeouts!(rt, listener.accept());
        greet(accepted.unwrap().0, number).await;
    }
    clients.join().await;
}

async fn accepts_of_aborted_tasks_lose_no_connection<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let listener = Arc::new(listener);
    for number in 0..50 {
        let waits = Gate::new();
        let waiter = rt.spawn({
            let (listener, waits) = (Arc::clone(&listener), waits.clone());
            async move {
                let mut accept = Box::pin(listener.accept());
                assert!(poll_once(&mut accept).await.is_pending());
                waits.open();
                accept.await.unwrap();
            }
        });
        waits.wait().await;
        assert!(waiter.cancel().await.unwrap_err().is_cancelled());
        let client = start_peer(async move {
            let mut client = peer_connect(address).await;
            client.write_all(&u32::to_be_bytes(number)).await.unwrap();
            client.all().await
        });
        greet(listener.accept().await.unwrap().0, number).await;
        assert_eq!(client.join().await, number.to_be_bytes());
    }
}

/// Two accepts wait. The first is dropped after it was woken, without another poll. The second must
/// then be woken.
async fn a_dropped_accept_passes_its_wake_on<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let listener = Arc::new(listener);
    for _ in 0..50 {
        let mut first = Box::pin(listener.accept());
        let woken = WokenFlag::arm(first.as_mut());
        let waits = Gate::new();
        let second = rt.spawn({
            let (listener, waits) = (Arc::clone(&listener), waits.clone());
            async move {
                let mut accept = Box::pin(listener.accept());
                assert!(poll_once(&mut accept).await.is_pending());
                waits.open();
                accept.await.unwrap().1
            }
        });
        waits.wait().await;
        let client = peer_connect(address).await;
        let from = match select(second, woken.wait()).await {
            Either::Left((from, _)) => from,
            Either::Right(((), second)) => {
                drop(first);
                second.await
            }
        };
        assert_eq!(from.unwrap(), client.local_addr().unwrap());
    }
}

/// A waker that opens a gate.
struct WokenFlag(Gate);

impl WokenFlag {
    /// Polls `future`, which must be pending. Returns a gate that opens when it is woken.
    fn arm<F: Future>(future: std::pin::Pin<&mut F>) -> Gate {
        let gate = Gate::new();
        let waker = Waker::from(Arc::new(Self(gate.clone())));
        let poll = future.poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending(), "nothing was sent yet");
        gate
    }
}

impl Wake for WokenFlag {
    fn wake(self: Arc<Self>) {
        self.0.open();
    }
}

/// Writes numbered bytes in pieces, each after the acknowledgement of the previous one, so that
/// reads have to wait.
async fn paced_writer(mut peer: PeerStream, total: usize) {
    const PIECE: usize = 20;
    for piece in bytes(0, total).chunks(PIECE) {
        peer.read_exact(&mut [0]).await.unwrap();
        peer.write_all(piece).await.unwrap();
    }
}

async fn dropped_reads_lose_no_byte<R: Runtime>(rt: R) {
    const TOTAL: usize = 8_000;
    let (mut stream, peer) = with_peer(&rt).await;
    let peer = start_peer(paced_writer(peer, TOTAL));
    let mut received = Vec::new();
    while received.len() < TOTAL {
        if received.len().is_multiple_of(20) {
            // The peer waits for the next acknowledgement, so this one is certainly pending.
            assert!(dropped(stream.read(&mut [0; 7])).await.is_none());
            stream.write_all(&[1]).await.unwrap();
        }
        let mut buffer = [0; 5];
        let n = persist!(stream.read(&mut buffer)).unwrap();
        received.extend_from_slice(&buffer[..n]);
    }
    assert_bytes(&received, 0);
    peer.join().await;
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
}

async fn reads_that_time_out_lose_no_byte<R: Runtime>(rt: R) {
    const TOTAL: usize = 10_000;
    let (mut stream, peer) = with_peer(&rt).await;
    let peer = start_peer(paced_writer(peer, TOTAL));
    let mut received = Vec::new();
    while received.len() < TOTAL {
        if received.len().is_multiple_of(20) {
            let early = rt.timeout(Duration::ZERO, stream.read(&mut [0; 7])).await;
            early.expect_err("the peer waits for the acknowledgement");
            stream.write_all(&[1]).await.unwrap();
        }
        let mut buffer = [0; 5];
        let n = persist_with_timeouts!(rt, stream.read(&mut buffer)).unwrap();
        received.extend_from_slice(&buffer[..n]);
    }
    assert_bytes(&received, 0);
    peer.join().await;
}

async fn dropped_reads_leave_the_buffer_alone<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let mut buffer = [7; 16];
    assert!(dropped(stream.read(&mut buffer)).await.is_none());
    peer.write_all(b"for the next one").await.unwrap();
    let mut next = [0; 16];
    stream.read_exact(&mut next).await.unwrap();
    assert_eq!(&next, b"for the next one");
    assert_eq!(buffer, [7; 16]);
}

async fn dropped_peeks_take_nothing<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    for round in 0..100 {
        let mut buffer = [0; 4];
        assert!(dropped(stream.peek(&mut buffer)).await.is_none());
        peer.write_all(&bytes(round, 10)).await.unwrap();
        let n = persist!(stream.peek(&mut buffer)).unwrap();
        assert_bytes(&buffer[..n], round);
        let mut all = [0; 10];
        stream.read_exact(&mut all).await.unwrap();
        assert_bytes(&all, round);
    }
}

async fn dropped_writes_send_what_they_reported_and_no_more<R: Runtime + FromStd>(rt: R) {
    const TOTAL: usize = 1024 * 1024;
    let (mut stream, mut peer) = narrow_pair(&rt).await;
    let (full, was_full) = (Gate::new(), Gate::new());
    let peer = start_peer({
        let full = full.clone();
        async move {
            full.wait().await;
            peer.all().await
        }
    });
    let data = bytes(0, TOTAL);
    let mut sent = 0;
    while sent < TOTAL {
        match dropped(stream.write(&data[sent..])).await {
            Some(n) => sent += n.unwrap(),
            None => {
                yield_now().await;
                // Pending with a fresh budget: the buffer is full, so the peer may begin to read.
                match dropped(stream.write(&data[sent..])).await {
                    Some(n) => sent += n.unwrap(),
                    None => {
                        full.open();
                        was_full.open();
                    }
                }
            }
        }
    }
    assert!(was_full.is_open(), "no write ever had to wait");
    drop(stream);
    let received = peer.join().await;
    assert_eq!(received.len(), TOTAL);
    assert_bytes(&received, 0);
}

async fn a_dropped_write_keeps_nothing_of_its_buffer<R: Runtime + FromStd>(rt: R) {
    let (mut stream, mut peer) = narrow_pair(&rt).await;
    // The bytes that were reported as written. The system may free buffer space at any time, even
    // without a reader.
    let mut sent = Vec::new();
    let mut pending = 0;
    while pending < 2 {
        let data = bytes(sent.len(), 4096);
        match dropped(stream.write(&data)).await {
            Some(n) => {
                sent.extend_from_slice(&data[..n.unwrap()]);
                pending = 0;
            }
            None => {
                pending += 1;
                yield_now().await;
            }
        }
    }
    let mut given_up = 0;
    while given_up < 10 {
        let data = [0xff; 4096];
        match dropped(stream.write(&data)).await {
            Some(n) => sent.extend_from_slice(&data[..n.unwrap()]),
            None => given_up += 1,
        }
    }
    // Different from the data of the dropped writes, which must not be in the stream.
    let peer = start_peer(async move { peer.all().await });
    let last = bytes(sent.len(), 100);
    stream.write_all(&last).await.unwrap();
    sent.extend_from_slice(&last);
    drop(stream);
    let received = peer.join().await;
    assert!(received == sent, "not what was reported as written");
}

async fn dropped_connects_are_closed<R: Runtime>(rt: R) {
    const DROPPED: usize = 50;
    let (listener, address) = peer_listen();
    for _ in 0..DROPPED {
        drop(dropped(rt.connect_tcp(address)).await);
    }
    // A dropped connect may have reached the listener; its connection is then closed. The last one
    // is alive.
    let mut last = rt.connect_tcp(address).await.unwrap();
    last.write_all(b"last").await.unwrap();
    let from = last.local_addr().unwrap();
    there(async move {
        for _ in 0..=DROPPED {
            let (mut peer, client) = listener.accept().await;
            if client == from {
                let mut word = [0; 4];
                peer.read_exact(&mut word).await.unwrap();
                assert_eq!(&word, b"last");
                return;
            }
            assert_eq!(peer.all().await, b"");
        }
        unreachable!("more connections than were opened");
    })
    .await;
    drop(last);
}

async fn a_connect_that_nobody_answers_can_be_given_up<R: Runtime>(rt: R) {
    let (listener, address) = deaf_listen();
    let mut taken = Vec::new();
    let mut given_up = 0;
    while given_up < 10 {
        let attempt = rt.timeout(Duration::from_millis(20), rt.connect_tcp(address));
        match attempt.await {
            Ok(stream) => taken.push(stream.unwrap()),
            Err(_) => given_up += 1,
        }
        assert!(taken.len() < 1000, "the queue of the listener never fills");
    }
    // The runtime still connects elsewhere, and the accepted connections work.
    drop(with_peer(&rt).await);
    for mut stream in taken {
        let (peer, from) = listener.accept().await;
        assert_eq!(from, stream.local_addr().unwrap());
        peer.reset().await;
        stream.read(&mut [0; 1]).await.unwrap_err();
    }
}

/// Sends numbered datagrams, each after the acknowledgement of the previous one, so a lost one is
/// noticed at once.
async fn acknowledged_datagrams(peer: PeerSocket, address: SocketAddr, count: u32) {
    for number in 0..count {
        peer.send_to(&number.to_be_bytes(), address).await;
        let mut answer = [0; 8];
        let (n, _) = peer.recv_from(&mut answer).await;
        assert_eq!(answer[..n], number.to_be_bytes());
    }
}

async fn dropped_receives_lose_no_datagram<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, from) = peer_udp();
    assert!(dropped(socket.recv_from(&mut [0; 8])).await.is_none());
    let peer = start_peer(acknowledged_datagrams(peer, address, 500));
    for number in 0..500_u32 {
        let mut buffer = [0; 8];
        let received = persist!(socket.recv_from(&mut buffer)).unwrap();
        assert_eq!(received, (4, from));
        assert_eq!(buffer[..4], number.to_be_bytes());
        socket.send_to(&buffer[..4], from).await.unwrap();
    }
    peer.join().await;
}

async fn dropped_receives_of_a_connected_socket_lose_no_datagram<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, from) = peer_udp();
    socket.connect(from).await.unwrap();
    let peer = start_peer(acknowledged_datagrams(peer, address, 500));
    for number in 0..500_u32 {
        let mut buffer = [0; 8];
        let n = persist!(socket.recv(&mut buffer)).unwrap();
        assert_eq!(buffer[..n], number.to_be_bytes());
        // The peer has not sent the next one yet, so this one is certainly pending.
        assert!(dropped(socket.recv(&mut [0; 8])).await.is_none());
        socket.send(&buffer[..n]).await.unwrap();
    }
    peer.join().await;
}

async fn receives_that_time_out_lose_no_datagram<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, from) = peer_udp();
    let peer = start_peer(acknowledged_datagrams(peer, address, 500));
    for number in 0..500_u32 {
        let mut buffer = [0; 8];
        let received = persist_with_timeouts!(rt, socket.recv_from(&mut buffer)).unwrap();
        assert_eq!(received, (4, from));
        assert_eq!(buffer[..4], number.to_be_bytes());
        socket.send_to(&buffer[..4], from).await.unwrap();
    }
    peer.join().await;
}

async fn a_dropped_receive_passes_its_wake_on<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let socket = Arc::new(socket);
    let (peer, _) = peer_udp();
    for round in 0..50 {
        let mut buffer = [0; 8];
        let mut first = Box::pin(socket.recv_from(&mut buffer));
        let woken = WokenFlag::arm(first.as_mut());
        let waits = Gate::new();
        let second = rt.spawn({
            let (socket, waits) = (Arc::clone(&socket), waits.clone());
            async move {
                let mut buffer = [0; 8];
                let mut receive = Box::pin(socket.recv_from(&mut buffer));
                assert!(poll_once(&mut receive).await.is_pending());
                waits.open();
                assert_eq!(receive.await.unwrap().0, 1);
                buffer[0]
            }
        });
        waits.wait().await;
        peer.send_to(&[round], address).await;
        let received = match select(second, woken.wait()).await {
            Either::Left((received, _)) => received,
            Either::Right(((), second)) => {
                drop(first);
                second.await
            }
        };
        assert_eq!(received.unwrap(), round);
    }
}

async fn dropped_sends_have_sent_nothing<R: Runtime>(rt: R) {
    let (socket, _) = udp(&rt).await;
    let (peer, address) = peer_udp();
    let (mut sent, mut received) = (BTreeSet::new(), BTreeSet::new());
    for batch in 0..50_u32 {
        let first = batch * 20;
        assert_eq!(
            socket.send_to(&first.to_be_bytes(), address).await.unwrap(),
            4
        );
        sent.insert(first);
        for number in first + 1..first + 20 {
            let datagram = number.to_be_bytes();
            if let Some(n) = dropped(socket.send_to(&datagram, address)).await {
                assert_eq!(n.unwrap(), 4);
                sent.insert(number);
            }
        }
        // The loopback delivers within the call, so every datagram has arrived by now. The batches
        // are small enough for the peer's buffer.
        arrived().await;
        let mut buffer = [0; 8];
        while let Some(n) = peer.recv_now(&mut buffer).await {
            let number = u32::from_be_bytes(buffer[..n].try_into().unwrap());
            assert!(received.insert(number), "{number} came twice");
        }
        assert_eq!(received, sent);
    }
}
