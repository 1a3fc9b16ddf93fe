//! The I/O traits of Tokio and of `futures_io` for streams.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::TcpStream;
use crate::io::bridge::{futures_read_each, futures_write};

impl AsyncRead for TcpStream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&mut self.inner, backend, reader => backend::net::poll_read(reader, cx, buf))
    }
}

impl AsyncWrite for TcpStream {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(&mut self.inner, backend, writer => backend::net::poll_write(writer, cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&mut self.inner, backend, writer => {
            backend::net::poll_write_vectored(writer, cx, bufs)
        })
    }

    fn is_write_vectored(&self) -> bool {
        // One system call on every backend.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.inner, writer => futures_io::AsyncWrite::poll_flush(Pin::new(writer), cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.inner, writer => futures_io::AsyncWrite::poll_close(Pin::new(writer), cx))
    }
}

futures_read_each!(TcpStream);
futures_write!(TcpStream);
