//! TCP, UDP and names.
//!
//! A backend binds and connects to one address and resolves a name; all else is written here, once. No required method
//! names a type of the operating system, so a runtime may have a network of its own. Where sockets are the system's,
//! [`FromStd`] takes them over, [`Descriptor`] has what they do without waiting, and [`system`] how they are bound.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use crate::blocking::Blocking;

mod addr;
mod descriptor;
mod now;
mod split;
pub mod system;
mod tcp;
mod udp;

pub use addr::{Target, ToSocketAddrs};
pub use descriptor::{Descriptor, FromStd};
pub use now::{DatagramNow, SocketOptions, StreamNow};
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
/// The sockets must belong to `self`, also when a method is called on a thread of another runtime, or of none.
///
/// # Examples
/// ```
/// use anyrt_core::{Net, TcpListener};
/// use futures_util::AsyncWriteExt;
///
/// async fn greet_one<N: Net>(rt: N) -> std::io::Result<()> {
///     let listener = rt.bind_tcp("127.0.0.1:0").await?;
///     let address = listener.local_addr()?; // the port that the system chose
///     let mut client = rt.connect_tcp(address).await?;
///     let (mut stream, _) = listener.accept().await?;
///     stream.write_all(b"hello").await?;
///     client.close().await
/// }
/// ```
pub trait Net: Blocking {
    /// Accepts connections.
    type TcpListener: TcpListener<Stream = Self::TcpStream>;
    /// A connection.
    type TcpStream: TcpStream;
    /// Datagrams.
    type UdpSocket: UdpSocket;

    /// Listens on one address.
    ///
    /// With `SO_REUSEADDR`, so that a restarted server gets its port back at once, and without `SO_REUSEPORT`:
    /// a port that somebody listens on is [`io::ErrorKind::AddrInUse`]. [`system::tcp_listener`] does it.
    ///
    /// # Errors
    /// As the system's `bind` and `listen`.
    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<Self::TcpListener>;

    /// Opens a datagram socket on one address.
    ///
    /// # Errors
    /// As the system's `bind`.
    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<Self::UdpSocket>;

    /// Resolves a name to the addresses of its hosts, with that port.
    ///
    /// It must not block a thread that runs tasks; [`system::resolve`] takes a blocking one.
    ///
    /// # Errors
    /// As the resolver.
    fn resolve(
        &self,
        host: String,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

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
            addr::first_that_works(addresses, |address| self.bind_tcp_addr(address))
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
            addr::first_that_works(addresses, |address| self.bind_udp_addr(address))
        }
    }

    /// The addresses of `host`, which carries a port: `"example.com:80"` or `("example.com", 80)`.
    ///
    /// Names are resolved by [`resolve`](Self::resolve), never on a thread that runs tasks.
    ///
    /// # Errors
    /// As the resolver.
    fn lookup_host<A: ToSocketAddrs>(
        &self,
        host: A,
    ) -> impl Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> + Send {
        let target = host.target();
        async move { Ok(addr::resolve(self, target).await?.into_many()) }
    }
}
