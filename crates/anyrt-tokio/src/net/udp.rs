//! UDP sockets.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use bytes::BufMut;

use super::newtype::newtype;

/// A UDP socket of Tokio.
#[derive(Debug)]
pub struct UdpSocket(pub(super) tokio::net::UdpSocket);

newtype!(UdpSocket, tokio::net::UdpSocket);

impl UdpSocket {
    /// Calls Tokio's `try_recv_buf`.
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.0.try_recv_buf(buf)
    }

    /// Calls Tokio's `try_recv_buf_from`.
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.0.try_recv_buf_from(buf)
    }

    /// Calls Tokio's `recv_buf`.
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no datagram is lost.
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.0.recv_buf(buf).await
    }

    /// Calls Tokio's `recv_buf_from`.
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no datagram is lost.
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_buf_from(buf).await
    }
}

impl anyrt_core::UdpSocket for UdpSocket {
    fn send_to(
        &self,
        buf: &[u8],
        target: SocketAddr,
    ) -> impl Future<Output = io::Result<usize>> + Send {
        self.0.send_to(buf, target)
    }

    fn recv_from(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send {
        self.0.recv_from(buf)
    }

    fn connect(&self, peer: SocketAddr) -> impl Future<Output = io::Result<()>> + Send {
        self.0.connect(peer)
    }

    fn send(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> + Send {
        self.0.send(buf)
    }

    fn recv(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send {
        self.0.recv(buf)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}
