//! Operations that a simulated node lacks, or provides in a different way than the other backends.
//! Without the feature `sim` nothing is simulated or rejected.
#![allow(
    unused_variables,
    reason = "only a simulated node uses the arguments, and not every build has one"
)]

use std::io;
use std::net::SocketAddr;

use super::if_sim::{self, on_node};

/// Returns the result of `job` from the function, on the disk of a simulated node.
#[cfg(feature = "fs")]
macro_rules! on_disk {
    ($files:ident => $job:expr) => {
        $crate::backend::if_sim::on_node!(node => {
            let $files = node.files();
            $job.await
        });
    };
}
#[cfg(feature = "fs")]
pub(crate) use on_disk;

/// Fails on a simulated node, which cannot use `what` of the operating system.
#[cfg(unix)]
#[inline]
pub(crate) fn check_real(what: &str) -> io::Result<()> {
    on_node!(node => Err(node.unsupported(what)));
    Ok(())
}

/// Binds a Unix socket: calls `bind` with the address that the system is to know it by, which on a
/// simulated node is another one than the program's.
#[cfg(unix)]
#[inline]
pub(crate) fn bind_unix<T>(
    address: &std::os::unix::net::SocketAddr,
    kind: socket2::Type,
    bind: impl FnOnce(&std::os::unix::net::SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    on_node!(node => node.bind_unix(address, kind, bind));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    check_real("a Unix socket")?;
    bind(address)
}

/// The address that the system knows a Unix socket by, to connect or send to.
#[cfg(unix)]
#[inline]
pub(crate) fn find_unix(
    address: std::os::unix::net::SocketAddr,
    kind: socket2::Type,
) -> io::Result<std::os::unix::net::SocketAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    on_node!(node => node.find_unix(&address, kind));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    check_real("a Unix socket")?;
    Ok(address)
}

/// The address as the program wrote it.
#[cfg(unix)]
#[inline]
pub(crate) fn show_unix(address: std::os::unix::net::SocketAddr) -> std::os::unix::net::SocketAddr {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    on_node!(node => node.show_unix(address));
    address
}

type Listener = one_of!(net::TcpListener);
type Stream = one_of!(net::TcpStream);

/// The simulated part of an unconnected socket: its address. Its options are those of a system
/// socket that is never bound, and have no effect.
#[derive(Default)]
pub(crate) struct Unconnected {
    address: if_sim::Address,
}

impl Unconnected {
    /// Returns `None` outside of a simulation, like all of these methods.
    #[inline]
    pub(crate) fn bind(&self, address: SocketAddr) -> Option<io::Result<()>> {
        on_node!(_ => Some(match self.address.set(address) {
            Ok(()) => Ok(()),
            Err(_) => Err(rustix::io::Errno::INVAL.into()),
        }));
        None
    }

    #[inline]
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        if_sim::bound_to(&self.address)
    }

    #[inline]
    pub(crate) fn listen(&self, socket: &socket2::Socket) -> Option<io::Result<Listener>> {
        on_node!(node => {
            let any = match socket.domain() {
                Ok(socket2::Domain::IPV6) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
                _ => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            };
            let address = self.local_addr().unwrap_or(any);
            Some(anyrt_core::Net::bind_tcp_addr(&node, address).map(super::Each::Sim))
        });
        None
    }

    #[inline]
    pub(crate) async fn connect(&self, address: SocketAddr) -> Option<io::Result<Stream>> {
        on_node!(node => {
            if self.local_addr().is_some_and(|local| local.port() != 0) {
                return Some(Err(node.unsupported("a port of its choice to connect from")));
            }
            Some(anyrt_core::Net::connect_tcp_addr(&node, address).await.map(super::Each::Sim))
        });
        None
    }
}
