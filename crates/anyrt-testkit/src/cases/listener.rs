//! Binding, accepting and connecting: addresses, options and errors.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyrt_core::channel::{Receiver, Sender};
use anyrt_core::net::{TcpListener, TcpStream};
use anyrt_core::runtime::Runtime;
use futures_util::future::{join_all, poll_fn};
use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt};
use socket2::{Domain, Socket, Type};

use super::peer::{
    LOOPBACK, assert_at_rest, bytes, counted, dead_tcp, dead_tcp_of_system, here, listen,
    peer_connect, start_peer, there,
};
use crate::case::cases;
use crate::poll_once;

cases! {
    async port_zero_gives_a_port;
    async a_second_bind_of_a_live_port_is_refused;
    async a_second_bind_by_name_is_refused;
    async nobody_can_share_the_port;
    async a_restarted_listener_gets_its_port_back_at_once;
    async bind_tries_each_address;
    async bind_gives_the_last_error;
    async an_empty_list_is_invalid_input;
    async connect_tries_each_address;
    async connect_gives_the_last_error;
    async a_refused_connect_keeps_kind_and_errno;
    async accept_gives_the_address_of_the_peer;
    async a_waiting_accept_is_woken_by_a_connection;
    async several_tasks_accept_at_once;
    async tasks_that_wait_for_clients_do_not_wake_each_other;
    async five_hundred_connections_at_once_are_all_served;
    async what_a_client_sent_before_the_accept_is_there;
    async incoming_gives_each_connection;
    async dropping_the_listener_refuses_later_clients;
    async accepted_streams_outlive_the_listener;
}

async fn port_zero_gives_a_port<R: Runtime>(rt: R) {
    let (_first, first) = listen(&rt).await;
    let (_second, second) = listen(&rt).await;
    assert_ne!(first.port(), 0);
    assert_ne!(second.port(), 0);
    assert_ne!(first, second);
    assert_eq!(first.ip(), here().ip());
}

async fn a_second_bind_of_a_live_port_is_refused<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    // While it is idle, and while it has a connection.
    for _ in 0..2 {
        let error = rt.bind_tcp(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.raw_os_error().is_some(), "{error:?}");

        let _client = peer_connect(address).await;
        let _served = listener.accept().await.unwrap();
        let error = rt.bind_tcp(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}

async fn a_second_bind_by_name_is_refused<R: Runtime>(rt: R) {
    // A name may have several addresses; occupy the port on each that exists here.
    let first = rt.bind_tcp("localhost:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    let _others: Vec<_> = rt
        .lookup_host(("localhost", port))
        .await
        .unwrap()
        .map(std::net::TcpListener::bind)
        .collect();
    let native = std::net::TcpListener::bind(("localhost", port)).unwrap_err();
    let error = rt.bind_tcp(("localhost", port)).await.unwrap_err();
    assert_eq!(error.kind(), native.kind());
    assert_eq!(error.raw_os_error(), native.raw_os_error());
}

async fn nobody_can_share_the_port<R: Runtime>(rt: R) {
    let (_listener, address) = listen(&rt).await;
    // Succeeds if, and only if, the first one also has SO_REUSEPORT.
    let thief = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    thief.set_reuse_address(true).unwrap();
    #[cfg(unix)]
    thief.set_reuse_port(true).unwrap();
    let stolen = thief.bind(&address.into()).and_then(|()| thief.listen(1));
    assert_eq!(stolen.unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

async fn a_restarted_listener_gets_its_port_back_at_once<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    for _ in 0..3 {
        let mut client = peer_connect(address).await;
        let (stream, _) = listener.accept().await.unwrap();
        // The server closes first, so its port is in TIME_WAIT.
        drop(stream);
        assert_eq!(there(async move { client.all().await }).await, b"");
    }
    drop(listener);

    let without_the_option = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    assert!(
        cfg!(not(target_os = "linux")) || without_the_option.bind(&address.into()).is_err(),
        "nothing holds the port, so this case shows nothing"
    );
    let restarted = rt.bind_tcp(address).await.unwrap();
    let client = peer_connect(address).await;
    let (_, from) = restarted.accept().await.unwrap();
    assert_eq!(from, client.local_addr().unwrap());
}

async fn bind_tries_each_address<R: Runtime>(rt: R) {
    let (_taken, taken) = listen(&rt).await;
    let listener = rt.bind_tcp(vec![taken, taken, here()]).await.unwrap();
    let address = listener.local_addr().unwrap();
    assert_ne!(address, taken);
    peer_connect(address).await;
}

async fn bind_gives_the_last_error<R: Runtime>(rt: R) {
    let (_taken, taken) = listen(&rt).await;
    let of_system = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let taken_of_system = of_system.local_addr().unwrap();
    // Reserved for documentation, so no host has it.
    let foreign = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0));
    for (addresses, of_system) in [
        (vec![foreign, taken], [foreign, taken_of_system]),
        (vec![taken, foreign], [taken_of_system, foreign]),
    ] {
        let native = std::net::TcpListener::bind(&of_system[..]).unwrap_err();
        let error = rt.bind_tcp(addresses).await.unwrap_err();
        assert_eq!(error.kind(), native.kind());
        assert_eq!(error.raw_os_error(), native.raw_os_error());
    }
}

async fn an_empty_list_is_invalid_input<R: Runtime>(rt: R) {
    let none = Vec::<SocketAddr>::new;
    let errors = [
        rt.bind_tcp(none()).await.unwrap_err(),
        rt.connect_tcp(none()).await.unwrap_err(),
        rt.bind_udp(none()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

async fn connect_tries_each_address<R: Runtime>(rt: R) {
    let (listener, good) = listen(&rt).await;
    let dead = dead_tcp();
    let client = rt.connect_tcp(vec![dead, dead, good]).await.unwrap();
    assert_eq!(client.peer_addr().unwrap(), good);
    let (_, from) = listener.accept().await.unwrap();
    assert_eq!(from, client.local_addr().unwrap());
}

async fn connect_gives_the_last_error<R: Runtime>(rt: R) {
    let (dead, dead_of_system) = (dead_tcp(), dead_tcp_of_system());
    // TCP has no broadcast; the system rejects it without using the network.
    let nowhere = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
    let mut kinds = Vec::new();
    for (addresses, of_system) in [
        (vec![nowhere, dead], [nowhere, dead_of_system]),
        (vec![dead, nowhere], [dead_of_system, nowhere]),
    ] {
        let native = std::net::TcpStream::connect(&of_system[..]).unwrap_err();
        let error = rt.connect_tcp(addresses).await.unwrap_err();
        assert_eq!(error.kind(), native.kind());
        assert_eq!(error.raw_os_error(), native.raw_os_error());
        kinds.push(error.kind());
    }
    assert_ne!(kinds[0], kinds[1], "two equal errors show nothing");
}

async fn a_refused_connect_keeps_kind_and_errno<R: Runtime>(rt: R) {
    let native = std::net::TcpStream::connect(dead_tcp_of_system()).unwrap_err();
    let error = rt.connect_tcp(dead_tcp()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(error.raw_os_error(), native.raw_os_error());
}

async fn accept_gives_the_address_of_the_peer<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    // All three wait before the first is accepted. They must be accepted in order, with their
    // addresses.
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(peer_connect(address).await);
    }
    for client in clients {
        let (stream, from) = listener.accept().await.unwrap();
        assert_eq!(from, client.local_addr().unwrap());
        assert_eq!(stream.peer_addr().unwrap(), from);
        assert_eq!(stream.local_addr().unwrap(), address);
    }
}

async fn a_waiting_accept_is_woken_by_a_connection<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    for _ in 0..100 {
        let mut accept = Box::pin(listener.accept());
        assert!(poll_once(&mut accept).await.is_pending(), "no client yet");
        let client = peer_connect(address).await;
        let (_, from) = accept.await.unwrap();
        assert_eq!(from, client.local_addr().unwrap());
    }
}

async fn several_tasks_accept_at_once<R: Runtime>(rt: R) {
    const TASKS: usize = 8;
    let (listener, address) = listen(&rt).await;
    let listener = Arc::new(listener);
    let (waits, mut waiting) = rt.bounded::<()>(TASKS);
    let tasks = [(); TASKS].map(|()| {
        let (listener, waits) = (Arc::clone(&listener), waits.clone());
        rt.spawn(async move {
            let mut accept = Box::pin(listener.accept());
            assert!(poll_once(&mut accept).await.is_pending(), "no client yet");
            waits.send(()).await.unwrap();
            let (mut stream, _) = accept.await.unwrap();
            stream.write_all(b"hello").await.unwrap();
        })
    });
    for _ in 0..TASKS {
        waiting.recv().await.unwrap();
    }
    // Each task waits for one client, so a lost wake-up leaves one client unserved.
    let mut clients = Vec::new();
    for _ in 0..TASKS {
        clients.push(peer_connect(address).await);
    }
    for mut client in clients {
        assert_eq!(there(async move { client.all().await }).await, b"hello");
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn tasks_that_wait_for_clients_do_not_wake_each_other<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let listener = Arc::new(listener);
    let polls = Arc::new(AtomicUsize::new(0));
    let tasks = [(); 3].map(|()| {
        let (listener, polls) = (Arc::clone(&listener), Arc::clone(&polls));
        rt.spawn(async move { counted(listener.accept(), polls).await.unwrap().1 })
    });
    assert_at_rest(&rt, &polls).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(peer_connect(address).await);
    }
    let served = join_all(tasks).await.into_iter().map(Result::unwrap);
    let expected = clients.iter().map(|client| client.local_addr().unwrap());
    assert_eq!(served.collect::<BTreeSet<_>>(), expected.collect());
}

async fn five_hundred_connections_at_once_are_all_served<R: Runtime>(rt: R) {
    const CLIENTS: usize = 500;
    let (listener, address) = listen(&rt).await;
    // All connections are open before the first is accepted.
    let mut clients = there(async move {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(peer_connect(address).await);
        }
        clients
    })
    .await;
    let peer = start_peer(async move {
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&bytes(number, 100)).await.unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let mut answer = [0; 100];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer[..], bytes(number, 100));
        }
    });
    let mut servers = Vec::new();
    for _ in 0..CLIENTS {
        let (mut stream, _) = listener.accept().await.unwrap();
        servers.push(rt.spawn(async move {
            let mut request = [0; 100];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(&request).await.unwrap();
            stream
        }));
    }
    for server in join_all(servers).await {
        server.unwrap();
    }
    peer.join().await;
}

async fn what_a_client_sent_before_the_accept_is_there<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let mut client = peer_connect(address).await;
    client.write_all(b"early").await.unwrap();
    drop(client);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"early");
}

async fn incoming_gives_each_connection<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let mut incoming = std::pin::pin!(listener.incoming());
    for _ in 0..10 {
        let client = peer_connect(address).await;
        let stream = incoming.next().await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), client.local_addr().unwrap());
    }
    // The stream is pending; it has not ended.
    let more = poll_fn(|cx| std::task::Poll::Ready(incoming.poll_next_unpin(cx).is_pending()));
    assert!(more.await);
}

async fn dropping_the_listener_refuses_later_clients<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    peer_connect(address).await;
    listener.accept().await.unwrap();
    drop(listener);
    let error = rt.connect_tcp(address).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

async fn accepted_streams_outlive_the_listener<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let mut client = peer_connect(address).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    drop(listener);
    let peer = start_peer(async move { client.echo().await });
    stream.write_all(b"still here").await.unwrap();
    stream.close().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"still here");
    peer.join().await;
}
