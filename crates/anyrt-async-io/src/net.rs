//! Sockets: std's, non-blocking, with their readiness.

mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use anyrt_core::net::{Descriptor, FromStd, Net, system};
use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
use socket2::SockRef;

use crate::runtime::{Handle, Host};

pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;

impl<H: Host> Net for Handle<H> {
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
        TcpStream::connect(self.reactor(), address).await
    }
}

impl<H: Host> FromStd for Handle<H> {
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(self.reactor(), listener)
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(self.reactor(), stream)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.reactor(), socket)
    }
}

/// What is the same for all sockets.
macro_rules! socket {
    ($($socket:ident)*) => {$(
        impl $socket {
            /// Stops being asynchronous. The socket stays non-blocking.
            ///
            /// # Errors
            /// Fails if the reactor cannot deregister it.
            pub fn into_std(self) -> io::Result<std::net::$socket> {
                self.inner.into_inner()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.inner.get().as_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.inner.get().as_socket()
            }
        }

        impl Descriptor for $socket {
            #[inline]
            fn socket(&self) -> SockRef<'_> {
                SockRef::from(self.inner.get())
            }
        }

        impl Readiness for $socket {
            fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
                self.inner.ready(interest)
            }

            fn poll_ready(
                &self,
                cx: &mut Context<'_>,
                direction: Direction,
            ) -> Poll<io::Result<()>> {
                self.inner.poll_ready(cx, direction)
            }

            fn try_io<R>(
                &self,
                interest: Interest,
                operation: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.inner.try_io(interest, operation)
            }

            fn async_io<R>(
                &self,
                interest: Interest,
                operation: impl FnMut() -> io::Result<R>,
            ) -> impl Future<Output = io::Result<R>> {
                self.inner.async_io(interest, operation)
            }
        }
    )*};
}
socket!(TcpListener TcpStream UdpSocket);
