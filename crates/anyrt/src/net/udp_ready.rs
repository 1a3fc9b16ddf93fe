//! The readiness of datagram sockets, and what uses it: without waiting, by polling, and by looking only.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use ::tokio::io::ReadBuf;
use anyrt_core::net::DatagramNow;
use anyrt_core::readiness::{Direction, Readiness};
use bytes::BufMut;

use super::{UdpSocket, sys};
use crate::io::{Interest, Ready};

/// An error, too, is something to receive.
const RECEIVE: Interest = Interest::READABLE.add(Interest::ERROR);

impl UdpSocket {
    /// Waits until it is ready for something of `interest`. Any number of tasks may wait.
    ///
    /// It may end although the socket is not ready; then the next operation says so, and the next wait waits.
    ///
    /// # Errors
    /// When the runtime of the socket has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        each!(&self.inner, socket => socket.ready(interest).await)
    }

    /// Waits until there is a datagram. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room for a datagram. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// As [`readable`](Self::readable); of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&self.inner, socket => socket.poll_ready(cx, Direction::Read))
    }

    /// As [`writable`](Self::writable); of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&self.inner, socket => socket.poll_ready(cx, Direction::Write))
    }

    /// Runs `f` if the socket is known to be ready for something of `interest`. If `f` gives
    /// [`io::ErrorKind::WouldBlock`], it is known not to be ready any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it is not ready; those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, socket => socket.try_io(interest, f))
    }

    /// Runs `f` whenever the socket is ready for something of `interest`, until `f` gives something else than
    /// [`io::ErrorKind::WouldBlock`]. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`ready`](Self::ready); those of `f`.
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if an `f` that fails does nothing.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, socket => socket.async_io(interest, &mut f).await)
    }

    /// As [`try_io`](Self::try_io), for what cannot wait anyway.
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

    /// As [`send`](Self::send); of several tasks that poll for sending, the last one is woken.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(
            cx,
            Direction::Write,
            || each!(&self.inner, socket => socket.send_now(buf)),
        )
    }

    /// Sends one datagram to the peer, if there is room.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; as [`send`](Self::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, socket => socket.send_now(buf)),
        )
    }

    /// As [`send_to`](Self::send_to); of several tasks that poll for sending, the last one is woken.
    ///
    /// # Errors
    /// As [`send_to`](Self::send_to).
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

    /// Sends one datagram to `target`, if there is room.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; as [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, socket => socket.send_to_now(buf, target)),
        )
    }

    /// As [`recv`](Self::recv); of several tasks that poll for receiving, the last one is woken.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_receive(cx, buf, Self::recv_now)
    }

    /// Receives one datagram from the peer, if there is one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; as [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.recv_now(buf))
    }

    /// Receives one datagram from the peer, if there is one, and advances `buf`.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let receive = |space: &mut [u8]| self.try_recv(space);
        each!(&self.inner, backend, socket => backend::net::try_recv_buf(socket, buf, receive))
    }

    /// Receives one datagram from the peer and advances `buf`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// As [`recv`](Self::recv).
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let receive = |space: &mut [u8]| self.recv_now(space);
        each!(&self.inner, backend, socket => backend::net::recv_buf(socket, buf, receive).await)
    }

    /// As [`recv_from`](Self::recv_from); of several tasks that poll for receiving, the last one is woken.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_receive_from(cx, buf, Self::recv_from_now)
    }

    /// Receives one datagram and its sender, if there is one.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; as [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_now(Interest::READABLE, || self.recv_from_now(buf))
    }

    /// Receives one datagram and its sender, if there is one, and advances `buf`.
    ///
    /// # Errors
    /// As [`try_recv_from`](Self::try_recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let receive = |space: &mut [u8]| self.try_recv_from(space);
        each!(&self.inner, backend, socket => {
            backend::net::try_recv_buf_from(socket, buf, receive)
        })
    }

    /// Receives one datagram and its sender, and advances `buf`.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// As [`recv_from`](Self::recv_from).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let receive = |space: &mut [u8]| self.recv_from_now(space);
        each!(&self.inner, backend, socket => {
            backend::net::recv_buf_from(socket, buf, receive).await
        })
    }

    /// As [`recv`](Self::recv), but leaves the datagram there.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// Takes nothing, whenever it is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.async_io(RECEIVE, || self.peek_now(buf)).await
    }

    /// As [`peek`](Self::peek); of several tasks that poll for receiving, the last one is woken.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_receive(cx, buf, Self::peek_now)
    }

    /// As [`try_recv`](Self::try_recv), but leaves the datagram there.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.peek_now(buf))
    }

    /// As [`recv_from`](Self::recv_from), but leaves the datagram there.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Takes nothing, whenever it is dropped.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.async_io(RECEIVE, || self.peek_from_now(buf)).await
    }

    /// As [`peek_from`](Self::peek_from); of several tasks that poll for receiving, the last one is woken.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_receive_from(cx, buf, Self::peek_from_now)
    }

    /// As [`try_recv_from`](Self::try_recv_from), but leaves the datagram there.
    ///
    /// # Errors
    /// As [`try_recv_from`](Self::try_recv_from).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_now(Interest::READABLE, || self.peek_from_now(buf))
    }

    /// Waits for a datagram and gives its sender; the datagram stays there.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// Takes nothing, whenever it is dropped.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        let sender = || self.peek_from_now(&mut []);
        Ok(self.async_io(RECEIVE, sender).await?.1)
    }

    /// As [`peek_sender`](Self::peek_sender); of several tasks that poll for receiving, the last one is woken.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        let sender = || self.peek_from_now(&mut []);
        self.poll_io(cx, Direction::Read, sender)
            .map_ok(|(_, sender)| sender)
    }

    /// The sender of the datagram that is there; the datagram stays.
    ///
    /// # Errors
    /// As [`try_recv_from`](Self::try_recv_from).
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
