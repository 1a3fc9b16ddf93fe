//! The ports of each node that are in use.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

use super::route::error;
use crate::random::Random;

/// TCP and UDP have separate ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// Returns `true` if a socket bound to this address accepts IPv4 as well, as a listener at `[::]`
/// does.
fn takes_ipv4(protocol: Protocol, ip: IpAddr) -> bool {
    protocol == Protocol::Tcp && ip.is_ipv6() && ip.is_unspecified()
}

/// Linux's range of ephemeral ports.
const EPHEMERAL: std::ops::RangeInclusive<u64> = 32_768..=60_999;

/// The bound sockets, by node, protocol and port.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    bound: BTreeMap<(usize, Protocol, u16), Vec<(IpAddr, u64)>>,
    /// The number of connections per local port.
    used: BTreeMap<(usize, u16), u32>,
}

impl Ports {
    /// Binds a socket. Returns its address; port 0 is replaced by a free one.
    pub(crate) fn bind(
        &mut self,
        node: usize,
        protocol: Protocol,
        address: SocketAddr,
        socket: u64,
        random: &mut Random,
    ) -> io::Result<SocketAddr> {
        let port = match address.port() {
            0 => self.free(node, protocol, random)?,
            port => port,
        };
        let here = self.bound.entry((node, protocol, port)).or_default();
        let covers = |one: IpAddr, other: IpAddr| {
            let takes = one.is_ipv4() == other.is_ipv4() || takes_ipv4(protocol, one);
            one == other || (one.is_unspecified() && takes)
        };
        let conflict = |ip: IpAddr| covers(ip, address.ip()) || covers(address.ip(), ip);
        if here.iter().any(|(ip, _)| conflict(*ip)) {
            return Err(error(Errno::ADDRINUSE));
        }
        here.push((address.ip(), socket));
        Ok(SocketAddr::new(address.ip(), port))
    }

    pub(crate) fn release(&mut self, node: usize, protocol: Protocol, port: u16, socket: u64) {
        if let Some(here) = self.bound.get_mut(&(node, protocol, port)) {
            here.retain(|(_, other)| *other != socket);
            if here.is_empty() {
                self.bound.remove(&(node, protocol, port));
            }
        }
    }

    /// Returns the socket bound to the address. An exact match takes precedence over the
    /// unspecified address.
    pub(crate) fn find(&self, node: usize, protocol: Protocol, to: SocketAddr) -> Option<u64> {
        let here = self.bound.get(&(node, protocol, to.port()))?;
        let exact = here.iter().find(|(ip, _)| *ip == to.ip());
        let any = || {
            here.iter()
                .find(|(ip, _)| ip.is_unspecified() && ip.is_ipv4() == to.is_ipv4())
        };
        let both = || {
            let mut here = here.iter();
            here.find(|(ip, _)| to.is_ipv4() && takes_ipv4(protocol, *ip))
        };
        exact.or_else(any).or_else(both).map(|(_, socket)| *socket)
    }

    /// Reserves a local port for a connection.
    pub(crate) fn connect(&mut self, node: usize, random: &mut Random) -> io::Result<u16> {
        let port = self.free(node, Protocol::Tcp, random)?;
        *self.used.entry((node, port)).or_default() += 1;
        Ok(port)
    }

    pub(crate) fn disconnect(&mut self, node: usize, port: u16) {
        if let Some(count) = self.used.get_mut(&(node, port)) {
            *count -= 1;
            if *count == 0 {
                self.used.remove(&(node, port));
            }
        }
    }

    fn free(&self, node: usize, protocol: Protocol, random: &mut Random) -> io::Result<u16> {
        let (low, count) = (*EPHEMERAL.start(), EPHEMERAL.end() - EPHEMERAL.start() + 1);
        let first = random.below(count);
        (0..count)
            .map(|offset| (low + (first + offset) % count) as u16)
            .find(|&port| {
                let used = protocol == Protocol::Tcp && self.used.contains_key(&(node, port));
                !used && !self.bound.contains_key(&(node, protocol, port))
            })
            .ok_or_else(|| error(Errno::ADDRINUSE))
    }
}
