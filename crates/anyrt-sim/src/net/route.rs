//! Which node an address leads to, and the errors of sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

use crate::node::NodeState;
use crate::runtime::SimRuntime;

/// Stands for the node of an address that belongs to no node.
pub(super) const NOWHERE: usize = usize::MAX;

pub(crate) fn error(errno: Errno) -> io::Error {
    errno.into()
}

/// Returns the node that the address leads to.
pub(crate) fn route(rt: &SimRuntime, ip: IpAddr) -> Option<usize> {
    let here = rt.node_state();
    if is_loopback(ip) || ip.is_unspecified() || is_own(here, ip) {
        return Some(here.id());
    }
    let nodes = rt.world().nodes();
    nodes.find_ip(ip)
}

pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}

fn is_own(node: &NodeState, ip: IpAddr) -> bool {
    ip == IpAddr::from(node.ipv4()) || ip == IpAddr::from(node.ipv6())
}

/// Fails if the address does not belong to the node.
pub(super) fn check_bind(node: &NodeState, address: SocketAddr) -> io::Result<()> {
    let ip = address.ip();
    if is_loopback(ip) || ip.is_unspecified() || is_own(node, ip) {
        Ok(())
    } else {
        Err(error(Errno::ADDRNOTAVAIL))
    }
}

/// Returns the source address of packets to `to`.
pub(super) fn source(node: &NodeState, to: IpAddr) -> IpAddr {
    match to {
        _ if is_loopback(to) => to,
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) => node.ipv4().into(),
        IpAddr::V6(_) => node.ipv6().into(),
    }
}

/// Returns the destination of packets to `to`; the unspecified address means this machine.
pub(super) fn destination(to: SocketAddr) -> SocketAddr {
    let ip = match to.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, to.port())
}
