//! TCP, UDP and names.
//!
//! A backend wraps sockets and connects to one address; all else (which addresses to try, the options that a
//! socket is bound with, resolution that never blocks an executor) is written here, once.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use crate::blocking::Blocking;

mod addr;
mod bind;
mod split;
mod tcp;
mod udp;

pub use addr::{Target, ToSocketAddrs};
pub use bind::LISTEN_BACKLOG;
pub use split::{OwnedReadHalf, OwnedWriteHalf, into_split, reunite};
pub use tcp::{TcpListener, TcpStream, connected};
pub use udp::UdpSocket;

/// Opens sockets and resolves names.
///
/// # The end of the runtime
/// Whoever waits for a socket when its runtime ends is told so by an error of kind [`io::ErrorKind::Other`], and so is
/// whoever would have to wait for it later. A runtime that has ended makes no socket: the same error.
///
/// # For implementors
/// The `*_from_std` methods are given sockets that are non-blocking already. They must register with the
/// reactor of `self`, also when they are called on a thread of another runtime, or of none.
pub trait Net: Blocking {
    /// Accepts connections.
    type TcpListener: TcpListener<Stream = Self::TcpStream>;
    /// A connection.
    type TcpStream: TcpStream;
    /// Datagrams.
    type UdpSocket: UdpSocket;

    /// Takes over a listening, non-blocking socket.
    ///
    /// # Errors
    /// As the reactor refuses it.
    fn tcp_listener_from_std(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Self::TcpListener>;

    /// Takes over a connected, non-blocking socket.
    ///
    /// # Errors
    /// As the reactor refuses it.
    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<Self::TcpStream>;

    /// Takes over a bound, non-blocking socket.
    ///
    /// # Errors
    /// As the reactor refuses it.
    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<Self::UdpSocket>;

    /// Connects to one address.
    ///
    /// # Errors
    /// As the system's `connect`.
    ///
    /// # Cancel safety
    /// Dropping it closes the half-open connection.
    fn connect_tcp_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send;

    /// Listens on the first of `address`'s addresses that can be bound.
    ///
    /// With `SO_REUSEADDR`, so that a restarted server gets its port back at once, and without `SO_REUSEPORT`:
    /// a port that somebody listens on is [`io::ErrorKind::AddrInUse`].
    ///
    /// # Errors
    /// The error of the last address, or of the resolution; [`io::ErrorKind::InvalidInput`] when there is no
    /// address at all.
    fn bind_tcp<A: ToSocketAddrs>(
        &self,
        address: A,
    ) -> impl Future<Output = io::Result<Self::TcpListener>> + Send {
        let target = address.target();
        async move {
            let addresses = addr::resolve(self, target).await?;
            let listener = addr::first_that_works(addresses, bind::tcp_listener)?;
            self.tcp_listener_from_std(listener)
        }
    }

    /// Connects to the first of `address`'s addresses that answers.
    ///
    /// # Errors
    /// The error of the last address, or of the resolution; [`io::ErrorKind::InvalidInput`] when there is no
    /// address at all.
    ///
    /// # Cancel safety
    /// Dropping it closes the half-open connection.
    fn connect_tcp<A: ToSocketAddrs>(
        &self,
        address: A,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send {
        let target = address.target();
        async move {
            let addresses = match target {
                Target::Address(address) => addr::Resolved::one(address),
                target => addr::resolve(self, target).await?,
            };
            let mut last = None;
            for address in addresses {
                match self.connect_tcp_addr(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = Some(error),
                }
            }
            // The last failure, as `std::net::TcpStream::connect` reports it.
            Err(last.unwrap_or_else(addr::no_address))
        }
    }

    /// A datagram socket on the first of `address`'s addresses that can be bound.
    ///
    /// # Errors
    /// The error of the last address, or of the resolution; [`io::ErrorKind::InvalidInput`] when there is no
    /// address at all.
    fn bind_udp<A: ToSocketAddrs>(
        &self,
        address: A,
    ) -> impl Future<Output = io::Result<Self::UdpSocket>> + Send {
        let target = address.target();
        async move {
            let addresses = addr::resolve(self, target).await?;
            let socket = addr::first_that_works(addresses, bind::udp_socket)?;
            self.udp_socket_from_std(socket)
        }
    }

    /// The addresses of `host`, which carries a port: `"example.com:80"` or `("example.com", 80)`.
    ///
    /// Names are resolved by the system on a blocking thread, never on one that runs tasks.
    ///
    /// # Errors
    /// As the system's resolver.
    fn lookup_host<A: ToSocketAddrs>(
        &self,
        host: A,
    ) -> impl Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> + Send {
        let target = host.target();
        async move { Ok(addr::resolve(self, target).await?.into_many()) }
    }
}
