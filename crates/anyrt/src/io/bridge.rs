//! The I/O traits of `futures_io` for types that implement Tokio's, and both families for types
//! that pass them on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;

use super::scratch::poll_into;

macro_rules! futures_read {
    ($($reader:ty)*) => {$(
        impl futures_io::AsyncRead for $reader {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let mut buf = ::tokio::io::ReadBuf::new(buf);
                ::tokio::io::AsyncRead::poll_read(self, cx, &mut buf)
                    .map_ok(|()| buf.filled().len())
            }
        }
    )*};
}

macro_rules! futures_write {
    ($($writer:ty)*) => {$(
        impl futures_io::AsyncWrite for $writer {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                ::tokio::io::AsyncWrite::poll_write(self, cx, buf)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                ::tokio::io::AsyncWrite::poll_write_vectored(self, cx, bufs)
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                ::tokio::io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                ::tokio::io::AsyncWrite::poll_shutdown(self, cx)
            }
        }
    )*};
}

/// As [`futures_read!`], for a type whose `inner` is one of each backend's.
macro_rules! futures_read_each {
    ($reader:ident) => {
        impl futures_io::AsyncRead for $reader {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                each!(&mut self.inner, reader => {
                    futures_io::AsyncRead::poll_read(std::pin::Pin::new(reader), cx, buf)
                })
            }

            fn poll_read_vectored(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                each!(&mut self.inner, reader => {
                    futures_io::AsyncRead::poll_read_vectored(std::pin::Pin::new(reader), cx, bufs)
                })
            }
        }
    };
}

pub(crate) use {futures_read, futures_read_each, futures_write};

/// Reads and writes through a shared reference to a stream. Tokio's streams have the methods
/// themselves.
#[allow(dead_code, reason = "there may be Tokio alone")]
pub(crate) trait SharedIo
where
    for<'a> &'a Self: futures_io::AsyncRead + futures_io::AsyncWrite,
{
    #[inline]
    fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_into(buf, |room| {
            futures_io::AsyncRead::poll_read(Pin::new(&mut &*self), cx, room)
        })
    }

    #[inline]
    fn poll_write_shared(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        futures_io::AsyncWrite::poll_write(Pin::new(&mut &*self), cx, buf)
    }

    #[inline]
    fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        futures_io::AsyncWrite::poll_write_vectored(Pin::new(&mut &*self), cx, bufs)
    }
}
impl<S> SharedIo for S where for<'a> &'a S: futures_io::AsyncRead + futures_io::AsyncWrite {}
