//! The other side of the network cases, independent of the runtime under test: `std::net` sockets
//! and plain threads, or tasks on a second node if the network is simulated.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyrt_core::channel::Receiver as _;
use anyrt_core::net::{FromStd, Net, TcpListener};
use anyrt_core::runtime::Runtime;
use anyrt_core::task::yield_now;
use anyrt_kit::queue;
use futures_util::FutureExt;
use futures_util::future::poll_immediate;
use socket2::{Domain, SockRef, Socket, Type};

use crate::simulation::peers;
use crate::{park_on, settle};

mod socket;

pub(super) use socket::{LOOPBACK, PeerListener, PeerSocket, PeerStream, arrived};

/// Returns any port at the address by which peers reach the runtime under test.
pub(super) fn here() -> SocketAddr {
    peers().map_or(LOOPBACK, |peers| peers.here)
}

/// A listener of the runtime, and its address.
pub(super) async fn listen<R: Net>(rt: &R) -> (R::TcpListener, SocketAddr) {
    let listener = rt.bind_tcp(here()).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A listener of the other side, and its address.
pub(super) fn peer_listen() -> (PeerListener, SocketAddr) {
    PeerListener::bind()
}

/// A client of the other side, connected to the runtime.
pub(super) async fn peer_connect(address: SocketAddr) -> PeerStream {
    PeerStream::connect(address).await
}

/// A connection of the runtime, and the other end of it.
pub(super) async fn with_peer<R: Net>(rt: &R) -> (R::TcpStream, PeerStream) {
    let (listener, address) = peer_listen();
    let stream = rt.connect_tcp(address).await.unwrap();
    let (peer, _) = listener.accept().await;
    (stream, peer)
}

/// A connection of the runtime and its accepted other end, of the same runtime.
pub(super) async fn pair<R: Net>(rt: &R) -> (R::TcpStream, R::TcpStream) {
    let (listener, address) = listen(rt).await;
    let client = rt.connect_tcp(address).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

/// A connection that takes only some kilobytes before a write has to wait.
pub(super) async fn narrow_pair<R: FromStd>(rt: &R) -> (R::TcpStream, PeerStream) {
    if peers().is_some() {
        // The buffers of a simulation are far smaller than what the cases send.
        return with_peer(rt).await;
    }
    const BUFFER: usize = 8 * 1024;
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    SockRef::from(&listener)
        .set_recv_buffer_size(BUFFER)
        .unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_send_buffer_size(BUFFER).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let stream = rt.tcp_stream_from_std(socket.into()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    (stream, PeerStream::of_system(peer))
}

/// A datagram socket of the runtime, and its address.
pub(super) async fn udp<R: Net>(rt: &R) -> (R::UdpSocket, SocketAddr) {
    use anyrt_core::net::UdpSocket as _;
    let socket = rt.bind_udp(here()).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A datagram socket of the other side, and its address.
pub(super) fn peer_udp() -> (PeerSocket, SocketAddr) {
    PeerSocket::bind()
}

/// A listener of the other side, and an address whose clients wait. The listener may accept some of
/// them before.
pub(super) fn deaf_listen() -> (PeerListener, SocketAddr) {
    let (listener, address) = peer_listen();
    match &listener {
        // A listener with a full queue lets clients wait. The length of the queue depends on the
        // system.
        PeerListener::System(listener) => SockRef::from(listener).listen(0).unwrap(),
        // Reserved for documentation, so no node has it and no answer comes.
        PeerListener::Node(_) => return (listener, SocketAddr::from(([192, 0, 2, 1], 80))),
    }
    (listener, address)
}

/// Returns a port of the other side without a listener.
pub(super) fn dead_tcp() -> SocketAddr {
    peer_listen().1
}

/// Returns a port of the operating system without a listener, for the error to expect.
pub(super) fn dead_tcp_of_system() -> SocketAddr {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    listener.local_addr().unwrap()
}

/// Returns `length` bytes in which any shift, loss or repetition shows. `offset` is their position
/// in the stream.
pub(super) fn bytes(offset: usize, length: usize) -> Vec<u8> {
    (offset..offset + length).map(byte).collect()
}

fn byte(position: usize) -> u8 {
    // Knuth's multiplicative hash: its period is far longer than the data of a case.
    ((position as u32).wrapping_mul(2_654_435_761) >> 24) as u8
}

/// Panics unless `data` are the [`bytes`] at `offset`.
#[track_caller]
pub(super) fn assert_bytes(data: &[u8], offset: usize) {
    let wrong = (offset..).zip(data).find(|(at, got)| byte(*at) != **got);
    assert_eq!(wrong, None, "(position, byte) of the first wrong byte");
}

/// Returns how often a case repeats something that takes many polls. A simulation repeats it under
/// other seeds.
pub(super) fn rounds(of_system: usize) -> usize {
    match peers() {
        None => of_system,
        Some(_) => of_system.div_ceil(10),
    }
}

/// Work of the other side that can be awaited.
pub(super) struct Peer<T> {
    result: queue::Receiver<std::thread::Result<T>>,
}

/// Starts `work` on the other side: on a plain thread, where it may block, or in a task of the
/// peers' node.
pub(super) fn start_peer<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Peer<T> {
    use anyrt_core::channel::UnboundedSender as _;
    let (sender, result) = queue::unbounded();
    match peers() {
        None => {
            std::thread::spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| park_on(work)));
                // A failed case has dropped the receiver.
                let _ = sender.send(result);
            });
        }
        Some(peers) => peers.node.spawn(Box::pin(async move {
            let _ = sender.send(AssertUnwindSafe(work).catch_unwind().await);
        })),
    }
    Peer { result }
}

/// Runs `work` on the other side and waits for it.
pub(super) async fn there<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    start_peer(work).join().await
}

/// Starts `work`, which may block, on a plain thread.
pub(super) fn start_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Peer<T> {
    use anyrt_core::channel::UnboundedSender as _;
    let (sender, result) = queue::unbounded();
    crate::probe::start_thread(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        // A failed case has dropped the receiver.
        let _ = sender.send(result);
    });
    Peer { result }
}

impl<T: Send + 'static> Peer<T> {
    /// Waits for the thread. Returns its result, or resumes its panic.
    pub(super) async fn join(mut self) -> T {
        match self.result.recv().await {
            Some(Ok(value)) => value,
            Some(Err(payload)) => resume_unwind(payload),
            None => unreachable!("a peer sends its result before it ends"),
        }
    }
}

/// Lets the runtime and the other side make progress, for a case that polls in a loop.
pub(super) async fn turn() {
    yield_now().await;
    match peers() {
        // The peer is a thread, and needs a core on a busy machine.
        None => std::thread::yield_now(),
        // Shorter than the latency of a link, so that several operations are dropped; longer than
        // many polls.
        Some(peers) => peers.node.sleep(Duration::from_micros(30)).await,
    }
}

/// Awaits `future` and counts its polls.
pub(super) async fn counted<F: Future>(future: F, polls: Arc<AtomicUsize>) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::SeqCst);
        future.as_mut().poll(cx)
    })
    .await
}

/// Panics if an operation on an idle socket is polled repeatedly.
pub(super) async fn assert_at_rest<R: Runtime>(rt: &R, polls: &AtomicUsize) {
    settle(rt).await;
    let before = polls.load(Ordering::SeqCst);
    settle(rt).await;
    let in_vain = polls.load(Ordering::SeqCst) - before;
    // A spurious wake-up is allowed. Two tasks that wake each other would cause thousands.
    assert!(in_vain < 10, "polled {in_vain} times in vain");
}

/// Polls `future` once and drops it: the earliest possible cancellation.
pub(super) async fn dropped<F: Future>(future: F) -> Option<F::Output> {
    poll_immediate(pin!(future)).await
}
