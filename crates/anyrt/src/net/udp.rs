//! UDP sockets.

use std::io;
use std::net::SocketAddr;

use anyrt_core::Net;
use anyrt_core::UdpSocket as _;
#[allow(unused_imports, reason = "there may be no backend")]
use anyrt_core::net::Descriptor;
use anyrt_core::net::{SocketOptions, ToSocketAddrs};
use socket2::SockRef;

use super::sys;
use super::target::{first_of, no_address, several};
use crate::runtime::Handle;

/// A UDP socket. Several tasks may use it at once.
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
    /// Binds a socket to the first of the given addresses that can be bound.
    ///
    /// # Errors
    /// Returns the error of the last address, or of the name resolution;
    /// [`io::ErrorKind::InvalidInput`] if there is no address.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future closes the socket.
    pub async fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        Handle::current().bind_udp(address).await
    }

    /// Returns the socket, for its options.
    pub(super) fn socket(&self) -> SockRef<'_> {
        each!(&self.inner, socket => socket.socket())
    }

    /// Sends a datagram to the first address of `target`. Returns the number of bytes, which is
    /// always `buf.len()`.
    ///
    /// # Errors
    /// Fails if the system's `sendto` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, nothing was sent.
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

    /// Sets the peer, the first of the given addresses that works: [`send`](Self::send) sends to
    /// it, and only its datagrams are received.
    ///
    /// # Errors
    /// Fails if the system's `connect` does for every address, or with
    /// [`io::ErrorKind::InvalidInput`] if there is no address.
    ///
    /// # Cancel safety
    /// If the future is dropped, the peer may or may not be set.
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

    forward! {
        /// Receives a datagram. Returns its size and its sender; bytes that do not fit into `buf`
        /// are discarded.
        ///
        /// # Errors
        /// Fails if the system's `recvfrom` does.
        ///
        /// # Cancel safety
        /// Cancel-safe: if the future is dropped, no datagram is lost.
        pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

        /// Sends a datagram to the peer.
        ///
        /// # Errors
        /// Fails if the system's `send` does, or if the socket has no peer.
        ///
        /// # Cancel safety
        /// Cancel-safe: if the future is dropped, nothing was sent.
        pub async fn send(&self, buf: &[u8]) -> io::Result<usize>;

        /// Receives a datagram from the peer. Bytes that do not fit into `buf` are discarded.
        ///
        /// # Errors
        /// Fails if the system's `recv` does, for example with
        /// [`io::ErrorKind::ConnectionRefused`] if the peer's port is closed.
        ///
        /// # Cancel safety
        /// Cancel-safe: if the future is dropped, no datagram is lost.
        pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize>;

        /// Returns and clears the pending error of the socket, if any (`SO_ERROR`).
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` does.
        pub fn take_error(&self) -> io::Result<Option<io::Error>>;

        /// Returns the peer that [`connect`](Self::connect) set.
        ///
        /// # Errors
        /// Fails with [`io::ErrorKind::NotConnected`] if the socket has no peer.
        pub fn peer_addr(&self) -> io::Result<SocketAddr>;
    }
}

sys::socket!(UdpSocket, udp_socket_from_std);

impl anyrt_core::UdpSocket for UdpSocket {
    forward! {
        async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize>;
        async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
        async fn connect(&self, peer: SocketAddr) -> io::Result<()>;
        async fn send(&self, buf: &[u8]) -> io::Result<usize>;
        async fn recv(&self, buf: &mut [u8]) -> io::Result<usize>;
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn peer_addr(&self) -> io::Result<SocketAddr>;
    }
}
