//! The readiness of UDP sockets, and the operations that poll, peek or do not wait.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use ::tokio::io::ReadBuf;
use anyrt_core::net::DatagramNow;
use anyrt_core::readiness::{Direction, Readiness};
use bytes::BufMut;

use super::{UdpSocket, sys};
use crate::io::Interest;

/// A pending error counts as readable.
const RECEIVE: Interest = Interest::READABLE.add(Interest::ERROR);

sys::readiness! {
    UdpSocket: poll_recv_ready, poll_send_ready;
    ready(socket, interest) => each!(&socket.inner, socket => socket.ready(interest).await);
    poll_ready(socket, cx, direction) => each!(&socket.inner, socket => socket.poll_ready(cx, direction));
    try_io(socket, interest, f) => each!(&socket.inner, socket => socket.try_io(interest, f));
    async_io(socket, interest, f) => each!(&socket.inner, socket => socket.async_io(interest, &mut f).await);
}

impl UdpSocket {
    /// Like [`try_io`](Self::try_io), for operations that never wait.
    fn try_now<R>(
        &self,
        interest: Interest,
        operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, backend, socket => {
            sys::try_now(backend::TRIES_UNTOLD, socket, interest, operation)
        })
    }

    fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        f: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        each!(&self.inner, socket => socket.poll_io(cx, direction, f))
    }

    /// Polls to send a datagram to the peer. Only the task that polled last for sending is woken.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(
            cx,
            Direction::Write,
            || each!(&self.inner, socket => socket.send_now(buf)),
        )
    }

    /// Sends a datagram to the peer without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room. See also [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, socket => socket.send_now(buf)),
        )
    }

    /// Polls to send a datagram to `target`. Only the task that polled last for sending is woken.
    ///
    /// # Errors
    /// See [`send_to`](Self::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(
            cx,
            Direction::Write,
            || each!(&self.inner, socket => socket.send_to_now(buf, target)),
        )
    }

    /// Sends a datagram to `target` without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room. See also
    /// [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, socket => socket.send_to_now(buf, target)),
        )
    }

    /// Polls for a datagram from the peer. Only the task that polled last for receiving is woken.
    ///
    /// # Errors
    /// See [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_receive(cx, buf, Self::recv_now)
    }

    /// Receives a datagram from the peer without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if none is available. See also [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.recv_now(buf))
    }

    /// Receives a datagram from the peer without waiting, and advances `buf`.
    ///
    /// # Errors
    /// See [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let receive = |space: &mut [u8]| self.try_recv(space);
        each!(&self.inner, backend, socket => backend::net::try_recv_buf(socket, buf, receive))
    }

    /// Receives a datagram from the peer and advances `buf`.
    ///
    /// # Errors
    /// See [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// See [`recv`](Self::recv).
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let receive = |space: &mut [u8]| self.recv_now(space);
        each!(&self.inner, backend, socket => backend::net::recv_buf(socket, buf, receive).await)
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
        self.poll_receive_from(cx, buf, Self::recv_from_now)
    }

    /// Receives a datagram and its sender without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if none is available. See also
    /// [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_now(Interest::READABLE, || self.recv_from_now(buf))
    }

    /// Receives a datagram and its sender without waiting, and advances `buf`.
    ///
    /// # Errors
    /// See [`try_recv_from`](Self::try_recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let receive = |space: &mut [u8]| self.try_recv_from(space);
        each!(&self.inner, backend, socket => {
            backend::net::try_recv_buf_from(socket, buf, receive)
        })
    }

    /// Receives a datagram and its sender, and advances `buf`.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// See [`recv_from`](Self::recv_from).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let receive = |space: &mut [u8]| self.recv_from_now(space);
        each!(&self.inner, backend, socket => {
            backend::net::recv_buf_from(socket, buf, receive).await
        })
    }

    /// Like [`recv`](Self::recv), without consuming the datagram.
    ///
    /// # Errors
    /// See [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Cancel-safe: no data is consumed.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.async_io(RECEIVE, || self.peek_now(buf)).await
    }

    /// Polls for a datagram from the peer without consuming it. Only the task that polled last for
    /// receiving is woken.
    ///
    /// # Errors
    /// See [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_receive(cx, buf, Self::peek_now)
    }

    /// Like [`try_recv`](Self::try_recv), without consuming the datagram.
    ///
    /// # Errors
    /// See [`try_recv`](Self::try_recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.peek_now(buf))
    }

    /// Like [`recv_from`](Self::recv_from), without consuming the datagram.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Cancel-safe: no data is consumed.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.async_io(RECEIVE, || self.peek_from_now(buf)).await
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
        self.poll_receive_from(cx, buf, Self::peek_from_now)
    }

    /// Like [`try_recv_from`](Self::try_recv_from), without consuming the datagram.
    ///
    /// # Errors
    /// See [`try_recv_from`](Self::try_recv_from).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_now(Interest::READABLE, || self.peek_from_now(buf))
    }

    /// Waits for a datagram and returns its sender without consuming it.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Cancel-safe: no data is consumed.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        let sender = || self.peek_from_now(&mut []);
        Ok(self.async_io(RECEIVE, sender).await?.1)
    }

    /// Polls for the sender of the next datagram. Only the task that polled last for receiving is
    /// woken.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        let sender = || self.peek_from_now(&mut []);
        self.poll_io(cx, Direction::Read, sender)
            .map_ok(|(_, sender)| sender)
    }

    /// Returns the sender of the next datagram without waiting and without consuming it.
    ///
    /// # Errors
    /// See [`try_recv_from`](Self::try_recv_from).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        Ok(self.try_peek_from(&mut [])?.1)
    }

    fn recv_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        each!(&self.inner, socket => socket.recv_now(buf))
    }

    fn recv_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        each!(&self.inner, socket => socket.recv_from_now(buf))
    }

    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        each!(&self.inner, socket => socket.peek_now(buf))
    }

    fn peek_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        each!(&self.inner, socket => socket.peek_from_now(buf))
    }

    fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        receive: impl Fn(&Self, &mut [u8]) -> io::Result<usize>,
    ) -> Poll<io::Result<()>> {
        let space = buf.initialize_unfilled();
        let receive = || receive(self, space);
        let len = ready!(self.poll_io(cx, Direction::Read, receive))?;
        buf.advance(len);
        Poll::Ready(Ok(()))
    }

    fn poll_receive_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        receive: impl Fn(&Self, &mut [u8]) -> io::Result<(usize, SocketAddr)>,
    ) -> Poll<io::Result<SocketAddr>> {
        let space = buf.initialize_unfilled();
        let receive = || receive(self, space);
        let (len, sender) = ready!(self.poll_io(cx, Direction::Read, receive))?;
        buf.advance(len);
        Poll::Ready(Ok(sender))
    }
}
