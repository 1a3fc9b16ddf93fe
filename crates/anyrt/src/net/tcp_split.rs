//! The halves of a TCP stream.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;
use anyrt_core::TcpStream as _;

use super::TcpStream;
use super::halves::halves;

halves!(TcpStream, SocketAddr);

macro_rules! peek {
    ($($half:ty),*) => {$(
        impl $half {
            /// See [`TcpStream::poll_peek`].
            ///
            /// # Errors
            /// The same as there.
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }

            /// See [`TcpStream::peek`].
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: no data is consumed.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }
        }
    )*};
}
peek!(ReadHalf<'_>, OwnedReadHalf);
