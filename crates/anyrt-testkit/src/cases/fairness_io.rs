//! Tasks whose sockets are always ready let other tasks, timers and sockets make progress.
//!
//! Each case runs more greedy tasks than there are workers, and one with a small amount of work.
//! The greedy tasks stop when it has finished, so a case hangs if they starve it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyrt_core::net::{TcpListener, UdpSocket};
use anyrt_core::runtime::Runtime;
use anyrt_core::task::yield_now;
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::peer::{
    Peer, PeerSocket, bytes, listen, peer_connect, peer_udp, rounds, start_peer, udp, with_peer,
};
use crate::case::cases;

cases! {
    async endless_reads_do_not_starve_a_timer;
    async endless_reads_do_not_starve_another_socket;
    async endless_writes_do_not_starve_a_timer;
    async endless_writes_do_not_starve_a_new_client;
    async endless_sending_of_datagrams_does_not_starve_a_timer;
    async endless_sending_of_datagrams_does_not_starve_another_task;
    async endless_receiving_of_datagrams_does_not_starve_a_timer;
    async busy_echoes_let_a_new_client_in;
    async endless_yielding_lets_a_timer_fire;
    async endless_yielding_lets_a_socket_go_on;
    async endless_yielding_lets_a_new_client_in;
}

/// More than the number of workers in a suite.
const GREEDY: usize = 8;

/// Runs the tasks of `greedy`, and `modest` once all of them have begun. Stops them when it has
/// finished.
async fn beside<R, G, M>(rt: &R, greedy: Vec<G>, modest: M)
where
    R: Runtime,
    G: Greedy,
    M: Future<Output = ()> + Send + 'static,
{
    let (begun, stop) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let tasks: Vec<_> = greedy
        .into_iter()
        .map(|mut greedy| {
            let (begun, stop) = (Arc::clone(&begun), Arc::clone(&stop));
            rt.spawn(async move {
                greedy.work().await;
                begun.fetch_add(1, Ordering::SeqCst);
                while !stop.load(Ordering::SeqCst) {
                    greedy.work().await;
                }
            })
        })
        .collect();
    let modest = rt.spawn(async move {
        while begun.load(Ordering::SeqCst) < GREEDY {
            yield_now().await;
        }
        modest.await;
    });
    let outcome = modest.await;
    stop.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    outcome.unwrap();
}

/// The operation that a greedy task repeats.
trait Greedy: Send + 'static {
    fn work(&mut self) -> impl Future<Output = ()> + Send;
}

/// Reads from a peer that never stops writing.
struct Reads<S>(S);

impl<S: AsyncReadExt + Unpin + Send + 'static> Greedy for Reads<S> {
    async fn work(&mut self) {
        assert_eq!(self.0.read(&mut [0; 1]).await.unwrap(), 1);
    }
}

/// Writes to a peer that never stops reading.
struct Writes<S>(S);

impl<S: AsyncWriteExt + Unpin + Send + 'static> Greedy for Writes<S> {
    async fn work(&mut self) {
        assert_eq!(self.0.write(&[1]).await.unwrap(), 1);
    }
}

/// Sends datagrams to a socket that accepts all of them and is never read.
struct Sends<U> {
    socket: U,
    to: SocketAddr,
}

impl<U: UdpSocket> Greedy for Sends<U> {
    async fn work(&mut self) {
        assert_eq!(self.socket.send_to(&[1], self.to).await.unwrap(), 1);
    }
}

/// Receives datagrams that have already arrived.
struct Receives<U> {
    socket: U,
    peer: PeerSocket,
    to: SocketAddr,
}

impl<U: UdpSocket> Greedy for Receives<U> {
    async fn work(&mut self) {
        self.peer.send_to(&[1], self.to).await;
        assert_eq!(self.socket.recv(&mut [0; 1]).await.unwrap(), 1);
    }
}

/// Yields.
struct Yields;

impl Greedy for Yields {
    async fn work(&mut self) {
        yield_now().await;
    }
}

async fn readers<R: Runtime>(rt: &R) -> (Vec<Reads<R::TcpStream>>, Vec<Peer<()>>) {
    let (mut greedy, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..GREEDY {
        let (stream, mut peer) = with_peer(rt).await;
        greedy.push(Reads(stream));
        // Until the reader closes.
        peers.push(start_peer(async move {
            while peer.write_all(&[1; 65_536]).await.is_ok() {}
        }));
    }
    (greedy, peers)
}

async fn writers<R: Runtime>(rt: &R) -> (Vec<Writes<R::TcpStream>>, Vec<Peer<()>>) {
    let (mut greedy, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..GREEDY {
        let (stream, mut peer) = with_peer(rt).await;
        greedy.push(Writes(stream));
        peers.push(start_peer(async move {
            let mut buffer = vec![0; 65_536];
            while peer.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
        }));
    }
    (greedy, peers)
}

async fn senders<R: Runtime>(rt: &R, to: SocketAddr) -> Vec<Sends<R::UdpSocket>> {
    let mut greedy = Vec::new();
    for _ in 0..GREEDY {
        let (socket, _) = udp(rt).await;
        greedy.push(Sends { socket, to });
    }
    greedy
}

fn yielders() -> Vec<Yields> {
    (0..GREEDY).map(|_| Yields).collect()
}

/// Modest work: some sleeps, one after the other.
async fn sleeps<R: Runtime>(rt: R) {
    for _ in 0..rounds(20) {
        rt.sleep(Duration::from_millis(1)).await;
    }
}

/// Modest work: round trips to a peer that answers.
async fn round_trips<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move { peer.echo().await });
    for round in 0..rounds(50) {
        let sent = bytes(round, 100);
        stream.write_all(&sent).await.unwrap();
        let mut answer = [0; 100];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[..], sent);
    }
    drop(stream);
    peer.join().await;
}

/// Modest work: a listener that greets clients, which connect one after the other.
async fn greetings<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let clients = start_peer(async move {
        for _ in 0..rounds(20) {
            assert_eq!(peer_connect(address).await.all().await, b"welcome");
        }
    });
    for _ in 0..rounds(20) {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"welcome").await.unwrap();
    }
    clients.join().await;
}

async fn all(peers: Vec<Peer<()>>) {
    for peer in peers {
        peer.join().await;
    }
}

async fn endless_reads_do_not_starve_a_timer<R: Runtime>(rt: R) {
    let (greedy, peers) = readers(&rt).await;
    beside(&rt, greedy, sleeps(rt.clone())).await;
    all(peers).await;
}

async fn endless_reads_do_not_starve_another_socket<R: Runtime>(rt: R) {
    let (greedy, peers) = readers(&rt).await;
    beside(&rt, greedy, round_trips(rt.clone())).await;
    all(peers).await;
}

async fn endless_writes_do_not_starve_a_timer<R: Runtime>(rt: R) {
    let (greedy, peers) = writers(&rt).await;
    beside(&rt, greedy, sleeps(rt.clone())).await;
    all(peers).await;
}

async fn endless_writes_do_not_starve_a_new_client<R: Runtime>(rt: R) {
    let (greedy, peers) = writers(&rt).await;
    beside(&rt, greedy, greetings(rt.clone())).await;
    all(peers).await;
}

async fn endless_sending_of_datagrams_does_not_starve_a_timer<R: Runtime>(rt: R) {
    let (_deaf, to) = peer_udp();
    beside(&rt, senders(&rt, to).await, sleeps(rt.clone())).await;
}

async fn endless_sending_of_datagrams_does_not_starve_another_task<R: Runtime>(rt: R) {
    let (_deaf, to) = peer_udp();
    let turns = async {
        for _ in 0..100 {
            yield_now().await;
        }
    };
    beside(&rt, senders(&rt, to).await, turns).await;
}

async fn endless_receiving_of_datagrams_does_not_starve_a_timer<R: Runtime>(rt: R) {
    let mut greedy = Vec::new();
    for _ in 0..GREEDY {
        let (socket, to) = udp(&rt).await;
        let (peer, _) = peer_udp();
        greedy.push(Receives { socket, peer, to });
    }
    beside(&rt, greedy, sleeps(rt.clone())).await;
}

async fn busy_echoes_let_a_new_client_in<R: Runtime>(rt: R) {
    let (listener, address) = listen(&rt).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..GREEDY)
        .map(|number| {
            let stop = Arc::clone(&stop);
            start_peer(async move {
                let mut client = peer_connect(address).await;
                let sent = bytes(number, 1000);
                let mut answer = [0; 1000];
                loop {
                    client.write_all(&sent).await.unwrap();
                    client.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer[..], sent);
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                }
            })
        })
        .collect();
    let mut servers = Vec::new();
    for _ in 0..GREEDY + rounds(20) {
        let (stream, _) = listener.accept().await.unwrap();
        servers.push(rt.spawn(async move {
            let (mut read, mut write) = AsyncReadExt::split(stream);
            futures_util::io::copy(&mut read, &mut write).await.unwrap();
        }));
        if servers.len() == GREEDY {
            // More clients connect, each after the previous one was served.
            let late = async move {
                for number in 0..rounds(20) as u8 {
                    let mut client = peer_connect(address).await;
                    client.write_all(&[number]).await.unwrap();
                    let mut answer = [0; 1];
                    client.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, [number]);
                }
            };
            servers.push(rt.spawn(start_peer(late).join()));
        }
    }
    stop.store(true, Ordering::SeqCst);
    all(clients).await;
    for server in servers {
        server.await.unwrap();
    }
}

async fn endless_yielding_lets_a_timer_fire<R: Runtime>(rt: R) {
    beside(&rt, yielders(), sleeps(rt.clone())).await;
}

async fn endless_yielding_lets_a_socket_go_on<R: Runtime>(rt: R) {
    beside(&rt, yielders(), round_trips(rt.clone())).await;
}

async fn endless_yielding_lets_a_new_client_in<R: Runtime>(rt: R) {
    beside(&rt, yielders(), greetings(rt.clone())).await;
}
