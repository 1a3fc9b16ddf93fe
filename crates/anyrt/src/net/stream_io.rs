//! The I/O traits of Tokio and of `futures_io` for streams.

use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;

use super::TcpStream;

macro_rules! async_read {
    ($($reader:ident)*) => {$(
        impl ::tokio::io::AsyncRead for $reader {
            #[inline]
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                each!(&mut self.inner, backend, reader => backend::net::poll_read(reader, cx, buf))
            }
        }

        impl futures_io::AsyncRead for $reader {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                each!(&mut self.inner, reader => {
                    futures_io::AsyncRead::poll_read(Pin::new(reader), cx, buf)
                })
            }

            fn poll_read_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                each!(&mut self.inner, reader => {
                    futures_io::AsyncRead::poll_read_vectored(Pin::new(reader), cx, bufs)
                })
            }
        }
    )*};
}

macro_rules! async_write {
    ($($writer:ident)*) => {$(
        impl ::tokio::io::AsyncWrite for $writer {
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

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_close(self, cx)
            }
        }

        impl futures_io::AsyncWrite for $writer {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                each!(&mut self.inner, writer => {
                    futures_io::AsyncWrite::poll_write(Pin::new(writer), cx, buf)
                })
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                each!(&mut self.inner, writer => {
                    futures_io::AsyncWrite::poll_write_vectored(Pin::new(writer), cx, bufs)
                })
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(&mut self.inner, writer => {
                    futures_io::AsyncWrite::poll_flush(Pin::new(writer), cx)
                })
            }

            fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(&mut self.inner, writer => {
                    futures_io::AsyncWrite::poll_close(Pin::new(writer), cx)
                })
            }
        }
    )*};
}

async_read!(TcpStream);
async_write!(TcpStream);
