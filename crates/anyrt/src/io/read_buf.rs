//! Reading into a [`BufMut`] without unsafe code.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use ::tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use anyrt_core::net::{DatagramNow, StreamNow};
use bytes::BufMut;

use super::Interest;

/// A pending error can be received as well.
#[allow(dead_code, reason = "see `ReceiveIntoBuf`")]
const RECEIVE: Interest = Interest::READABLE.add(Interest::ERROR);

/// Lets `read` fill the contiguous spare capacity of `buf`, and advances `buf` by the number of
/// bytes read.
///
/// Tokio's `read_buf` does this soundly; it gets a reader that is always ready.
pub(crate) fn read_buf<B: BufMut>(
    buf: &mut B,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    if !buf.has_remaining_mut() {
        // Tokio's `read_buf` would not call the reader at all; but a datagram must be received even
        // if there is no room for it.
        return read(&mut []);
    }
    let mut reader = Reader(read);
    let future = pin!(reader.read_buf(buf));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the reader never waits"),
    }
}

/// Like [`read_buf`], for a datagram, with the address of its sender.
pub(crate) fn read_buf_from<B: BufMut, A>(
    buf: &mut B,
    mut receive: impl FnMut(&mut [u8]) -> io::Result<(usize, A)>,
) -> io::Result<(usize, A)> {
    let mut from = None;
    let len = read_buf(buf, |space| {
        let (len, sender) = receive(space)?;
        from = Some(sender);
        Ok(len)
    })?;
    match from {
        Some(from) => Ok((len, from)),
        // Tokio's `read_buf` did not call the reader. The datagram is cut off.
        None => receive(&mut []),
    }
}

/// Reads of a stream into a [`BufMut`]. Tokio's streams have the method themselves, and read into
/// uninitialized memory.
#[allow(dead_code, reason = "there may be Tokio alone")]
pub(crate) trait ReadIntoBuf: StreamNow {
    fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        read_buf(buf, |room| self.try_read(room))
    }
}
impl<S: StreamNow> ReadIntoBuf for S {}

/// Like [`ReadIntoBuf`], for datagrams.
#[allow(dead_code, reason = "there may be Tokio alone")]
pub(crate) trait ReceiveIntoBuf: DatagramNow {
    fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        read_buf(buf, |room| self.try_recv(room))
    }

    fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        read_buf_from(buf, |room| self.try_recv_from(room))
    }

    async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let receive = || read_buf(buf, |room| self.recv_now(room));
        self.async_io(RECEIVE, receive).await
    }

    async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let receive = || read_buf_from(buf, |room| self.recv_from_now(room));
        self.async_io(RECEIVE, receive).await
    }
}
impl<S: DatagramNow> ReceiveIntoBuf for S {}

struct Reader<F>(F);

impl<F> Unpin for Reader<F> {}

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> AsyncRead for Reader<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = (self.0)(buf.initialize_unfilled())?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}
