//! Sockets: std's, non-blocking, with the readiness of [`crate::reactor`].

mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use anyrt_core::net::{Descriptor, FromStd, Net, system};
use anyrt_core::readiness::{self, Direction, Interest, Readiness, Ready, ReadyEvent};
use socket2::SockRef;

use crate::handle::GlommioRuntime;

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

impl Net for GlommioRuntime {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.tcp_listener_from_std(system::tcp_listener(address)?)
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.udp_socket_from_std(system::udp_socket(address)?)
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        system::resolve(self, host, port).await
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.check()?;
        TcpStream::connect(self, address).await
    }
}

impl FromStd for GlommioRuntime {
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        self.check()?;
        Ok(TcpListener::new(self, listener))
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        self.check()?;
        Ok(TcpStream::new(self, stream))
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        self.check()?;
        Ok(UdpSocket::new(self, socket))
    }
}

/// What is the same for all sockets.
macro_rules! socket {
    ($($socket:ident)*) => {$(
        impl AsFd for $socket {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.io.get_ref().as_fd()
            }
        }

        impl Descriptor for $socket {
            #[inline]
            fn socket(&self) -> SockRef<'_> {
                SockRef::from(self.io.get_ref())
            }
        }

        impl Readiness for $socket {
            async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                let event = readiness::AsyncFd::ready(&self.io, interest).await?;
                Ok(event.ready())
            }

            fn poll_ready(
                &self,
                cx: &mut Context<'_>,
                direction: Direction,
            ) -> Poll<io::Result<()>> {
                readiness::AsyncFd::poll_ready(&self.io, cx, direction).map_ok(drop)
            }

            fn try_io<R>(
                &self,
                interest: Interest,
                operation: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                readiness::AsyncFd::try_io(&self.io, interest, |_| operation())
            }

            fn async_io<R>(
                &self,
                interest: Interest,
                mut operation: impl FnMut() -> io::Result<R>,
            ) -> impl Future<Output = io::Result<R>> {
                self.io.run(interest, move |_| operation())
            }
        }
    )*};
}
socket!(TcpListener TcpStream UdpSocket);
