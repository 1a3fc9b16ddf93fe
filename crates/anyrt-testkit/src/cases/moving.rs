//! Sockets that are created in one place and used in another: in other tasks, on plain threads,
//! after their runtime has ended.
//!
//! `Send` alone does not prove this: a reactor may still wake the wrong task, or keep a socket that
//! was dropped elsewhere.

use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Mutex;
use std::thread;

use anyrt_core::net::{FromStd, Net, TcpListener, TcpStream, UdpSocket};
use anyrt_core::runtime::{Owner, Runtime};
use anyrt_core::task::Spawner;
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::peer::{
    LOOPBACK, assert_bytes, bytes, dropped, listen, peer_connect, peer_listen, peer_udp,
    start_peer, start_thread, there, udp, with_peer,
};
use crate::case::cases;
use crate::{Backend, Gate, on_thread, park_on, poll_once};

cases! {
    from_std {
        async a_stream_of_std_can_be_taken_over;
        async a_listener_of_std_can_be_taken_over;
        async a_datagram_socket_of_std_can_be_taken_over;
        fn no_socket_is_made_for_a_runtime_that_has_ended;
    }
    async a_stream_made_in_one_task_is_read_in_another_and_written_in_a_third;
    async a_stream_hops_from_task_to_task_under_a_writer;
    async a_stream_hops_between_a_task_and_a_plain_thread;
    async the_last_place_that_waits_is_woken;
    async accept_read_and_write_work_on_a_plain_thread;
    async connect_works_on_a_plain_thread;
    async datagrams_work_on_a_plain_thread;
    async a_stream_dropped_on_a_plain_thread_sends_the_end;
    async two_hundred_streams_dropped_on_a_plain_thread_send_the_end;
    async a_listener_dropped_on_a_plain_thread_refuses_later_clients;
    fn peers_see_the_end_when_the_runtime_ends;
    fn who_waits_for_a_socket_when_its_runtime_ends_is_told;
    fn a_socket_whose_runtime_has_ended_waits_for_nothing;
    fn a_stream_of_one_runtime_works_in_another;
}

async fn a_stream_made_in_one_task_is_read_in_another_and_written_in_a_third<R: Runtime>(rt: R) {
    let (listener, address) = peer_listen();
    let made = rt.spawn({
        let rt = rt.clone();
        async move { rt.connect_tcp(address).await.unwrap() }
    });
    let mut stream = made.await.unwrap();
    let (mut peer, _) = listener.accept().await;

    peer.write_all(b"question").await.unwrap();
    let read = rt.spawn(async move {
        let mut question = [0; 8];
        stream.read_exact(&mut question).await.unwrap();
        assert_eq!(&question, b"question");
        stream
    });
    let mut stream = read.await.unwrap();
    let written = rt.spawn(async move {
        stream.write_all(b"answer").await.unwrap();
    });
    written.await.unwrap();
    assert_eq!(there(async move { peer.all().await }).await, b"answer");
}

async fn a_stream_hops_from_task_to_task_under_a_writer<R: Runtime>(rt: R) {
    const HOPS: usize = 500;
    const STEP: usize = 97;
    let (mut stream, mut peer) = with_peer(&rt).await;
    let writer = start_peer(async move {
        for chunk in bytes(0, HOPS * STEP).chunks(61) {
            peer.write_all(chunk).await.unwrap();
        }
    });
    for hop in 0..HOPS {
        let task = rt.spawn(async move {
            let mut part = [0; STEP];
            stream.read_exact(&mut part).await.unwrap();
            assert_bytes(&part, hop * STEP);
            stream
        });
        stream = task.await.unwrap();
    }
    writer.join().await;
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
}

async fn a_stream_hops_between_a_task_and_a_plain_thread<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move { peer.echo().await });
    for offset in (0..20_000).step_by(200) {
        let task = rt.spawn(round_trip(stream, offset));
        stream = task.await.unwrap();
        stream = on_thread(move || park_on(round_trip(stream, offset + 100))).await;
    }
    drop(stream);
    peer.join().await;
}

/// Sends a hundred bytes to an echo and checks what comes back.
async fn round_trip<S: TcpStream>(mut stream: S, offset: usize) -> S {
    let sent = bytes(offset, 100);
    stream.write_all(&sent).await.unwrap();
    let mut answer = [0; 100];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..], sent);
    stream
}

async fn the_last_place_that_waits_is_woken<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    for _ in 0..20 {
        // Dropped in a task, then awaited on a plain thread; and vice versa.
        stream = rt.spawn(give_up_a_read(stream)).await.unwrap();
        let waits = Gate::new();
        let elsewhere = start_thread({
            let waits = waits.clone();
            move || park_on(read_one(stream, waits))
        });
        waits.wait().await;
        peer.write_all(b"!").await.unwrap();
        stream = elsewhere.join().await;

        stream = on_thread(move || park_on(give_up_a_read(stream))).await;
        let waits = Gate::new();
        let elsewhere = rt.spawn(read_one(stream, waits.clone()));
        waits.wait().await;
        peer.write_all(b"!").await.unwrap();
        stream = elsewhere.await.unwrap();
    }
}

async fn give_up_a_read<S: TcpStream>(mut stream: S) -> S {
    assert!(dropped(stream.read(&mut [0; 1])).await.is_none());
    stream
}

async fn read_one<S: TcpStream>(mut stream: S, waits: Gate) -> S {
    let mut byte = [0; 1];
    let mut read = stream.read(&mut byte);
    assert!(poll_once(&mut read).await.is_pending());
    waits.open();
    assert_eq!(read.await.unwrap(), 1);
    assert_eq!(&byte, b"!");
    stream
}

async fn accept_read_and_write_work_on_a_plain_thread<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let server = start_thread(move || {
        park_on(async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; 8];
            stream.read_exact(&mut question).await.unwrap();
            stream.write_all(&question).await.unwrap();
            stream.close().await.unwrap();
        });
    });
    let client = start_peer(async move {
        let mut client = peer_connect(address).await;
        client.write_all(b"question").await.unwrap();
        client.all().await
    });
    server.join().await;
    assert_eq!(client.join().await, b"question");
}

async fn connect_works_on_a_plain_thread<R: Runtime>(rt: R) {
    let (listener, address) = peer_listen();
    let peer = start_peer(async move { listener.accept().await.0.echo().await });
    let there = rt.clone();
    let stream = on_thread(move || {
        park_on(async {
            // By name as well: resolution must not depend on the calling thread.
            let name = ("localhost".to_owned(), address.port());
            there.lookup_host(name).await.unwrap().next().unwrap();
            there.connect_tcp(address).await.unwrap()
        })
    })
    .await;
    drop(round_trip(stream, 0).await);
    peer.join().await;
}

async fn datagrams_work_on_a_plain_thread<R: Runtime>(rt: R) {
    let (socket, address) = udp(&rt).await;
    let (peer, from) = peer_udp();
    let elsewhere = start_thread(move || {
        park_on(async {
            let mut buffer = [0; 16];
            let (n, sender) = socket.recv_from(&mut buffer).await.unwrap();
            socket.send_to(&buffer[..n], sender).await.unwrap();
            assert_eq!(sender, from);
        });
    });
    let answer = there(async move {
        peer.send_to(b"question", address).await;
        let mut answer = [0; 16];
        let (n, _) = peer.recv_from(&mut answer).await;
        answer[..n].to_vec()
    });
    assert_eq!(answer.await, b"question");
    elsewhere.join().await;
}

async fn a_stream_dropped_on_a_plain_thread_sends_the_end<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    stream.write_all(b"last words").await.unwrap();
    let peer = start_peer(async move { peer.all().await });
    on_thread(move || drop(stream)).await;
    assert_eq!(peer.join().await, b"last words");
}

async fn two_hundred_streams_dropped_on_a_plain_thread_send_the_end<R: Runtime>(rt: R) {
    let (mut streams, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let (mut stream, peer) = with_peer(&rt).await;
        // The reactor knows the socket, and a task waited for it.
        assert!(dropped(stream.read(&mut [0; 1])).await.is_none());
        streams.push(stream);
        peers.push(peer);
    }
    let dropper = start_thread(move || drop(streams));
    there(async move {
        for mut peer in peers {
            assert!(peer.all().await.is_empty());
        }
    })
    .await;
    dropper.join().await;
}

async fn a_listener_dropped_on_a_plain_thread_refuses_later_clients<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    assert!(dropped(listener.accept()).await.is_none());
    on_thread(move || drop(listener)).await;
    // The owning thread may need one iteration to close it. A client that connects before that sees
    // the end.
    while let Ok(mut stream) = rt.connect_tcp(address).await {
        let _ = stream.read(&mut [0; 1]).await;
    }
}

async fn a_stream_of_std_can_be_taken_over<R: Runtime + FromStd>(rt: R) {
    let (listener, address) = peer_listen();
    let native = std::net::TcpStream::connect(address).unwrap();
    native.set_nonblocking(true).unwrap();
    let peer = start_peer(async move { listener.accept().await.0.echo().await });
    let there = rt.clone();
    let stream = on_thread(move || there.tcp_stream_from_std(native).unwrap()).await;
    drop(round_trip(stream, 0).await);
    peer.join().await;
}

async fn a_listener_of_std_can_be_taken_over<R: Runtime + FromStd>(rt: R) {
    let native = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let address = native.local_addr().unwrap();
    native.set_nonblocking(true).unwrap();
    let there = rt.clone();
    let listener = on_thread(move || there.tcp_listener_from_std(native).unwrap()).await;
    assert_eq!(listener.local_addr().unwrap(), address);
    let mut accept = Box::pin(listener.accept());
    assert!(poll_once(&mut accept).await.is_pending());
    let client = peer_connect(address).await;
    assert_eq!(accept.await.unwrap().1, client.local_addr().unwrap());
}

async fn a_datagram_socket_of_std_can_be_taken_over<R: Runtime + FromStd>(rt: R) {
    let native = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    native.set_nonblocking(true).unwrap();
    let address = native.local_addr().unwrap();
    let there = rt.clone();
    let socket = on_thread(move || there.udp_socket_from_std(native).unwrap()).await;
    let mut buffer = [0; 16];
    let mut receive = Box::pin(socket.recv_from(&mut buffer));
    assert!(poll_once(&mut receive).await.is_pending());
    let (peer, from) = peer_udp();
    peer.send_to(b"datagram", address).await;
    assert_eq!(receive.await.unwrap(), (8, from));
    assert_eq!(&buffer[..8], b"datagram");
}

fn peers_see_the_end_when_the_runtime_ends<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let peers = owner.block_on(async move {
        let mut peers = Vec::new();
        for _ in 0..50 {
            let (stream, peer) = with_peer(&rt).await;
            let waits = Gate::new();
            drop(rt.spawn(read_one(stream, waits.clone())));
            waits.wait().await;
            peers.push(peer);
        }
        peers
    });
    drop(owner);
    for mut peer in peers {
        assert!(park_on(peer.all()).is_empty());
    }
}

fn who_waits_for_a_socket_when_its_runtime_ends_is_told<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let ((mut stream, _peer), (listener, _), (socket, _)) =
        owner.block_on(async { (with_peer(&rt).await, listen(&rt).await, udp(&rt).await) });
    let gates = [(); 3].map(|()| Gate::new());
    let [reads, accepts, receives] = gates.clone();
    thread::scope(|scope| {
        let waiting = [
            scope.spawn(move || park_on(told(reads, stream.read(&mut [0; 1])))),
            scope.spawn(move || park_on(told(accepts, listener.accept()))),
            scope.spawn(move || park_on(told(receives, socket.recv(&mut [0; 1])))),
        ];
        for gate in gates {
            gate.wait_blocking();
        }
        drop(owner);
        for thread in waiting {
            assert_eq!(thread.join().unwrap(), Some(ErrorKind::Other));
        }
    });
}

/// Opens `gate` once `operation` is pending. Returns its error.
async fn told<T>(gate: Gate, operation: impl Future<Output = io::Result<T>>) -> Option<ErrorKind> {
    let mut operation = pin!(operation);
    assert!(poll_once(&mut operation).await.is_pending());
    gate.open();
    operation.await.err().map(|error| error.kind())
}

fn a_socket_whose_runtime_has_ended_waits_for_nothing<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let (mut stream, mut peer, listener, socket) = owner.block_on(async {
        let (mut stream, peer) = with_peer(&rt).await;
        let (listener, _) = listen(&rt).await;
        let (socket, _) = udp(&rt).await;
        assert!(dropped(stream.read(&mut [0; 1])).await.is_none());
        assert!(dropped(listener.accept()).await.is_none());
        assert!(dropped(socket.recv(&mut [0; 1])).await.is_none());
        (stream, peer, listener, socket)
    });
    drop(owner);
    let failed = |error: io::Error| assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    park_on(async {
        failed(stream.read(&mut [0; 1]).await.unwrap_err());
        failed(listener.accept().await.unwrap_err());
        failed(socket.recv(&mut [0; 1]).await.unwrap_err());
    });
    drop((stream, listener, socket));
    assert!(park_on(peer.all()).is_empty());
}

fn no_socket_is_made_for_a_runtime_that_has_ended<O: Owner>(backend: &Backend<O>)
where
    O::Handle: FromStd,
{
    let owner = backend.build();
    let rt = owner.handle().clone();
    drop(owner);
    let native = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let address = native.local_addr().unwrap();
    let failed = |error: io::Error| assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    park_on(async {
        failed(rt.bind_tcp(LOOPBACK).await.unwrap_err());
        failed(rt.bind_udp(LOOPBACK).await.unwrap_err());
        failed(rt.connect_tcp(address).await.unwrap_err());
    });
    native.set_nonblocking(true).unwrap();
    failed(rt.tcp_listener_from_std(native).unwrap_err());
}

fn a_stream_of_one_runtime_works_in_another<O: Owner>(backend: &Backend<O>) {
    let (home, other) = (backend.build(), backend.build());
    let (listener, address) = peer_listen();
    let (connected, done) = (Gate::new(), Gate::new());
    let slot = Mutex::new(None);
    thread::scope(|scope| {
        scope.spawn(|| park_on(async { listener.accept().await.0.echo().await }));
        // A current-thread runtime serves its sockets only while it is inside `block_on`.
        scope.spawn(|| {
            home.block_on(async {
                let stream = home.handle().connect_tcp(address).await.unwrap();
                *slot.lock().unwrap() = Some(stream);
                connected.open();
                done.wait().await;
            });
        });
        connected.wait_blocking();
        let stream = slot.lock().unwrap().take().unwrap();
        other.block_on(async {
            let stream = round_trip(stream, 0).await;
            let task = other.handle().spawn(round_trip(stream, 100));
            drop(task.await.unwrap());
        });
        done.open();
    });
}
