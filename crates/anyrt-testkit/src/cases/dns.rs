//! Name resolution never blocks the tasks, and fails with errors rather than panics.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use anyrt_core::blocking::Blocking;
use anyrt_core::net::{Net, TcpListener};
use anyrt_core::runtime::{Owner, Runtime};
use anyrt_core::task::{Spawner, yield_now};

use super::peer::{listen, peer_listen};
use crate::case::cases;
use crate::{Backend, Gate, poll_once};

cases! {
    async a_name_is_resolved_as_the_system_does;
    async connect_and_bind_take_names;
    async a_name_that_does_not_exist_is_an_error;
    async malformed_text_is_invalid_input;
    async all_forms_of_literals_are_understood;
    fn tasks_go_on_while_a_name_is_resolved;
    fn literals_need_no_resolution;
    fn a_dropped_resolution_does_no_harm;
}

/// Reserved never to exist, RFC 6761.
const NOBODY: &str = "does-not-exist.invalid:80";

async fn a_name_is_resolved_as_the_system_does<R: Runtime>(rt: R) {
    let native: Vec<_> = "localhost:80".to_socket_addrs().unwrap().collect();
    let from_text: Vec<_> = rt.lookup_host("localhost:80").await.unwrap().collect();
    let from_pair: Vec<_> = rt.lookup_host(("localhost", 80)).await.unwrap().collect();
    assert!(!native.is_empty());
    assert_eq!(from_text, native);
    assert_eq!(from_pair, native);
}

async fn connect_and_bind_take_names<R: Runtime>(rt: R) {
    let listener = rt.bind_tcp("localhost:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = rt.connect_tcp(("localhost", port)).await.unwrap();
    let (_, from) = listener.accept().await.unwrap();
    use anyrt_core::net::{TcpStream as _, UdpSocket as _};
    assert_eq!(from, client.local_addr().unwrap());
    let socket = rt.bind_udp("localhost:0".to_owned()).await.unwrap();
    assert_ne!(socket.local_addr().unwrap().port(), 0);
}

async fn a_name_that_does_not_exist_is_an_error<R: Runtime>(rt: R) {
    rt.lookup_host(NOBODY).await.unwrap_err();
    rt.bind_tcp(NOBODY).await.unwrap_err();
    rt.connect_tcp(NOBODY).await.unwrap_err();
    rt.bind_udp(NOBODY).await.unwrap_err();
    // The runtime still works.
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
}

async fn malformed_text_is_invalid_input<R: Runtime>(rt: R) {
    for text in ["no-port", "host:99999", "host:", "127.0.0.1", "[::1]", ""] {
        let errors = [
            rt.lookup_host(text).await.unwrap_err(),
            rt.bind_tcp(text).await.unwrap_err(),
            rt.connect_tcp(text).await.unwrap_err(),
            rt.bind_udp(text).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{text:?}");
        }
    }
}

async fn all_forms_of_literals_are_understood<R: Runtime>(rt: R) {
    let four = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 80));
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, 80));
    let forms = [
        (rt.lookup_host("192.0.2.7:80").await, vec![four]),
        (rt.lookup_host(("192.0.2.7", 80)).await, vec![four]),
        (rt.lookup_host((four.ip(), 80)).await, vec![four]),
        (rt.lookup_host("[::1]:80").await, vec![six]),
        (rt.lookup_host(("::1", 80)).await, vec![six]),
        (rt.lookup_host(String::from("[::1]:80")).await, vec![six]),
        (rt.lookup_host(six).await, vec![six]),
        (rt.lookup_host(&[four, six][..]).await, vec![four, six]),
        (rt.lookup_host(Vec::new()).await, vec![]),
    ];
    for (found, expected) in forms {
        assert_eq!(found.unwrap().collect::<Vec<_>>(), expected);
    }
}

/// Runs `case` on a runtime whose only blocking thread is busy until `release` opens, so that no
/// name can be resolved before that.
fn with_a_busy_resolver<O: Owner>(backend: &Backend<O>, case: impl AsyncFnOnce(O::Handle, Gate)) {
    let owner = backend.build_with(|options| {
        options.max_blocking_threads(1);
    });
    let rt = owner.handle().clone();
    let (taken, release) = (Gate::new(), Gate::new());
    owner.block_on(async {
        let job = rt.spawn_blocking({
            let (taken, release) = (taken.clone(), release.clone());
            move || {
                taken.open();
                release.wait_blocking();
            }
        });
        taken.wait().await;
        case(rt.clone(), release).await;
        job.await.unwrap();
    });
}

fn tasks_go_on_while_a_name_is_resolved<O: Owner>(backend: &Backend<O>) {
    with_a_busy_resolver(backend, async |rt, release| {
        let mut lookup = Box::pin(rt.lookup_host("localhost:80"));
        let mut connect = Box::pin(rt.connect_tcp(NOBODY));
        assert!(poll_once(&mut lookup).await.is_pending());
        assert!(poll_once(&mut connect).await.is_pending());
        // A resolver that blocked the executor would never let this task open the gate.
        let other = rt.spawn(async move {
            for _ in 0..100 {
                yield_now().await;
            }
            release.open();
        });
        assert!(lookup.await.unwrap().next().is_some());
        connect.await.unwrap_err();
        other.await.unwrap();
    });
}

fn literals_need_no_resolution<O: Owner>(backend: &Backend<O>) {
    with_a_busy_resolver(backend, async |rt, release| {
        let (listener, address) = listen(&rt).await;
        let client = rt.connect_tcp(address.to_string()).await.unwrap();
        listener.accept().await.unwrap();
        rt.bind_udp("127.0.0.1:0").await.unwrap();
        rt.lookup_host("[::1]:80").await.unwrap();
        // An invalid address needs no resolver either.
        rt.lookup_host("no-port").await.unwrap_err();
        drop(client);
        release.open();
    });
}

fn a_dropped_resolution_does_no_harm<O: Owner>(backend: &Backend<O>) {
    with_a_busy_resolver(backend, async |rt, release| {
        let (native, address) = peer_listen();
        for _ in 0..10 {
            let mut lookup = Box::pin(rt.lookup_host(NOBODY));
            assert!(poll_once(&mut lookup).await.is_pending());
            let mut connect = Box::pin(rt.connect_tcp(("localhost", address.port())));
            assert!(poll_once(&mut connect).await.is_pending());
        }
        release.open();
        rt.lookup_host("localhost:80").await.unwrap();
        // The dropped ones never connected.
        assert!(native.is_deserted().await);
    });
}
