//! The readiness of TCP streams, and the operations that do not wait.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;
use anyrt_core::net::StreamNow;
use anyrt_core::readiness::Readiness;
use bytes::BufMut;

use super::{TcpStream, sys};
#[allow(unused_imports, reason = "Tokio's streams have the method themselves")]
use crate::io::read_buf::ReadIntoBuf;

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
    forward! {
        /// Reads the available data without waiting. Returns 0 at the end of the stream.
        ///
        /// # Errors
        /// Returns [`io::ErrorKind::WouldBlock`] if no data is available, and fails if the system's
        /// `recv` does.
        pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;

        /// Reads the available data into several buffers with one system call. Returns 0 at the end
        /// of the stream.
        ///
        /// # Errors
        /// See [`try_read`](Self::try_read).
        pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

        /// Writes as many bytes as fit into the socket's buffer, without waiting.
        ///
        /// # Errors
        /// Returns [`io::ErrorKind::WouldBlock`] if the buffer is full, and fails if the system's
        /// `send` does.
        pub fn try_write(&self, buf: &[u8]) -> io::Result<usize>;

        /// Writes as many bytes of several buffers as fit, with one system call.
        ///
        /// # Errors
        /// See [`try_write`](Self::try_write).
        pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

        /// Reads the available data and advances `buf`. Returns 0 at the end of the stream.
        ///
        /// # Errors
        /// See [`try_read`](Self::try_read).
        pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize>;
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
        let peeked: Poll<io::Result<_>> = each!(&self.inner, stream => stream.poll_peek(cx, space));
        peeked.map_ok(|len| {
            buf.advance(len);
            len
        })
    }
}
