//! The sockets of peers: of the operating system, or of a second simulated node.
//!
//! The operations of the former block their thread, so peers of a real runtime run on threads of
//! their own. Those of the latter wait as all futures do, and cross a link with latency.

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::poll_immediate;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use socket2::SockRef;

use crate::simulation::node::{AnyListener, AnySocket, AnyStream};
use crate::simulation::peers;

/// Any port of the IPv4 loopback.
pub(crate) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A lost byte or wake-up becomes an error instead of a hang. Far more than a peer needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A listener of the other side.
pub(crate) enum PeerListener {
    System(std::net::TcpListener),
    Node(Box<dyn AnyListener>),
}

/// A connection of the other side.
pub(crate) enum PeerStream {
    System(std::net::TcpStream),
    Node(Box<dyn AnyStream>),
}

/// A datagram socket of the other side.
pub(crate) enum PeerSocket {
    System(std::net::UdpSocket),
    Node(Box<dyn AnySocket>),
}

impl PeerListener {
    /// Creates a listener, and returns its address, too.
    pub(super) fn bind() -> (Self, SocketAddr) {
        let listener = match peers() {
            None => Self::System(std::net::TcpListener::bind(LOOPBACK).unwrap()),
            Some(peers) => Self::Node(peers.node.listen().unwrap()),
        };
        let address = match &listener {
            Self::System(listener) => listener.local_addr(),
            Self::Node(listener) => listener.local_addr(),
        };
        (listener, address.unwrap())
    }

    /// Accepts a client. Does not block long if the connection is in the backlog.
    pub(crate) async fn accept(&self) -> (PeerStream, SocketAddr) {
        match self {
            Self::System(listener) => {
                let (stream, from) = listener.accept().unwrap();
                (PeerStream::of_system(stream), from)
            }
            Self::Node(listener) => {
                let (stream, from) = listener.accept().await.unwrap();
                (PeerStream::Node(stream), from)
            }
        }
    }

    /// Returns `true` if no client waits, once what is under way has arrived.
    pub(crate) async fn is_deserted(&self) -> bool {
        arrived().await;
        match self {
            Self::System(listener) => {
                listener.set_nonblocking(true).unwrap();
                let nobody = listener.accept().err();
                nobody.is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            Self::Node(listener) => poll_immediate(listener.accept()).await.is_none(),
        }
    }
}

impl PeerStream {
    pub(super) fn of_system(stream: std::net::TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::System(stream)
    }

    /// Connects to the runtime under test.
    pub(super) async fn connect(address: SocketAddr) -> Self {
        match peers() {
            None => Self::of_system(std::net::TcpStream::connect(address).unwrap()),
            Some(peers) => Self::Node(peers.node.connect(address).await.unwrap()),
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::System(stream) => stream.local_addr(),
            Self::Node(stream) => stream.local_addr(),
        }
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::System(stream) => stream.peer_addr(),
            Self::Node(stream) => stream.peer_addr(),
        }
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::System(stream) => stream.shutdown(how),
            Self::Node(stream) => stream.shutdown(how),
        }
    }

    /// Closes the connection so that the other side sees a reset rather than an end, and waits
    /// until it has arrived there.
    pub(crate) async fn reset(self) {
        let result = match &self {
            Self::System(stream) => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            Self::Node(stream) => stream.set_zero_linger(),
        };
        result.unwrap();
        drop(self);
        arrived().await;
    }

    /// Reads to the end and returns what came. A reset counts as an end.
    pub(crate) async fn all(&mut self) -> Vec<u8> {
        let mut data = Vec::new();
        match self.read_to_end(&mut data).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the peer saw no end after {} bytes: {error}", data.len()),
        }
        data
    }

    /// Sends back what comes, until the end.
    pub(crate) async fn echo(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.read(&mut buffer).await.unwrap() {
                0 => return,
                n => self.write_all(&buffer[..n]).await.unwrap(),
            }
        }
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::System(stream) => Poll::Ready(stream.read(buffer)),
            Self::Node(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::System(stream) => Poll::Ready(stream.write(data)),
            Self::Node(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::System(stream) => Poll::Ready(stream.write_vectored(data)),
            Self::Node(stream) => Pin::new(stream).poll_write_vectored(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::System(stream) => Poll::Ready(stream.flush()),
            Self::Node(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::System(stream) => Poll::Ready(stream.shutdown(Shutdown::Write)),
            Self::Node(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}

impl PeerSocket {
    /// Creates a socket, and returns its address, too.
    pub(super) fn bind() -> (Self, SocketAddr) {
        let socket = match peers() {
            None => {
                let socket = std::net::UdpSocket::bind(LOOPBACK).unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                Self::System(socket)
            }
            Some(peers) => Self::Node(peers.node.bind_udp().unwrap()),
        };
        let address = match &socket {
            Self::System(socket) => socket.local_addr(),
            Self::Node(socket) => socket.local_addr(),
        };
        (socket, address.unwrap())
    }

    pub(crate) async fn send_to(&self, data: &[u8], to: SocketAddr) {
        let sent = match self {
            Self::System(socket) => socket.send_to(data, to),
            Self::Node(socket) => socket.send_to(data, to).await,
        };
        assert_eq!(sent.unwrap(), data.len());
    }

    pub(crate) async fn recv_from(&self, buffer: &mut [u8]) -> (usize, SocketAddr) {
        let received = match self {
            Self::System(socket) => socket.recv_from(buffer),
            Self::Node(socket) => socket.recv_from(buffer).await,
        };
        received.expect("a datagram")
    }

    /// Receives a datagram that is there already.
    pub(crate) async fn recv_now(&self, buffer: &mut [u8]) -> Option<usize> {
        match self {
            Self::System(socket) => {
                socket.set_nonblocking(true).unwrap();
                let received = socket.recv(buffer);
                socket.set_nonblocking(false).unwrap();
                match received {
                    Ok(n) => Some(n),
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        None
                    }
                }
            }
            Self::Node(socket) => {
                let received = poll_immediate(socket.recv_from(buffer)).await;
                received.map(|received| received.unwrap().0)
            }
        }
    }
}

/// Waits until what is under way has arrived. The loopback of a system delivers within the call.
pub(crate) async fn arrived() {
    if let Some(peers) = peers() {
        // Longer than a quiet link takes.
        peers.node.sleep(Duration::from_millis(20)).await;
    }
}
