//! The options of datagram sockets, the same for all backends.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use anyrt_core::net::SocketOptions;

use super::{UdpSocket, sys};

impl UdpSocket {
    sys::own_options! {
        /// How many hops a packet may take (`IP_TTL`).
        ttl() -> u32;
        /// Sets how many hops a packet may take.
        set_ttl(ttl: u32) -> ();
        /// Whether an error is pending, and takes it (`SO_ERROR`).
        take_error() -> Option<io::Error>;
    }

    sys::options! {
        /// Whether it may send to broadcast addresses (`SO_BROADCAST`).
        broadcast() -> bool = broadcast;
        /// Allows to send to broadcast addresses.
        set_broadcast(on: bool) -> () = set_broadcast;
        /// Whether what is sent to an IPv4 group comes back to its own host (`IP_MULTICAST_LOOP`).
        multicast_loop_v4() -> bool = multicast_loop_v4;
        /// Sets whether what is sent to an IPv4 group comes back to its own host.
        set_multicast_loop_v4(on: bool) -> () = set_multicast_loop_v4;
        /// How many hops a packet to an IPv4 group may take (`IP_MULTICAST_TTL`).
        multicast_ttl_v4() -> u32 = multicast_ttl_v4;
        /// Sets how many hops a packet to an IPv4 group may take.
        set_multicast_ttl_v4(ttl: u32) -> () = set_multicast_ttl_v4;
        /// Whether what is sent to an IPv6 group comes back to its own host (`IPV6_MULTICAST_LOOP`).
        multicast_loop_v6() -> bool = multicast_loop_v6;
        /// Sets whether what is sent to an IPv6 group comes back to its own host.
        set_multicast_loop_v6(on: bool) -> () = set_multicast_loop_v6;
        /// The traffic class of IPv6 packets (`IPV6_TCLASS`).
        #[cfg(any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "fuchsia",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "cygwin"
        ))]
        tclass_v6() -> u32 = tclass_v6;
        /// Sets the traffic class of IPv6 packets.
        #[cfg(any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "fuchsia",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "cygwin"
        ))]
        set_tclass_v6(tclass: u32) -> () = set_tclass_v6;
        /// The type of service of IPv4 packets (`IP_TOS`).
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku"
        )))]
        tos_v4() -> u32 = tos_v4;
        /// Sets the type of service of IPv4 packets.
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku"
        )))]
        set_tos_v4(tos: u32) -> () = set_tos_v4;
        /// The type of service of IPv4 packets.
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku"
        )))]
        #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are IPv4-specific.")]
        #[doc(hidden)]
        tos() -> u32 = tos_v4;
        /// Sets the type of service of IPv4 packets.
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku"
        )))]
        #[deprecated(note = "`tos` related methods have been renamed `tos_v4` since they are IPv4-specific.")]
        #[doc(hidden)]
        set_tos(tos: u32) -> () = set_tos_v4;
        /// The network device that it is bound to (`SO_BINDTODEVICE`).
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        device() -> Option<Vec<u8>> = device;
        /// Binds it to a network device, or to none.
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        bind_device(interface: Option<&[u8]>) -> () = bind_device;
        /// Joins an IPv6 group on the interface of that index; 0 lets the system choose.
        join_multicast_v6(multiaddr: &Ipv6Addr, interface: u32) -> () = join_multicast_v6;
        /// Leaves an IPv6 group.
        leave_multicast_v6(multiaddr: &Ipv6Addr, interface: u32) -> () = leave_multicast_v6;
    }

    /// Joins an IPv4 group on the interface that has this address; 0.0.0.0 lets the system choose.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket().join_multicast_v4(&multiaddr, &interface)
    }

    /// Leaves an IPv4 group.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.socket().leave_multicast_v4(&multiaddr, &interface)
    }
}
