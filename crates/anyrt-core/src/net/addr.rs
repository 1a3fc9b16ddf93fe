//! Types that can be used as an address, and name resolution.

use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs as _,
};

/// An address or a name to resolve, with a port.
#[derive(Debug, Clone)]
pub enum Target {
    /// One address. Unlike a list it does not allocate, so neither does sending a datagram.
    Address(SocketAddr),
    /// Addresses that need no resolution.
    Addresses(Vec<SocketAddr>),
    /// A name and a port.
    Host(String, u16),
    /// Text that is not `name:port`. Resolving it reports the error.
    Malformed(String),
}

/// A type that can be used as an address: the types that std accepts, resolved without blocking.
///
/// Strings are `"127.0.0.1:80"`, `"[::1]:80"` or `"example.com:80"`; tuples are
/// `("example.com", 80)`.
///
/// # Examples
/// ```
/// use anyrt_core::{Net, net::ToSocketAddrs};
///
/// /// Takes `"localhost:80"`, `("localhost", 80)`, a `SocketAddr`, a slice of them, …
/// async fn connect<N: Net>(rt: N, to: impl ToSocketAddrs) -> std::io::Result<N::TcpStream> {
///     rt.connect_tcp(to).await
/// }
/// ```
pub trait ToSocketAddrs {
    /// Returns the addresses, or the name to resolve.
    fn target(&self) -> Target;

    /// Returns the address if `self` is a single one, which then need not be copied.
    #[inline]
    fn as_address(&self) -> Option<&SocketAddr> {
        None
    }
}

#[inline]
fn one(address: SocketAddr) -> Target {
    Target::Address(address)
}

impl ToSocketAddrs for SocketAddr {
    #[inline]
    fn as_address(&self) -> Option<&SocketAddr> {
        Some(self)
    }

    #[inline]
    fn target(&self) -> Target {
        one(*self)
    }
}

impl ToSocketAddrs for SocketAddrV4 {
    fn target(&self) -> Target {
        one((*self).into())
    }
}

impl ToSocketAddrs for SocketAddrV6 {
    fn target(&self) -> Target {
        one((*self).into())
    }
}

impl ToSocketAddrs for (IpAddr, u16) {
    fn target(&self) -> Target {
        one((*self).into())
    }
}

impl ToSocketAddrs for (Ipv4Addr, u16) {
    fn target(&self) -> Target {
        one((*self).into())
    }
}

impl ToSocketAddrs for (Ipv6Addr, u16) {
    fn target(&self) -> Target {
        one((*self).into())
    }
}

impl ToSocketAddrs for [SocketAddr] {
    fn target(&self) -> Target {
        Target::Addresses(self.to_vec())
    }
}

impl ToSocketAddrs for Vec<SocketAddr> {
    fn target(&self) -> Target {
        Target::Addresses(self.clone())
    }
}

impl ToSocketAddrs for str {
    fn target(&self) -> Target {
        if let Ok(address) = self.parse() {
            return one(address);
        }
        match self.rsplit_once(':') {
            Some((host, port)) => match port.parse() {
                Ok(port) => (host, port).target(),
                Err(_) => Target::Malformed(self.to_owned()),
            },
            None => Target::Malformed(self.to_owned()),
        }
    }
}

impl ToSocketAddrs for (&str, u16) {
    fn target(&self) -> Target {
        let (host, port) = *self;
        match host.parse::<IpAddr>() {
            Ok(ip) => one((ip, port).into()),
            Err(_) => Target::Host(host.to_owned(), port),
        }
    }
}

impl ToSocketAddrs for (String, u16) {
    fn target(&self) -> Target {
        (self.0.as_str(), self.1).target()
    }
}

impl ToSocketAddrs for String {
    fn target(&self) -> Target {
        self.as_str().target()
    }
}

impl ToSocketAddrs for Target {
    fn target(&self) -> Target {
        self.clone()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    #[inline]
    fn as_address(&self) -> Option<&SocketAddr> {
        (**self).as_address()
    }

    fn target(&self) -> Target {
        (**self).target()
    }
}

/// The addresses to try. The common case of a single one does not allocate.
pub(super) enum Resolved {
    One(std::option::IntoIter<SocketAddr>),
    Many(std::vec::IntoIter<SocketAddr>),
}

impl Resolved {
    #[inline]
    pub(super) fn one(address: SocketAddr) -> Self {
        Self::One(Some(address).into_iter())
    }

    /// The addresses of text that no runtime has to look up: std only reports the error.
    pub(super) fn malformed(text: &str) -> io::Result<Self> {
        text.to_socket_addrs().map(Self::Many)
    }

    pub(super) fn into_many(self) -> std::vec::IntoIter<SocketAddr> {
        match self {
            Self::One(address) => address.collect::<Vec<_>>().into_iter(),
            Self::Many(addresses) => addresses,
        }
    }
}

impl Iterator for Resolved {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Self::One(address) => address.next(),
            Self::Many(addresses) => addresses.next(),
        }
    }
}

/// Returns the first success of `attempt`, or the last error.
pub(super) fn first_that_works<T>(
    addresses: impl Iterator<Item = SocketAddr>,
    attempt: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for address in addresses {
        match attempt(address) {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

pub(super) fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve to any address",
    )
}
