//! The readiness of TCP streams, and the operations that do not wait.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll, ready};

use ::tokio::io::ReadBuf;
use anyrt_core::net::StreamNow;
use anyrt_core::readiness::{Direction, Readiness};
use bytes::BufMut;

use super::{TcpStream, sys};
use crate::io::Interest;

sys::readiness! {
    // Of `readable`.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// use anyrt::io::AsyncWriteExt;
    /// use anyrt::net::{TcpListener, TcpStream};
    ///
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let mut peer = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (stream, _) = listener.accept().await?;
    /// peer.write_all(b"hello").await?;
    /// let mut buf = [0; 64];
    /// let read = loop {
    ///     stream.readable().await?;
    ///     match stream.try_read(&mut buf) {
    ///         // It was a false alarm.
    ///         Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
    ///         result => break result?,
    ///     }
    /// };
    /// assert_eq!(read, 5);
    /// # Ok(()) });
    /// ```
    TcpStream: poll_read_ready, poll_write_ready;
    ready(stream, interest) => each!(&stream.inner, stream => stream.ready(interest).await);
    poll_ready(stream, cx, direction) => each!(&stream.inner, stream => stream.poll_ready(cx, direction));
    try_io(stream, interest, f) => each!(&stream.inner, stream => stream.try_io(interest, f));
    async_io(stream, interest, f) => each!(&stream.inner, stream => stream.async_io(interest, &mut f).await);
}

impl TcpStream {
    /// Like [`try_io`](Self::try_io), for operations that never wait.
    fn try_now<R>(
        &self,
        interest: Interest,
        operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, backend, stream => {
            sys::try_now(backend::TRIES_UNTOLD, stream, interest, operation)
        })
    }

    /// Reads the available data without waiting. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if no data is available, and fails if the system's
    /// `recv` does.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(
            Interest::READABLE,
            || each!(&self.inner, stream => stream.read_now(buf)),
        )
    }

    /// Reads the available data into several buffers with one system call. Returns 0 at the end of
    /// the stream.
    ///
    /// # Errors
    /// See [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.try_now(
            Interest::READABLE,
            || each!(&self.inner, stream => stream.read_vectored_now(bufs)),
        )
    }

    /// Reads the available data and advances `buf`. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// See [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let read = |space: &mut [u8]| self.try_read(space);
        each!(&self.inner, backend, stream => backend::net::try_read_buf(stream, buf, read))
    }

    /// Writes as many bytes as fit into the socket's buffer, without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if the buffer is full, and fails if the system's
    /// `send` does.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, stream => stream.write_now(buf)),
        )
    }

    /// Writes as many bytes of several buffers as fit, with one system call.
    ///
    /// # Errors
    /// See [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_now(
            Interest::WRITABLE,
            || each!(&self.inner, stream => stream.write_vectored_now(bufs)),
        )
    }

    /// Polls for data and copies it without consuming it. Returns the number of bytes, 0 at the end
    /// of the stream. Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the system's `recv` does.
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
