//! TCP, UDP and names on the current runtime.
//!
//! A socket belongs to the runtime that made it, and can be used from every other one as well.

use std::io;
use std::net::SocketAddr;

use anyrt_core::Net;
use anyrt_core::net::Target;

use crate::backend::map_each;
use crate::runtime::Handle;

mod stream_io;
mod tcp_listener;
mod tcp_stream;
mod udp;
#[cfg(unix)]
pub mod unix;

pub use anyrt_core::net::ToSocketAddrs;
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{
    datagram::UnixDatagram, listener::UnixListener, socket::UnixSocket, stream::UnixStream,
};

pub mod tcp {
    //! The halves of a TCP stream.

    pub use super::tcp_stream::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
}

/// The addresses of `host`, which carries a port: `"example.com:80"` or `("example.com", 80)`.
///
/// Names are resolved by the system on a blocking thread, never on one that runs tasks.
///
/// # Errors
/// As the system's resolver.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
pub async fn lookup_host<A: ToSocketAddrs>(
    host: A,
) -> io::Result<impl Iterator<Item = SocketAddr> + use<A>> {
    Handle::current().lookup_host(host).await
}

impl Net for Handle {
    type TcpListener = TcpListener;
    type TcpStream = TcpStream;
    type UdpSocket = UdpSocket;

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

    async fn connect_tcp_addr(&self, address: SocketAddr) -> io::Result<TcpStream> {
        Ok(TcpStream {
            inner: map_each!(&self.inner, rt => rt.connect_tcp_addr(address).await?),
        })
    }
}

/// The first of the addresses of `target`; only a name needs a runtime.
async fn first_address<A: ToSocketAddrs>(target: A) -> io::Result<SocketAddr> {
    let first = match target.target() {
        Target::Address(address) => Some(address),
        Target::Addresses(addresses) => addresses.first().copied(),
        _ => Handle::current().lookup_host(target).await?.next(),
    };
    first.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "could not resolve to any address",
        )
    })
}
