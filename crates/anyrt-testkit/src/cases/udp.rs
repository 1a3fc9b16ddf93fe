//! Datagrams arrive whole, with the address of the sender, and never empty in place of a full one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyrt_core::channel::{Receiver, Sender};
use anyrt_core::net::{FromStd, UdpSocket};
use anyrt_core::runtime::Runtime;
use futures_util::future::join;
use socket2::SockRef;

use super::peer::{
    LOOPBACK, assert_at_rest, assert_bytes, bytes, counted, here, peer_udp, start_peer, there, udp,
};
use crate::case::cases;
use crate::poll_once;

cases! {
    from_std {
        async a_flood_through_a_small_send_buffer_arrives_as_it_was_sent;
    }
    async a_datagram_names_its_sender;
    async a_waiting_receive_is_woken_by_a_datagram;
    async connected_sockets_send_and_receive_without_addresses;
    async a_connected_socket_hears_its_peer_alone;
    async connecting_again_changes_the_peer;
    async sizes_are_kept;
    async what_does_not_fit_is_cut_off_and_the_next_datagram_is_whole;
    async a_datagram_too_long_is_an_error_and_not_sent;
    async a_flood_arrives_as_it_was_sent;
    async a_closed_port_is_an_error_of_a_connected_socket;
    async sending_without_a_peer_is_an_error;
    async without_a_peer_there_is_no_peer_addr;
    async several_tasks_receive_on_one_socket;
    async tasks_that_wait_for_datagrams_do_not_wake_each_other;
    async one_task_sends_while_another_waits_to_receive;
    async a_second_bind_of_a_datagram_port_is_refused;
    async bind_tries_each_address_for_datagrams;
}

/// The longest datagram that IPv4 carries.
const LONGEST: usize = 65_507;

async fn a_datagram_names_its_sender<R: Runtime>(rt: R) {
    let (here, here_address) = udp(&rt).await;
    let (there, there_address) = udp(&rt).await;
    assert_ne!(here_address.port(), 0);
    assert_ne!(here_address, there_address);
    let mut buffer = [0; 16];
    assert_eq!(here.send_to(b"ping", there_address).await.unwrap(), 4);
    let (n, from) = there.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..n], from), (&b"ping"[..], here_address));
    assert_eq!(there.send_to(b"pong!", from).await.unwrap(), 5);
    let (n, from) = here.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..n], from), (&b"pong!"[..], there_address));
}

async fn a_waiting_receive_is_woken_by_a_datagram<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, peer_address) = peer_udp();
    for round in 0..100 {
        let mut buffer = [0; 16];
        let mut receive = Box::pin(socket.recv_from(&mut buffer));
        assert!(poll_once(&mut receive).await.is_pending(), "nothing yet");
        let sent = bytes(round, 16);
        peer.send_to(&sent, address).await;
        assert_eq!(receive.await.unwrap(), (16, peer_address));
        assert_eq!(buffer[..], sent);
    }
}

async fn connected_sockets_send_and_receive_without_addresses<R: Runtime>(rt: R) {
    let (here, here_address) = udp(&rt).await;
    let (there, there_address) = udp(&rt).await;
    here.connect(there_address).await.unwrap();
    there.connect(here_address).await.unwrap();
    assert_eq!(here.peer_addr().unwrap(), there_address);
    assert_eq!(there.peer_addr().unwrap(), here_address);
    let mut buffer = [0; 16];
    for (a, b) in [(&here, &there), (&there, &here)] {
        assert_eq!(a.send(b"datagram").await.unwrap(), 8);
        assert_eq!(b.recv(&mut buffer).await.unwrap(), 8);
        assert_eq!(&buffer[..8], b"datagram");
    }
}

async fn a_connected_socket_hears_its_peer_alone<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, peer_address) = peer_udp();
    let (stranger, _) = peer_udp();
    socket.connect(peer_address).await.unwrap();
    stranger.send_to(b"stranger", address).await;
    peer.send_to(b"peer", address).await;
    let mut buffer = [0; 16];
    assert_eq!(socket.recv(&mut buffer).await.unwrap(), 4);
    assert_eq!(&buffer[..4], b"peer");
}

async fn connecting_again_changes_the_peer<R: Runtime>(rt: R) {
    let (socket, _) = udp(&rt).await;
    for word in [b"first ", b"second"] {
        let (peer, peer_address) = peer_udp();
        socket.connect(peer_address).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), peer_address);
        socket.send(word).await.unwrap();
        let received = there(async move {
            let mut buffer = [0; 16];
            let (n, _) = peer.recv_from(&mut buffer).await;
            buffer[..n].to_vec()
        });
        assert_eq!(received.await, word);
    }
}

async fn sizes_are_kept<R: Runtime>(rt: R) {
    let (here, here_address) = udp(&rt).await;
    let (there, there_address) = udp(&rt).await;
    let mut buffer = vec![0; LONGEST + 1];
    for size in [0, 1, 1472, 0, 1473, LONGEST, 0] {
        let sent = bytes(size, size);
        assert_eq!(here.send_to(&sent, there_address).await.unwrap(), size);
        let (n, from) = there.recv_from(&mut buffer).await.unwrap();
        assert_eq!((n, from), (size, here_address));
        assert_bytes(&buffer[..n], size);
    }
    here.connect(there_address).await.unwrap();
    there.connect(here_address).await.unwrap();
    for size in [0, 1, 1472, LONGEST] {
        let sent = bytes(size, size);
        assert_eq!(here.send(&sent).await.unwrap(), size);
        assert_eq!(there.recv(&mut buffer).await.unwrap(), size);
        assert_bytes(&buffer[..size], size);
    }
}

async fn what_does_not_fit_is_cut_off_and_the_next_datagram_is_whole<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, peer_address) = peer_udp();
    for datagram in [&b"abcdefgh"[..], b"next", b"connected", b"last"] {
        peer.send_to(datagram, address).await;
    }
    let mut small = [0; 4];
    assert_eq!(
        socket.recv_from(&mut small).await.unwrap(),
        (4, peer_address)
    );
    assert_eq!(&small, b"abcd");
    assert_eq!(
        socket.recv_from(&mut small).await.unwrap(),
        (4, peer_address)
    );
    assert_eq!(&small, b"next");
    assert_eq!(socket.recv(&mut small).await.unwrap(), 4);
    assert_eq!(&small, b"conn");
    assert_eq!(socket.recv(&mut small).await.unwrap(), 4);
    assert_eq!(&small, b"last");
}

async fn a_datagram_too_long_is_an_error_and_not_sent<R: Runtime>(rt: R) {
    let (socket, _) = udp(&rt).await;
    let (peer, address) = peer_udp();
    let long = vec![1; LONGEST + 1];
    let native = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    let native = native
        .send_to(&long, native.local_addr().unwrap())
        .unwrap_err();
    let error = socket.send_to(&long, address).await.unwrap_err();
    assert_eq!(error.raw_os_error(), native.raw_os_error());
    socket.send_to(b"short", address).await.unwrap();
    let received = there(async move { peer.recv_from(&mut [0; 16]).await.0 });
    assert_eq!(received.await, 5);
}

async fn a_flood_arrives_as_it_was_sent<R: Runtime>(rt: R) {
    let (socket, _) = udp(&rt).await;
    flood(&rt, socket).await;
}

async fn a_flood_through_a_small_send_buffer_arrives_as_it_was_sent<R: Runtime + FromStd>(rt: R) {
    let native = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    native.set_nonblocking(true).unwrap();
    // The system rounds it up to its minimum, so that sends have to wait where the network requires
    // it.
    SockRef::from(&native).set_send_buffer_size(1).unwrap();
    flood(&rt, rt.udp_socket_from_std(native).unwrap()).await;
}

/// Sends numbered datagrams of every size from four tasks at once. Each must arrive once and
/// unchanged.
async fn flood<R: Runtime>(rt: &R, socket: R::UdpSocket) {
    const TASKS: usize = 4;
    const EACH: usize = 500;
    const WINDOW: usize = 8;
    let socket = Arc::new(socket);
    let (peer, address) = peer_udp();
    // The acknowledgements keep the peer's buffer from overflowing, so a missing datagram was lost
    // by the sender.
    let (acks, windows): (Vec<_>, Vec<_>) = (0..TASKS).map(|_| rt.bounded(WINDOW)).unzip();
    let receiver = start_peer(async move {
        let mut next = [0; TASKS];
        let mut buffer = vec![0; LONGEST + 1];
        for _ in 0..TASKS * EACH {
            let (n, _) = peer.recv_from(&mut buffer).await;
            assert!(n >= 8, "a datagram of {n} bytes was never sent");
            let number = usize::from_le_bytes(buffer[..8].try_into().unwrap());
            let (task, at) = (number / EACH, number % EACH);
            assert_eq!(at, next[task], "order within task {task}");
            next[task] += 1;
            assert_eq!(n, size(number));
            assert_bytes(&buffer[8..n], number);
            // Full only if a task sent more than a window ahead.
            acks[task].try_send(()).unwrap();
        }
    });
    let mut senders = Vec::new();
    for (task, mut window) in windows.into_iter().enumerate() {
        let socket = Arc::clone(&socket);
        senders.push(rt.spawn(async move {
            for at in 0..EACH {
                if at >= WINDOW {
                    window.recv().await.unwrap();
                }
                let number = task * EACH + at;
                let mut datagram = number.to_le_bytes().to_vec();
                datagram.extend(bytes(number, size(number) - 8));
                let sent = socket.send_to(&datagram, address).await.unwrap();
                assert_eq!(sent, datagram.len());
            }
            // Kept open until the peer has finished.
            window
        }));
    }
    let mut windows = Vec::new();
    for sender in senders {
        windows.push(sender.await.unwrap());
    }
    receiver.join().await;
}

fn size(number: usize) -> usize {
    8 + number * 37 % 3000
}

async fn a_closed_port_is_an_error_of_a_connected_socket<R: Runtime>(rt: R) {
    let dead = peer_udp().1;
    let (socket, _) = udp(&rt).await;
    socket.connect(dead).await.unwrap();
    socket.send(b"anybody?").await.unwrap();
    let error = socket.recv(&mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(error.raw_os_error().is_some(), "{error:?}");
}

async fn sending_without_a_peer_is_an_error<R: Runtime>(rt: R) {
    let native = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    let native = native.send(b"to whom?").unwrap_err();
    let (socket, _) = udp(&rt).await;
    let error = socket.send(b"to whom?").await.unwrap_err();
    assert_eq!(error.kind(), native.kind());
    assert_eq!(error.raw_os_error(), native.raw_os_error());
}

async fn without_a_peer_there_is_no_peer_addr<R: Runtime>(rt: R) {
    let (socket, _) = udp(&rt).await;
    let error = socket.peer_addr().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
}

async fn several_tasks_receive_on_one_socket<R: Runtime>(rt: R) {
    const TASKS: usize = 8;
    let (socket, address) = udp(&rt).await;
    let socket = Arc::new(socket);
    let (waits, mut waiting) = rt.bounded::<()>(TASKS);
    let tasks = [(); TASKS].map(|()| {
        let (socket, waits) = (Arc::clone(&socket), waits.clone());
        rt.spawn(async move {
            let mut buffer = [0; 16];
            let mut receive = Box::pin(socket.recv_from(&mut buffer));
            assert!(poll_once(&mut receive).await.is_pending(), "nothing yet");
            waits.send(()).await.unwrap();
            assert_eq!(receive.await.unwrap().0, 1);
            buffer[0]
        })
    });
    for _ in 0..TASKS {
        waiting.recv().await.unwrap();
    }
    let (peer, _) = peer_udp();
    for number in 0..TASKS {
        peer.send_to(&[number as u8], address).await;
    }
    let mut received = Vec::new();
    for task in tasks {
        received.push(task.await.unwrap());
    }
    received.sort_unstable();
    assert_eq!(received, [0, 1, 2, 3, 4, 5, 6, 7]);
}

async fn tasks_that_wait_for_datagrams_do_not_wake_each_other<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let socket = Arc::new(socket);
    let polls = Arc::new(AtomicUsize::new(0));
    let tasks = [(); 3].map(|()| {
        let (socket, polls) = (Arc::clone(&socket), Arc::clone(&polls));
        rt.spawn(async move { counted(socket.recv_from(&mut [0; 1]), polls).await.unwrap() })
    });
    assert_at_rest(&rt, &polls).await;
    let (peer, from) = peer_udp();
    for _ in &tasks {
        peer.send_to(&[1], address).await;
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), (1, from));
    }
}

async fn one_task_sends_while_another_waits_to_receive<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, peer_address) = peer_udp();
    let echo = start_peer(async move {
        let mut buffer = [0; 16];
        for _ in 0..100 {
            let (n, from) = peer.recv_from(&mut buffer).await;
            assert_eq!(from, address);
            peer.send_to(&buffer[..n], from).await;
        }
    });
    for round in 0..100 {
        let mut buffer = [0; 16];
        let sent = bytes(round, 16);
        // The receive is polled first, so it is pending when the send begins.
        let (received, ()) = join(socket.recv_from(&mut buffer), async {
            socket.send_to(&sent, peer_address).await.unwrap();
        })
        .await;
        assert_eq!(received.unwrap(), (16, peer_address));
        assert_eq!(buffer[..], sent);
    }
    echo.join().await;
}

async fn a_second_bind_of_a_datagram_port_is_refused<R: Runtime>(rt: R) {
    let (_socket, address) = udp(&rt).await;
    let error = rt.bind_udp(address).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.raw_os_error().is_some(), "{error:?}");
}

async fn bind_tries_each_address_for_datagrams<R: Runtime>(rt: R) {
    let (_taken, taken) = udp(&rt).await;
    let socket = rt.bind_udp(vec![taken, here()]).await.unwrap();
    assert_ne!(socket.local_addr().unwrap(), taken);
    let error = rt.bind_udp(vec![taken, taken]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
