//! The readiness of UDP sockets, and the operations that poll, peek or do not wait.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;
use anyrt_core::net::DatagramNow;
use anyrt_core::readiness::Readiness;
use bytes::BufMut;

use super::{UdpSocket, sys};
#[allow(unused_imports, reason = "Tokio's sockets have the methods themselves")]
use crate::io::read_buf::ReceiveIntoBuf;
use crate::io::scratch::{poll_into, poll_into_from};

sys::readiness! {
    UdpSocket: poll_recv_ready, poll_send_ready;
    ready(socket, interest) => each!(&socket.inner, socket => socket.ready(interest).await);
    poll_ready(socket, cx, direction) => each!(&socket.inner, socket => socket.poll_ready(cx, direction));
    try_io(socket, interest, f) => each!(&socket.inner, socket => socket.try_io(interest, f));
    async_io(socket, interest, f) => each!(&socket.inner, socket => socket.async_io(interest, &mut f).await);
}

impl UdpSocket {
    forward! {
        /// Polls to send a datagram to the peer. Only the task that polled last for sending is
        /// woken.
        ///
        /// # Errors
        /// See [`send`](Self::send).
        pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

        /// Sends a datagram to the peer without waiting.
        ///
        /// # Errors
        /// Returns [`io::ErrorKind::WouldBlock`] if there is no room. See also
        /// [`send`](Self::send).
        pub fn try_send(&self, buf: &[u8]) -> io::Result<usize>;

        /// Polls to send a datagram to `target`. Only the task that polled last for sending is
        /// woken.
        ///
        /// # Errors
        /// See [`send_to`](Self::send_to).
        pub fn poll_send_to(
            &self,
            cx: &mut Context<'_>,
            buf: &[u8],
            target: SocketAddr
        ) -> Poll<io::Result<usize>>;

        /// Sends a datagram to `target` without waiting.
        ///
        /// # Errors
        /// Returns [`io::ErrorKind::WouldBlock`] if there is no room. See also
        /// [`send_to`](Self::send_to).
        pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize>;

        /// Receives a datagram from the peer without waiting.
        ///
        /// # Errors
        /// Returns [`io::ErrorKind::WouldBlock`] if none is available. See also
        /// [`recv`](Self::recv).
        pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize>;

        /// Receives a datagram and its sender without waiting.
        ///
        /// # Errors
        /// Returns [`io::ErrorKind::WouldBlock`] if none is available. See also
        /// [`recv_from`](Self::recv_from).
        pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

        /// Like [`recv`](Self::recv), without consuming the datagram.
        ///
        /// # Errors
        /// See [`recv`](Self::recv).
        ///
        /// # Cancel safety
        /// Cancel-safe: no data is consumed.
        pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize>;

        /// Like [`try_recv`](Self::try_recv), without consuming the datagram.
        ///
        /// # Errors
        /// See [`try_recv`](Self::try_recv).
        pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize>;

        /// Like [`recv_from`](Self::recv_from), without consuming the datagram.
        ///
        /// # Errors
        /// See [`recv_from`](Self::recv_from).
        ///
        /// # Cancel safety
        /// Cancel-safe: no data is consumed.
        pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

        /// Like [`try_recv_from`](Self::try_recv_from), without consuming the datagram.
        ///
        /// # Errors
        /// See [`try_recv_from`](Self::try_recv_from).
        pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;
    }

    /// Polls for a datagram from the peer. Only the task that polled last for receiving is woken.
    ///
    /// # Errors
    /// See [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        poll_into(
            buf,
            |room| each!(&self.inner, socket => socket.poll_recv(cx, room)),
        )
    }

    /// Polls for a datagram from the peer without consuming it. Only the task that polled last for
    /// receiving is woken.
    ///
    /// # Errors
    /// See [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        poll_into(
            buf,
            |room| each!(&self.inner, socket => socket.poll_peek(cx, room)),
        )
    }

    /// Polls for a datagram and its sender. Only the task that polled last for receiving is woken.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        poll_into_from(
            buf,
            |room| each!(&self.inner, socket => socket.poll_recv_from(cx, room)),
        )
    }

    /// Polls for a datagram and its sender without consuming it. Only the task that polled last for
    /// receiving is woken.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        poll_into_from(
            buf,
            |room| each!(&self.inner, socket => socket.poll_peek_from(cx, room)),
        )
    }

    forward! {
        /// Receives a datagram from the peer without waiting, and advances `buf`.
        ///
        /// # Errors
        /// See [`try_recv`](Self::try_recv).
        pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize>;

        /// Receives a datagram and its sender without waiting, and advances `buf`.
        ///
        /// # Errors
        /// See [`try_recv_from`](Self::try_recv_from).
        pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)>;

        /// Receives a datagram from the peer and advances `buf`.
        ///
        /// # Errors
        /// See [`recv`](Self::recv).
        ///
        /// # Cancel safety
        /// See [`recv`](Self::recv).
        pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize>;

        /// Receives a datagram and its sender, and advances `buf`.
        ///
        /// # Errors
        /// See [`recv_from`](Self::recv_from).
        ///
        /// # Cancel safety
        /// See [`recv_from`](Self::recv_from).
        pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)>;
    }

    /// Waits for a datagram and returns its sender without consuming it.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Cancel-safe: no data is consumed.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.peek_from(&mut []).await?.1)
    }

    /// Polls for the sender of the next datagram. Only the task that polled last for receiving is
    /// woken.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        each!(&self.inner, socket => socket.poll_peek_from(cx, &mut []).map_ok(|(_, sender)| sender))
    }

    /// Returns the sender of the next datagram without waiting and without consuming it.
    ///
    /// # Errors
    /// See [`try_recv_from`](Self::try_recv_from).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.try_peek_from(&mut [])?.1)
    }
}
