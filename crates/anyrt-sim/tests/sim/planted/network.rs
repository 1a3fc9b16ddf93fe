//! Bugs that the network brings out.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyrt_core::net::{TcpListener as _, UdpSocket as _};
use anyrt_core::{Net, Timer};
use anyrt_sim::{Latency, Link, Sim};
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::here;

/// A link that loses some and doubles some.
fn bad(sim: &Sim) {
    let mut link = Link::default();
    link.loss = 0.05;
    link.duplication = 0.05;
    sim.set_link(link);
}

/// A counter behind datagrams. With the bug of losses the client asks once only; with that of duplicates the server
/// counts each request that comes.
pub(super) fn counter(seed: u64, asks_once: bool, counts_twice: bool) -> bool {
    let sim = Sim::new(seed);
    let count = Arc::new(AtomicUsize::new(0));
    let total = Arc::clone(&count);
    let server = sim.host("server", move || {
        let count = Arc::clone(&count);
        async move {
            let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
            let (mut seen, mut request) = (BTreeSet::new(), [0]);
            loop {
                let (_, from) = socket.recv_from(&mut request).await.unwrap();
                if seen.insert(request) || counts_twice {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                socket.send_to(&request, from).await.unwrap();
            }
        }
    });
    bad(&sim);
    sim.client("client", async move {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
        for request in 0..5 {
            let mut answer = [u8::MAX];
            while answer != [request] {
                socket.send_to(&[request], server.address(1)).await.unwrap();
                if asks_once {
                    while answer != [request] {
                        socket.recv(&mut answer).await.unwrap();
                    }
                }
                let soon = Duration::from_millis(20);
                while answer != [request] {
                    if rt.timeout(soon, socket.recv(&mut answer)).await.is_err() {
                        break;
                    }
                }
            }
        }
    });
    sim.run().is_ok() && total.load(Ordering::SeqCst) == 5
}

/// An upload whose sender may crash in the middle. With the bug the server takes the end for the end of the file.
pub(super) fn upload(seed: u64, bug: bool) -> bool {
    const LENGTH: usize = 100_000;
    let sim = Sim::new(seed);
    let accepted = Arc::new(Mutex::new(None));
    let stored = Arc::clone(&accepted);
    sim.host("store", move || {
        let stored = Arc::clone(&stored);
        async move {
            let listener = here().bind_tcp("0.0.0.0:1").await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut file = Vec::new();
            let ended = stream.read_to_end(&mut file).await.is_ok();
            if ended && (bug || file.len() == LENGTH) {
                *stored.lock().unwrap() = Some(file.len());
            }
            std::future::pending::<()>().await;
        }
    });
    sim.host("sender", || async {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        let mut stream = rt.connect_tcp("store:1").await.unwrap();
        for part in [0_u8; LENGTH].chunks(1_000) {
            stream.write_all(part).await.unwrap();
            rt.sleep(Duration::from_micros(100)).await;
        }
        stream.close().await.unwrap();
        std::future::pending::<()>().await;
    });
    sim.client("nemesis", async {
        let rt = here();
        rt.sleep(Duration::from_millis(rt.random() % 40)).await;
        rt.find_node("sender").unwrap().crash();
        rt.sleep(Duration::from_secs(1)).await;
    });
    sim.run().unwrap();
    let accepted = *accepted.lock().unwrap();
    accepted.is_none_or(|length| length == LENGTH)
}

/// A file that ends where the connection does. With the bug a reset is taken for that end as well.
pub(super) fn reset_for_end(seed: u64, bug: bool) -> bool {
    const LENGTH: usize = 20_000;
    let sim = Sim::new(seed);
    sim.host("server", || async {
        let rt = here();
        let listener = rt.bind_tcp("0.0.0.0:1").await.unwrap();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Half of the request is left unread until the end, so that a crash resets the connection.
            let serve = async {
                stream.read_exact(&mut [0]).await?;
                for part in [0_u8; LENGTH].chunks(1_000) {
                    stream.write_all(part).await?;
                    rt.sleep(Duration::from_micros(500)).await;
                }
                stream.close().await?;
                stream.read_to_end(&mut Vec::new()).await
            };
            let _ = serve.await;
        }
    });
    let taken = Arc::new(Mutex::new(None));
    let file = Arc::clone(&taken);
    sim.client("client", async move {
        let rt = here();
        loop {
            rt.sleep(Duration::from_millis(1)).await;
            let Ok(mut stream) = rt.connect_tcp("server:1").await else {
                continue;
            };
            if stream.write_all(b"go").await.is_err() {
                continue;
            }
            let (mut length, mut buffer) = (0, [0; 4_096]);
            let ended = loop {
                match stream.read(&mut buffer).await {
                    Ok(0) => break true,
                    Ok(count) => length += count,
                    Err(error) => break bug && error.kind() == ErrorKind::ConnectionReset,
                }
            };
            // No file is empty: the server has not even heard of the request.
            if ended && length > 0 {
                *file.lock().unwrap() = Some(length);
                return;
            }
        }
    });
    sim.client("nemesis", async {
        let rt = here();
        rt.sleep(Duration::from_millis(rt.random() % 20)).await;
        let server = rt.find_node("server").unwrap();
        server.crash();
        rt.sleep(Duration::from_millis(5)).await;
        server.restart();
    });
    sim.run().unwrap();
    *taken.lock().unwrap() == Some(LENGTH)
}

/// The last of some states that are sent as datagrams; with the bug the one that came last.
pub(super) fn reordered(seed: u64, bug: bool) -> bool {
    let sim = Sim::new(seed);
    let mut link = Link::default();
    link.reordering = true;
    sim.set_link(link);
    let state = Arc::new(AtomicUsize::new(0));
    let kept = Arc::clone(&state);
    let receiver = sim.host("receiver", move || {
        let kept = Arc::clone(&kept);
        async move {
            let socket = here().bind_udp("0.0.0.0:1").await.unwrap();
            loop {
                let mut state = [0];
                socket.recv(&mut state).await.unwrap();
                let state = usize::from(state[0]);
                match bug {
                    true => kept.store(state, Ordering::SeqCst),
                    false => _ = kept.fetch_max(state, Ordering::SeqCst),
                }
            }
        }
    });
    sim.client("sender", async move {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
        for state in 1..=10 {
            socket.send_to(&[state], receiver.address(1)).await.unwrap();
            rt.sleep(Duration::from_micros(rt.random() % 2_000)).await;
        }
        rt.sleep(Duration::from_secs(1)).await;
    });
    sim.run().unwrap();
    state.load(Ordering::SeqCst) == 10
}

/// A message that is written in two parts. With the bug the client expects one read to return both.
pub(super) fn short_read(seed: u64, bug: bool) -> bool {
    let sim = Sim::new(seed);
    sim.host("server", || async {
        let rt = here();
        let listener = rt.bind_tcp("0.0.0.0:1").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"head").await.unwrap();
        stream.write_all(b"body").await.unwrap();
        std::future::pending::<()>().await;
    });
    let message = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&message);
    sim.client("client", async move {
        let rt = here();
        rt.sleep(Duration::from_millis(1)).await;
        let mut stream = rt.connect_tcp("server:1").await.unwrap();
        // Often both parts are there by now.
        rt.sleep(Duration::from_micros(rt.random() % 1_500)).await;
        let mut message = [0; 8];
        let count = match bug {
            true => stream.read(&mut message).await.unwrap(),
            false => stream.read_exact(&mut message).await.map(|()| 8).unwrap(),
        };
        *received.lock().unwrap() = message[..count].to_vec();
    });
    sim.run().unwrap();
    *message.lock().unwrap() == b"headbody"
}

/// A service that grants leases of 20 ms. With the bug a holder counts them from the answer.
pub(super) fn stale_lease(seed: u64, bug: bool) -> bool {
    const TERM: Duration = Duration::from_millis(20);
    let sim = Sim::new(seed);
    let mut link = Link::default();
    link.latency = Latency::Uniform(Duration::from_micros(100), Duration::from_millis(8));
    sim.set_link(link);
    let server = sim.host("server", || async {
        let rt = here();
        let socket = rt.bind_udp("0.0.0.0:1").await.unwrap();
        let (mut number, mut until) = (0_u8, rt.now());
        loop {
            let (_, from) = socket.recv_from(&mut [0]).await.unwrap();
            let free = rt.now() >= until;
            if free {
                number += 1;
                until = rt.now() + TERM;
            }
            socket
                .send_to(&[if free { number } else { 0 }], from)
                .await
                .unwrap();
        }
    });
    let (newest, wrong) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for worker in 0..3 {
        let (newest, wrong, server) = (Arc::clone(&newest), Arc::clone(&wrong), server.clone());
        sim.client(&format!("worker-{worker}"), async move {
            let rt = here();
            rt.sleep(Duration::from_millis(1)).await;
            let socket = rt.bind_udp("0.0.0.0:0").await.unwrap();
            for _ in 0..20 {
                let asked = rt.now();
                socket.send_to(&[1], server.address(1)).await.unwrap();
                let mut granted = [0];
                socket.recv(&mut granted).await.unwrap();
                let from = if bug { rt.now() } else { asked };
                let number = usize::from(granted[0]);
                while number != 0 && rt.now() < from + TERM {
                    let newest = newest.fetch_max(number, Ordering::SeqCst);
                    wrong.fetch_add(usize::from(newest > number), Ordering::SeqCst);
                    rt.sleep(Duration::from_millis(1)).await;
                }
                rt.sleep(Duration::from_millis(rt.random() % 5)).await;
            }
        });
    }
    sim.run().unwrap();
    wrong.load(Ordering::SeqCst) == 0
}
