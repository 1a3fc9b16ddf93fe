//! Names: those of nodes, and `localhost`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use anyrt_core::Timer;
use anyrt_core::net::Target;

use crate::runtime::SimRuntime;

/// The addresses of a target.
///
/// A name takes a while, as a question to a server does; an address takes none.
pub(super) async fn resolve(rt: &SimRuntime, target: Target) -> io::Result<Vec<SocketAddr>> {
    let (host, port) = match target {
        Target::Address(address) => return Ok(vec![address]),
        Target::Addresses(addresses) => return Ok(addresses),
        // No name is looked up: std only says what is wrong.
        Target::Malformed(text) => return Ok(text.to_socket_addrs()?.collect()),
        Target::Host(host, port) => (host, port),
    };
    rt.world().net().alive()?;
    let micros = rt.world().net().random.within(100..=2_000);
    rt.sleep(Duration::from_micros(micros)).await;
    if host == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]);
    }
    let node = rt.world().nodes().named(&host);
    match node {
        Some(node) => Ok(vec![(node.ipv4(), port).into()]),
        None => Err(io::Error::other(format!(
            "failed to lookup address information: Name or service not known (no node is named {host:?})"
        ))),
    }
}

/// The first success of `attempt`, or the error of the last one.
pub(super) fn first_that_works<T>(
    addresses: Vec<SocketAddr>,
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
