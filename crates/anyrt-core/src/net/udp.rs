//! The contract of UDP sockets.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

/// A UDP socket. Several tasks may use it at once.
///
/// # Examples
/// ```
/// use anyrt_core::UdpSocket;
///
/// async fn echo(socket: impl UdpSocket) -> std::io::Result<()> {
///     let mut buf = [0; 1500];
///     loop {
///         let (len, peer) = socket.recv_from(&mut buf).await?;
///         socket.send_to(&buf[..len], peer).await?;
///     }
/// }
/// ```
pub trait UdpSocket: Sized + Send + Sync + fmt::Debug + 'static {
    /// Sends a datagram to `target`. Returns the number of bytes, which is always `buf.len()`.
    ///
    /// # Errors
    /// Fails if the system's `sendto` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, nothing was sent.
    fn send_to(
        &self,
        buf: &[u8],
        target: SocketAddr,
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Receives a datagram. Returns its size and its sender; bytes that do not fit into `buf` are
    /// discarded.
    ///
    /// # Errors
    /// Fails if the system's `recvfrom` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no datagram is lost.
    fn recv_from(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Sets the peer: [`send`](Self::send) sends to it, and only its datagrams are received.
    ///
    /// # Errors
    /// Fails if the system's `connect` does.
    ///
    /// # Cancel safety
    /// If the future is dropped, the peer may or may not be set.
    fn connect(&self, peer: SocketAddr) -> impl Future<Output = io::Result<()>> + Send;

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    /// Fails if the system's `send` does, or with [`io::ErrorKind::NotConnected`] if the socket has
    /// no peer (on Linux `EDESTADDRREQ`).
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, nothing was sent.
    fn send(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Receives a datagram from the peer. Bytes that do not fit into `buf` are discarded.
    ///
    /// # Errors
    /// Fails if the system's `recv` does, for example with [`io::ErrorKind::ConnectionRefused`] if
    /// the peer's port is closed.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no datagram is lost.
    fn recv(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns the peer that [`connect`](Self::connect) set.
    ///
    /// # Errors
    /// Fails with [`io::ErrorKind::NotConnected`] if the socket has no peer.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}
