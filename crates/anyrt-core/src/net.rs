//! TCP, UDP and name resolution.
//!
//! A backend binds and connects to one address and resolves a name; everything else is implemented
//! here, once. No required method names a type of the operating system, so a runtime may have its
//! own network. For sockets of the operating system, [`FromStd`] converts them,
//! [`SystemSocket`] provides operations that do not wait, and [`system`] binds them.

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

use addr::{Resolved, first_that_works, no_address};

pub use addr::{Target, ToSocketAddrs};
pub use descriptor::{Descriptor, FromStd, SystemSocket};
pub use now::{DatagramNow, SocketOptions, StreamNow};
pub use split::{OwnedReadHalf, OwnedWriteHalf, into_split, reunite};
pub use tcp::{TcpListener, TcpStream, connected};
pub use udp::UdpSocket;

/// Opens sockets and resolves names.
///
/// # The end of the runtime
/// When a runtime ends, operations that wait for its sockets fail with an error of kind
/// [`io::ErrorKind::Other`], and so do later operations that would have to wait. Creating a socket
/// on a runtime that has ended fails with the same error.
///
/// # For implementors
/// The sockets must belong to `self`, even if a method is called on a thread of another runtime or
/// of none.
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
    /// A TCP listener, which accepts connections.
    type TcpListener: TcpListener<Stream = Self::TcpStream>;
    /// A TCP connection.
    type TcpStream: TcpStream;
    /// A UDP socket.
    type UdpSocket: UdpSocket;

    /// Binds to one address and listens.
    ///
    /// Sets `SO_REUSEADDR`, so that a restarted server gets its port back at once, and not
    /// `SO_REUSEPORT`: binding a port that is in use fails with [`io::ErrorKind::AddrInUse`].
    /// [`system::tcp_listener`] implements this.
    ///
    /// # Errors
    /// Fails if the system's `bind` or `listen` does.
    fn bind_tcp_addr(&self, address: SocketAddr) -> io::Result<Self::TcpListener>;

    /// Binds a UDP socket to one address.
    ///
    /// # Errors
    /// Fails if the system's `bind` does.
    fn bind_udp_addr(&self, address: SocketAddr) -> io::Result<Self::UdpSocket>;

    /// Resolves a host name to addresses with the given port.
    ///
    /// Must not block a thread that runs tasks; [`system::resolve`] uses a blocking thread.
    ///
    /// # Errors
    /// Fails if the name cannot be resolved.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, the result of the lookup is discarded.
    fn resolve(
        &self,
        host: String,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to one address.
    ///
    /// # Errors
    /// Fails if the system's `connect` does.
    ///
    /// # Cancel safety
    /// Dropping the future closes the half-open connection.
    fn connect_tcp_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send;

    /// Binds to the first of the given addresses that can be bound, and listens.
    ///
    /// Sets `SO_REUSEADDR`, so that a restarted server gets its port back at once, and not
    /// `SO_REUSEPORT`: binding a port that is in use fails with [`io::ErrorKind::AddrInUse`].
    ///
    /// # Errors
    /// Returns the error of the last address, or of the name resolution;
    /// [`io::ErrorKind::InvalidInput`] if there is no address.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future closes the socket.
    fn bind_tcp<A: ToSocketAddrs>(
        &self,
        address: A,
    ) -> impl Future<Output = io::Result<Self::TcpListener>> + Send {
        let target = address.target();
        async move {
            let addresses = resolve(self, target).await?;
            first_that_works(addresses, |address| self.bind_tcp_addr(address))
        }
    }

    /// Connects to the first of the given addresses that accepts.
    ///
    /// # Errors
    /// Returns the error of the last address, or of the name resolution;
    /// [`io::ErrorKind::InvalidInput`] if there is no address.
    ///
    /// # Cancel safety
    /// Dropping the future closes the half-open connection.
    fn connect_tcp<A: ToSocketAddrs>(
        &self,
        address: A,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send {
        let target = address.target();
        async move {
            let addresses = match target {
                Target::Address(address) => Resolved::one(address),
                target => resolve(self, target).await?,
            };
            let mut last = None;
            for address in addresses {
                match self.connect_tcp_addr(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = Some(error),
                }
            }
            // The last failure, as `std::net::TcpStream::connect` reports it.
            Err(last.unwrap_or_else(no_address))
        }
    }

    /// Binds a socket to the first of the given addresses that can be bound.
    ///
    /// # Errors
    /// Returns the error of the last address, or of the name resolution;
    /// [`io::ErrorKind::InvalidInput`] if there is no address.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future closes the socket.
    fn bind_udp<A: ToSocketAddrs>(
        &self,
        address: A,
    ) -> impl Future<Output = io::Result<Self::UdpSocket>> + Send {
        let target = address.target();
        async move {
            let addresses = resolve(self, target).await?;
            first_that_works(addresses, |address| self.bind_udp_addr(address))
        }
    }

    /// Resolves `host`, which includes a port: `"example.com:80"` or `("example.com", 80)`.
    ///
    /// Uses [`resolve`](Self::resolve), which never blocks a thread that runs tasks.
    ///
    /// # Errors
    /// Fails if the name cannot be resolved.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, the result of the lookup is discarded.
    fn lookup_host<A: ToSocketAddrs>(
        &self,
        host: A,
    ) -> impl Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> + Send {
        let target = host.target();
        async move { Ok(resolve(self, target).await?.into_many()) }
    }
}

async fn resolve<R: Net>(rt: &R, target: Target) -> io::Result<Resolved> {
    match target {
        Target::Address(address) => Ok(Resolved::one(address)),
        Target::Addresses(addresses) => Ok(Resolved::Many(addresses.into_iter())),
        Target::Host(host, port) => {
            let addresses = rt.resolve(host, port).await?;
            Ok(Resolved::Many(addresses.into_iter()))
        }
        Target::Malformed(text) => Resolved::malformed(&text),
    }
}
