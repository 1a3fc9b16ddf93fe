//! The other side of the network cases: `std::net` sockets and plain threads, independent of the
//! runtime under test.

use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyrt_core::channel::Receiver as _;
use anyrt_core::net::{FromStd, Net, TcpListener};
use anyrt_core::runtime::Runtime;
use anyrt_kit::queue;
use futures_util::future::poll_immediate;
use socket2::{Domain, SockRef, Socket, Type};

use crate::settle;
use crate::watchdog::needs_system_sockets;

/// Any port of the IPv4 loopback.
pub(super) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A lost byte or wake-up becomes an error instead of a hang. Far more than a peer needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A listener of the runtime, and its address.
pub(super) async fn listen<R: Net>(rt: &R) -> (R::TcpListener, SocketAddr) {
    let listener = rt.bind_tcp(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A listener of std, and its address.
pub(super) fn std_listen() -> (std::net::TcpListener, SocketAddr) {
    needs_system_sockets();
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A client connection of std.
pub(super) fn std_connect(address: SocketAddr) -> std::net::TcpStream {
    needs_system_sockets();
    patient(std::net::TcpStream::connect(address).unwrap())
}

/// A connection of the runtime, and the other end of it as a blocking one of std.
pub(super) async fn with_peer<R: Net>(rt: &R) -> (R::TcpStream, std::net::TcpStream) {
    let (listener, address) = std_listen();
    let stream = rt.connect_tcp(address).await.unwrap();
    // The connection is already in the backlog, so this does not block.
    let (peer, _) = listener.accept().unwrap();
    (stream, patient(peer))
}

/// A connection of the runtime and its accepted other end, of the same runtime.
pub(super) async fn pair<R: Net>(rt: &R) -> (R::TcpStream, R::TcpStream) {
    let (listener, address) = listen(rt).await;
    let client = rt.connect_tcp(address).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

/// A connection that takes only some kilobytes before a write has to wait.
pub(super) fn narrow_pair<R: FromStd>(rt: &R) -> (R::TcpStream, std::net::TcpStream) {
    needs_system_sockets();
    const BUFFER: usize = 8 * 1024;
    let (listener, address) = std_listen();
    SockRef::from(&listener)
        .set_recv_buffer_size(BUFFER)
        .unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_send_buffer_size(BUFFER).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let stream = rt.tcp_stream_from_std(socket.into()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    (stream, patient(peer))
}

/// A datagram socket of the runtime, and its address.
pub(super) async fn udp<R: Net>(rt: &R) -> (R::UdpSocket, SocketAddr) {
    use anyrt_core::net::UdpSocket as _;
    let socket = rt.bind_udp(LOOPBACK).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A blocking datagram socket of std, and its address.
pub(super) fn std_udp() -> (std::net::UdpSocket, SocketAddr) {
    needs_system_sockets();
    let socket = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn patient(stream: std::net::TcpStream) -> std::net::TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Closes `stream` with a reset.
pub(super) fn reset(stream: std::net::TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// Returns a port without a listener.
pub(super) fn dead_tcp() -> SocketAddr {
    std_listen().1
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

/// Reads to the end and returns the bytes. A reset counts as the end.
pub(super) fn read_to_end(mut stream: &std::net::TcpStream) -> Vec<u8> {
    let mut data = Vec::new();
    match stream.read_to_end(&mut data) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the peer saw no end after {} bytes: {error}", data.len()),
    }
    data
}

/// Sends received bytes back until the end.
pub(super) fn std_echo(mut stream: &std::net::TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return,
            n => stream.write_all(&buffer[..n]).unwrap(),
        }
    }
}

/// A plain thread that can be awaited.
pub(super) struct Peer<T> {
    result: queue::Receiver<std::thread::Result<T>>,
}

/// Starts `work` on a plain thread.
pub(super) fn start_peer<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Peer<T> {
    needs_system_sockets();
    use anyrt_core::channel::UnboundedSender as _;
    let (sender, result) = queue::unbounded();
    std::thread::spawn(move || {
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
            None => unreachable!("a thread sends its result before it ends"),
        }
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
