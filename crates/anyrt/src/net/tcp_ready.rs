//! The readiness of TCP streams, and what uses it without waiting.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll, ready};

use ::tokio::io::ReadBuf;
use anyrt_core::net::StreamNow;
use anyrt_core::readiness::{Direction, Readiness};
use bytes::BufMut;

use super::{TcpStream, sys};
use crate::io::{Interest, Ready};

impl TcpStream {
    /// Waits until it is ready for something of `interest`. Any number of tasks may wait.
    ///
    /// It may end although the stream is not ready; then the next operation says so, and the next wait waits.
    ///
    /// # Errors
    /// When the runtime of the stream has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        each!(&self.inner, stream => stream.ready(interest).await)
    }

    /// Waits until it is readable, or at its end. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until it is writable. Any number of tasks may wait.
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
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&self.inner, stream => stream.poll_ready(cx, Direction::Read))
    }

    /// As [`writable`](Self::writable); of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&self.inner, stream => stream.poll_ready(cx, Direction::Write))
    }

    /// Runs `f` if the stream is known to be ready for something of `interest`. If `f` gives
    /// [`io::ErrorKind::WouldBlock`], it is known not to be ready any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it is not ready; those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, stream => stream.try_io(interest, f))
    }

    /// Runs `f` whenever the stream is ready for something of `interest`, until `f` gives something else than
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
        each!(&self.inner, stream => stream.async_io(interest, &mut f).await)
    }

    /// As [`try_io`](Self::try_io), for what cannot wait anyway.
    fn try_now<R>(
        &self,
        interest: Interest,
        operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, backend, stream => {
            sys::try_now(backend::TRIES_UNTOLD, stream, interest, operation)
        })
    }

    /// Reads what is there; 0 at the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is; as the system's `recv`.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(
            Interest::READABLE,
            || each!(&self.inner, stream => stream.read_now(buf)),
        )
    }

    /// Reads what is there into several buffers, by one system call; 0 at the end.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.try_now(
            Interest::READABLE,
            || each!(&self.inner, stream => stream.read_vectored_now(bufs)),
        )
    }

    /// Reads what is there and advances `buf`; 0 at the end.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let read = |space: &mut [u8]| self.try_read(space);
        each!(&self.inner, backend, stream => backend::net::try_read_buf(stream, buf, read))
    }

    /// Writes as much as there is room for.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; as the system's `send`.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, stream => stream.write_now(buf)),
        )
    }

    /// Writes as much of several buffers as there is room for, by one system call.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, stream => stream.write_vectored_now(bufs)),
        )
    }

    /// Waits for data and copies it without taking it; gives the number of bytes, 0 at the end. Of several tasks that
    /// poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `recv`.
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let space = buf.initialize_unfilled();
        let peeked: Poll<io::Result<usize>> = each!(&self.inner, stream => {
            stream.poll_io(cx, Direction::Read, || stream.peek_now(space))
        });
        let peeked = ready!(peeked)?;
        buf.advance(peeked);
        Poll::Ready(Ok(peeked))
    }
}
