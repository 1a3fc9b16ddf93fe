//! The addresses that a call is given.

use std::io;
use std::net::SocketAddr;

use anyrt_core::net::{Net, Target};

use crate::runtime::Handle;

/// Returns the addresses of `target`. Only a name needs a runtime.
pub(super) async fn several(target: Target) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    match target {
        Target::Address(address) => Ok(vec![address].into_iter()),
        Target::Addresses(addresses) => Ok(addresses.into_iter()),
        target => Handle::current().lookup_host(target).await,
    }
}

/// Returns the first address of `target`.
pub(super) async fn first_of(target: Target) -> io::Result<SocketAddr> {
    match target {
        Target::Address(address) => Ok(address),
        target => {
            let first = several(target).await?.next();
            first.ok_or_else(|| no_address("no addresses to send data to"))
        }
    }
}

pub(super) fn no_address(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
