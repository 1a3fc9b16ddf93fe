//! TCP listeners, streams and their halves.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyrt_core::error::ReuniteError;
use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;
use tokio::io::ReadBuf;
use tokio::net::tcp;

use super::newtype;

/// Accepts connections.
#[derive(Debug)]
pub struct TcpListener(tokio::net::TcpListener);

/// A connection.
#[derive(Debug)]
pub struct TcpStream(tokio::net::TcpStream);

/// The reading half of a connection.
#[derive(Debug)]
pub struct OwnedReadHalf(tcp::OwnedReadHalf);

/// The writing half of a connection; dropping it sends FIN.
#[derive(Debug)]
pub struct OwnedWriteHalf(tcp::OwnedWriteHalf);

newtype!(TcpListener, tokio::net::TcpListener);
newtype!(TcpStream, tokio::net::TcpStream);
newtype!(OwnedReadHalf, tcp::OwnedReadHalf);
newtype!(OwnedWriteHalf, tcp::OwnedWriteHalf);

impl anyrt_core::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((TcpStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl anyrt_core::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf;
    type OwnedWriteHalf = OwnedWriteHalf;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.0.nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(how)
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buf).await
    }

    fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let (read, write) = self.0.into_split();
        (OwnedReadHalf(read), OwnedWriteHalf(write))
    }

    fn reunite(
        read: OwnedReadHalf,
        write: OwnedWriteHalf,
    ) -> Result<Self, ReuniteError<OwnedReadHalf, OwnedWriteHalf>> {
        match read.0.reunite(write.0) {
            Ok(stream) => Ok(Self(stream)),
            Err(tcp::ReuniteError(read, write)) => {
                Err(ReuniteError(OwnedReadHalf(read), OwnedWriteHalf(write)))
            }
        }
    }
}

fn poll_read(
    reader: Pin<&mut impl tokio::io::AsyncRead>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(buf);
    ready!(reader.poll_read(cx, &mut buf))?;
    Poll::Ready(Ok(buf.filled().len()))
}

macro_rules! read {
    ($stream:ident) => {
        impl AsyncRead for $stream {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                poll_read(Pin::new(&mut self.0), cx, buf)
            }
        }
    };
}

macro_rules! write {
    ($stream:ident) => {
        impl AsyncWrite for $stream {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf)
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut self.0), cx, bufs)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                tokio::io::AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
            }

            fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
            }
        }
    };
}

read!(TcpStream);
read!(OwnedReadHalf);
write!(TcpStream);
write!(OwnedWriteHalf);
