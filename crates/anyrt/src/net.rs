//! TCP, UDP and name resolution on the current runtime.
//!
//! A socket belongs to the runtime that was current when it was created. It can be used from any
//! other runtime, and stops working when its own has ended.

use std::io;
use std::net::SocketAddr;

use anyrt_core::net::{FromStd, Net};

use crate::runtime::Handle;

pub(crate) mod halves;
mod stream_io;
mod sys;
mod target;
mod tcp_listener;
mod tcp_ready;
mod tcp_socket;
mod tcp_stream;
mod udp;
mod udp_options;
mod udp_ready;
#[cfg(unix)]
pub mod unix;

pub use anyrt_core::net::ToSocketAddrs;
pub use tcp_listener::TcpListener;
pub use tcp_socket::TcpSocket;
pub use tcp_stream::TcpStream;
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{
    datagram::UnixDatagram, listener::UnixListener, socket::UnixSocket, stream::UnixStream,
};

pub mod tcp {
    //! The halves of a TCP stream.
    //!
    //! [`TcpStream::split`](super::TcpStream::split) borrows the stream and returns [`ReadHalf`]
    //! and [`WriteHalf`]; [`into_split`](super::TcpStream::into_split) consumes it and returns
    //! [`OwnedReadHalf`] and [`OwnedWriteHalf`], which can move to different tasks.

    pub use super::tcp_stream::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
}

unwind_safe!(
    TcpListener,
    TcpStream,
    UdpSocket,
    tcp::OwnedReadHalf,
    tcp::OwnedWriteHalf
);

/// Resolves `host`, which includes a port: `"example.com:80"` or `("example.com", 80)`.
///
/// The system's resolver runs on a blocking thread, never on a thread that runs tasks.
///
/// # Errors
/// Fails if the name cannot be resolved.
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Cancel-safe: if the future is dropped, the result of the lookup is discarded.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let addresses: Vec<_> = anyrt::net::lookup_host("localhost:80").await?.collect();
/// assert!(addresses.iter().all(|address| address.ip().is_loopback()));
/// # Ok(()) });
/// ```
pub async fn lookup_host<A: ToSocketAddrs>(
    host: A,
) -> io::Result<impl Iterator<Item = SocketAddr> + use<A>> {
    Handle::current().lookup_host(host).await
}

impl Net for Handle {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpListener> {
        Ok(TcpListener {
            inner: map_each!(&self.inner, rt => rt.bind_tcp_addr(address)?),
        })
    }

    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        Ok(UdpSocket {
            inner: map_each!(&self.inner, rt => rt.bind_udp_addr(address)?),
        })
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        each!(&self.inner, rt => rt.resolve(host, port).await)
    }

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        Ok(TcpStream {
            inner: map_each!(&self.inner, rt => rt.connect_tcp_addr(address).await?),
        })
    }
}

impl FromStd for Handle {
    fn tcp_listener_from_std(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener {
            inner: map_each!(&self.inner, rt => rt.tcp_listener_from_std(listener)?),
        })
    }

    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream {
            inner: map_each!(&self.inner, rt => rt.tcp_stream_from_std(stream)?),
        })
    }

    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket {
            inner: map_each!(&self.inner, rt => rt.udp_socket_from_std(socket)?),
        })
    }
}
