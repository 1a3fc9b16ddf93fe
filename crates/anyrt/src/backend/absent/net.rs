//! Sockets.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{self as tokio_io, ReadBuf};
use anyrt_core::Net;
use anyrt_core::error::ReuniteError;
use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
use bytes::BufMut;
use socket2::SockRef;

use super::{Handle, never};

absent!(TcpListener TcpStream OwnedReadHalf OwnedWriteHalf UdpSocket);

impl Net for Handle {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn tcp_listener_from_std(&self, _: std::net::TcpListener) -> io::Result<TcpListener> {
        never()
    }

    fn tcp_stream_from_std(&self, _: std::net::TcpStream) -> io::Result<TcpStream> {
        never()
    }

    fn udp_socket_from_std(&self, _: std::net::UdpSocket) -> io::Result<UdpSocket> {
        never()
    }

    async fn connect_tcp_addr(&self, _: SocketAddr) -> io::Result<TcpStream> {
        never()
    }
}

impl anyrt_core::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        never()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        never()
    }
}

impl anyrt_core::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf;
    type OwnedWriteHalf = OwnedWriteHalf;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        never()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        never()
    }

    fn nodelay(&self) -> io::Result<bool> {
        never()
    }

    fn set_nodelay(&self, _: bool) -> io::Result<()> {
        never()
    }

    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        never()
    }

    async fn peek(&self, _: &mut [u8]) -> io::Result<usize> {
        never()
    }

    fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        never()
    }

    fn reunite(
        _: OwnedReadHalf,
        _: OwnedWriteHalf,
    ) -> Result<Self, ReuniteError<OwnedReadHalf, OwnedWriteHalf>> {
        never()
    }
}

macro_rules! read {
    ($($reader:ident)*) => {$(
        impl futures_io::AsyncRead for $reader {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                never()
            }
        }

        impl tokio_io::AsyncRead for $reader {
            fn poll_read(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                never()
            }
        }
    )*};
}

macro_rules! write {
    ($trait:path, $close:ident: $($writer:ident)*) => {$(
        impl $trait for $writer {
            fn poll_write(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &[u8],
            ) -> Poll<io::Result<usize>> {
                never()
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                _: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                never()
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                never()
            }

            fn $close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                never()
            }
        }
    )*};
}

read!(TcpStream OwnedReadHalf);
write!(futures_io::AsyncWrite, poll_close: TcpStream OwnedWriteHalf);
write!(tokio_io::AsyncWrite, poll_shutdown: TcpStream OwnedWriteHalf);

impl futures_io::AsyncRead for &TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        never()
    }
}

impl futures_io::AsyncWrite for &TcpStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        never()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        never()
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        never()
    }
}

impl TcpListener {
    pub(crate) fn poll_accept(
        &self,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        never()
    }
}

// What is Tokio's alone.
pub(crate) async fn connect(_: SocketAddr) -> io::Result<TcpStream> {
    never()
}

impl TcpStream {
    pub(crate) fn poll_read_shared(
        &self,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        never()
    }

    pub(crate) fn poll_write_shared(
        &self,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        never()
    }

    pub(crate) fn poll_write_vectored_shared(
        &self,
        _: &mut Context<'_>,
        _: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        never()
    }

    pub(crate) fn try_read_buf<B: BufMut>(&self, _: &mut B) -> io::Result<usize> {
        never()
    }
}

// What is Tokio's alone.
impl UdpSocket {
    pub(crate) fn try_recv_buf<B: BufMut>(&self, _: &mut B) -> io::Result<usize> {
        never()
    }

    pub(crate) fn try_recv_buf_from<B: BufMut>(
        &self,
        _: &mut B,
    ) -> io::Result<(usize, SocketAddr)> {
        never()
    }

    pub(crate) async fn recv_buf<B: BufMut>(&self, _: &mut B) -> io::Result<usize> {
        never()
    }

    pub(crate) async fn recv_buf_from<B: BufMut>(
        &self,
        _: &mut B,
    ) -> io::Result<(usize, SocketAddr)> {
        never()
    }
}

macro_rules! socket {
    ($($socket:ident)*) => {$(
        impl $socket {
            pub(crate) fn into_std(self) -> io::Result<std::net::$socket> {
                never()
            }

            pub(crate) fn socket(&self) -> SockRef<'_> {
                never()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                never()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                never()
            }
        }

        impl Readiness for $socket {
            async fn ready(&self, _: Interest) -> io::Result<Ready> {
                never()
            }

            fn poll_ready(&self, _: &mut Context<'_>, _: Direction) -> Poll<io::Result<()>> {
                never()
            }

            fn try_io<R>(
                &self,
                _: Interest,
                _: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                never()
            }

            async fn async_io<R>(
                &self,
                _: Interest,
                _: impl FnMut() -> io::Result<R>,
            ) -> io::Result<R> {
                never()
            }
        }
    )*};
}
socket!(TcpListener TcpStream UdpSocket);

impl anyrt_core::UdpSocket for UdpSocket {
    async fn send_to(&self, _: &[u8], _: SocketAddr) -> io::Result<usize> {
        never()
    }

    async fn recv_from(&self, _: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        never()
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<()> {
        never()
    }

    async fn send(&self, _: &[u8]) -> io::Result<usize> {
        never()
    }

    async fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
        never()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        never()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        never()
    }
}
