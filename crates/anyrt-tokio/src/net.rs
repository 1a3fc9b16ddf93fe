//! Sockets: Tokio's, with the traits of the core.
//!
//! Each type is a newtype that gives Tokio's own through `as_inner`, `as_inner_mut` and `into_inner`.

use std::io;
use std::net::SocketAddr;

use anyrt_core::Net;

use crate::runtime::TokioRuntime;

mod tcp;
mod udp;

pub use tcp::{OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpStream};
pub use udp::UdpSocket;

impl Net for TokioRuntime {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let _entered = self.as_inner().enter();
        let inner = tokio::net::TcpListener::from_std(listener)?;
        Ok(TcpListener::new(inner, self.clone()))
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        let _entered = self.as_inner().enter();
        tokio::net::TcpStream::from_std(stream).map(TcpStream::from)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        let _entered = self.as_inner().enter();
        tokio::net::UdpSocket::from_std(socket).map(UdpSocket::from)
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let connect = tokio::net::TcpStream::connect(address);
        self.within(connect).await.map(TcpStream::from)
    }
}

/// The ways between a newtype and what is inside.
macro_rules! newtype {
    ($outer:ident, $inner:ty) => {
        impl $outer {
            /// Tokio's own.
            pub fn as_inner(&self) -> &$inner {
                &self.0
            }

            /// Tokio's own, mutable.
            pub fn as_inner_mut(&mut self) -> &mut $inner {
                &mut self.0
            }

            /// Tokio's own, alone.
            pub fn into_inner(self) -> $inner {
                self.0
            }
        }

        impl From<$inner> for $outer {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }
    };
}
use newtype;
