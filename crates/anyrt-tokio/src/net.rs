//! Tokio's sockets, with the traits of the core.
//!
//! Each type is a newtype. `as_inner`, `as_inner_mut` and `into_inner` return Tokio's own.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};

use anyrt_core::net::{Descriptor, FromStd, Net, SystemSocket, system};
use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
use socket2::SockRef;

use crate::readiness::{from_tokio, to_tokio};
use crate::runtime::TokioRuntime;

mod newtype;
mod tcp;
mod udp;

pub use tcp::{OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpStream, connect};
pub use udp::UdpSocket;

impl Net for TokioRuntime {
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
        let mut lookup = pin!(tokio::net::lookup_host((host.as_str(), port)));
        let poll = poll_fn(|cx| {
            let _entered = self.within_context();
            lookup.as_mut().poll(cx)
        });
        poll.await.map(Iterator::collect)
    }

    fn connect_tcp_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<TcpStream>> + Send {
        tcp::connect_on(self, address)
    }
}

impl FromStd for TokioRuntime {
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let _entered = self.within_context();
        let inner = tokio::net::TcpListener::from_std(listener)?;
        Ok(TcpListener::new(inner, self.clone()))
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        let _entered = self.within_context();
        tokio::net::TcpStream::from_std(stream).map(TcpStream::from)
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        let _entered = self.within_context();
        tokio::net::UdpSocket::from_std(socket).map(UdpSocket::from)
    }
}

/// Methods that are the same for streams and datagram sockets.
macro_rules! socket {
    ($socket:ident, $poll_read_ready:ident, $poll_write_ready:ident) => {
        impl $socket {
            /// Converts into the type of std. The socket stays in non-blocking mode.
            ///
            /// # Errors
            /// Fails if the socket cannot be deregistered from the reactor.
            pub fn into_std(self) -> io::Result<std::net::$socket> {
                self.0.into_std()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.0.as_socket()
            }
        }

        impl Descriptor for $socket {
            #[inline]
            fn socket(&self) -> SockRef<'_> {
                SockRef::from(&self.0)
            }
        }

        impl SystemSocket for $socket {}

        impl Readiness for $socket {
            async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.0.ready(to_tokio(interest)).await.map(from_tokio)
            }

            #[inline]
            fn poll_ready(
                &self,
                cx: &mut Context<'_>,
                direction: Direction,
            ) -> Poll<io::Result<()>> {
                match direction {
                    Direction::Read => self.0.$poll_read_ready(cx),
                    Direction::Write => self.0.$poll_write_ready(cx),
                }
            }

            #[inline]
            fn try_io<R>(
                &self,
                interest: Interest,
                operation: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.0.try_io(to_tokio(interest), operation)
            }

            fn try_now<R>(
                &self,
                interest: Interest,
                operation: impl FnMut() -> io::Result<R>,
            ) -> io::Result<R> {
                self.try_io(interest, operation)
            }

            fn async_io<R>(
                &self,
                interest: Interest,
                operation: impl FnMut() -> io::Result<R>,
            ) -> impl Future<Output = io::Result<R>> {
                self.0.async_io(to_tokio(interest), operation)
            }
        }
    };
}
socket!(TcpStream, poll_read_ready, poll_write_ready);
socket!(UdpSocket, poll_recv_ready, poll_send_ready);
