//! The options of datagram sockets, the same for all backends.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{UdpSocket, sys};

impl UdpSocket {
    sys::options! {
        /// Returns `true` if the socket may send to broadcast addresses (`SO_BROADCAST`).
        broadcast() -> bool = broadcast;
        /// Sets whether the socket may send to broadcast addresses.
        set_broadcast(on: bool) -> () = set_broadcast;
        /// Returns `true` if IPv4 multicast packets are looped back to this host
        /// (`IP_MULTICAST_LOOP`).
        multicast_loop_v4() -> bool = multicast_loop_v4;
        /// Sets whether IPv4 multicast packets are looped back to this host.
        set_multicast_loop_v4(on: bool) -> () = set_multicast_loop_v4;
        /// Returns the number of hops that an IPv4 multicast packet may take (`IP_MULTICAST_TTL`).
        multicast_ttl_v4() -> u32 = multicast_ttl_v4;
        /// Sets the number of hops that an IPv4 multicast packet may take.
        set_multicast_ttl_v4(ttl: u32) -> () = set_multicast_ttl_v4;
        /// Returns `true` if IPv6 multicast packets are looped back to this host
        /// (`IPV6_MULTICAST_LOOP`).
        multicast_loop_v6() -> bool = multicast_loop_v6;
        /// Sets whether IPv6 multicast packets are looped back to this host.
        set_multicast_loop_v6(on: bool) -> () = set_multicast_loop_v6;
        /// Joins an IPv6 multicast group on the interface with that index; 0 lets the system
        /// choose.
        join_multicast_v6(multiaddr: &Ipv6Addr, interface: u32) -> () = join_multicast_v6;
        /// Leaves an IPv6 multicast group.
        leave_multicast_v6(multiaddr: &Ipv6Addr, interface: u32) -> () = leave_multicast_v6;
    }

    /// Joins an IPv4 multicast group on the interface with that address; 0.0.0.0 lets the system
    /// choose.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket().join_multicast_v4(&multiaddr, &interface)
    }

    /// Leaves an IPv4 multicast group.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket().leave_multicast_v4(&multiaddr, &interface)
    }
}

sys::ip_options!(UdpSocket);
