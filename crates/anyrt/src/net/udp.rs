//! UDP sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use anyrt_core::Net;
use anyrt_core::UdpSocket as _;
use anyrt_core::net::{Descriptor, FromStd, ToSocketAddrs};
use socket2::SockRef;

use super::{first_of, no_address, several, sys};
use crate::runtime::Handle;

/// Sends and receives datagrams. Several tasks may use it at once.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::net::UdpSocket;
///
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.connect(server.local_addr()?).await?;
/// client.send(b"ping").await?;
///
/// let mut buf = [0; 1500];
/// let (len, peer) = server.recv_from(&mut buf).await?;
/// server.send_to(&buf[..len], peer).await?;
/// assert_eq!(client.recv(&mut buf).await?, 4);
/// # Ok(()) });
/// ```
pub struct UdpSocket {
    pub(super) inner: one_of!(net::UdpSocket),
}

impl UdpSocket {
    /// A datagram socket on the first of `address`'s addresses that can be bound.
    ///
    /// # Errors
    /// The error of the last address, or of the resolution; [`io::ErrorKind::InvalidInput`] when there is no
    /// address at all.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub async fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        Handle::current().bind_udp(address).await
    }

    /// Takes over a bound socket, which must be non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses it.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime). With debug assertions, when the socket is
    /// blocking.
    #[track_caller]
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        sys::check_nonblocking(&socket)?;
        Handle::current().udp_socket_from_std(socket)
    }

    /// Stops being asynchronous. The socket stays non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses to let go of it.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        each!(self.inner, socket => socket.into_std())
    }

    /// The socket, for its options.
    pub(super) fn socket(&self) -> SockRef<'_> {
        each!(&self.inner, socket => socket.socket())
    }

    /// Sends one datagram to the first of `target`'s addresses; gives the number of bytes, which is always all.
    ///
    /// # Errors
    /// As the system's `sendto`.
    ///
    /// # Cancel safety
    /// A dropped future has sent nothing.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], target: A) -> io::Result<usize> {
        let first;
        let target = match target.as_address() {
            Some(address) => address,
            None => {
                first = first_of(target.target()).await?;
                &first
            }
        };
        each!(&self.inner, socket => socket.send_to(buf, *target).await)
    }

    /// Receives one datagram and its sender; what does not fit into `buf` is cut off.
    ///
    /// # Errors
    /// As the system's `recvfrom`.
    ///
    /// # Cancel safety
    /// A datagram that a dropped future would have had goes to the next one.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        each!(&self.inner, socket => socket.recv_from(buf).await)
    }

    /// Fixes the peer to the first of `peer`'s addresses that can be reached: [`send`](Self::send) goes there, and
    /// only what comes from there is received.
    ///
    /// # Errors
    /// As the system's `connect`, for the last address; [`io::ErrorKind::InvalidInput`] when there is no address.
    pub async fn connect<A: ToSocketAddrs>(&self, peer: A) -> io::Result<()> {
        let mut last = None;
        for peer in several(peer.target()).await? {
            match each!(&self.inner, socket => socket.connect(peer).await) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| no_address("could not resolve to any address")))
    }

    /// Sends one datagram to the peer.
    ///
    /// # Errors
    /// As the system's `send`; without a peer an error, too.
    ///
    /// # Cancel safety
    /// A dropped future has sent nothing.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        each!(&self.inner, socket => socket.send(buf).await)
    }

    /// Receives one datagram from the peer; what does not fit into `buf` is cut off.
    ///
    /// # Errors
    /// As the system's `recv`, such as [`io::ErrorKind::ConnectionRefused`] when the peer's port is closed.
    ///
    /// # Cancel safety
    /// A datagram that a dropped future would have had goes to the next one.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        each!(&self.inner, socket => socket.recv(buf).await)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(&self.inner, socket => socket.local_addr())
    }

    /// The peer that [`connect`](Self::connect) fixed.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] without a peer.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        each!(&self.inner, socket => socket.peer_addr())
    }
}

sys::descriptor!(UdpSocket);

impl anyrt_core::UdpSocket for UdpSocket {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        each!(&self.inner, socket => socket.send_to(buf, target).await)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.recv_from(buf).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        each!(&self.inner, socket => socket.connect(peer).await)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv(buf).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, socket => fmt::Debug::fmt(socket, f))
    }
}
