//! UDP: what a datagram socket promises.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

/// Sends and receives datagrams. Several tasks may use it at once.
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
    /// Sends one datagram to `target`; gives the number of bytes, which is always all of them.
    ///
    /// # Errors
    /// As the system's `sendto`.
    ///
    /// # Cancel safety
    /// A dropped future has sent nothing.
    fn send_to(
        &self,
        buf: &[u8],
        target: SocketAddr,
    ) -> impl Future<Output = io::Result<usize>> + Send;

    /// Receives one datagram and its sender; what does not fit into `buf` is cut off.
    ///
    /// # Errors
    /// As the system's `recvfrom`.
    ///
    /// # Cancel safety
    /// A datagram that a dropped future would have had goes to the next one.
    fn recv_from(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Fixes the peer: [`send`](Self::send) goes there, and only what comes from there is received.
    ///
    /// # Errors
    /// As the system's `connect`.
    fn connect(&self, peer: SocketAddr) -> impl Future<Output = io::Result<()>> + Send;

    /// Sends one datagram to the peer.
    ///
    /// # Errors
    /// As the system's `send`; [`io::ErrorKind::NotConnected`] without a peer (Linux:
    /// `EDESTADDRREQ`).
    ///
    /// # Cancel safety
    /// A dropped future has sent nothing.
    fn send(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Receives one datagram from the peer; what does not fit into `buf` is cut off.
    ///
    /// # Errors
    /// As the system's `recv`, such as [`io::ErrorKind::ConnectionRefused`] when the peer's port is closed.
    ///
    /// # Cancel safety
    /// A datagram that a dropped future would have had goes to the next one.
    fn recv(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// The address that it is bound to.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The peer that [`connect`](Self::connect) fixed.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] without a peer.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}
