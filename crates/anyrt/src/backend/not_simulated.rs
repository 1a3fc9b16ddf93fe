//! The items of `simulated` for builds without a simulator: nothing is simulated or rejected.

use std::io;
use std::net::SocketAddr;

/// The public items of the facade.
pub(crate) mod public {
    pub use crate::{__buggify as buggify, __sometimes as sometimes};
}

/// Always `false`: only in a simulation, with the feature `sim`, may the program be asked to
/// misbehave.
#[doc(hidden)]
#[macro_export]
macro_rules! __buggify {
    () => {
        false
    };
}

/// Does nothing: only simulations, with the feature `sim`, tell whether the condition is ever true.
#[doc(hidden)]
#[macro_export]
macro_rules! __sometimes {
    ($condition:expr, $name:literal $(,)?) => {
        if false {
            let _: (bool, &str) = ($condition, $name);
        }
    };
}

/// Returns `false`: no node is simulated.
#[cfg(feature = "test-util")]
#[inline(always)]
pub(crate) fn is_simulated() -> bool {
    false
}

/// Fails on a simulated node, which cannot use `_what` of the operating system.
#[cfg(unix)]
#[inline(always)]
pub(crate) fn check_real(_what: &str) -> io::Result<()> {
    Ok(())
}

/// Calls `bind` with the address.
#[cfg(unix)]
#[inline(always)]
pub(crate) fn bind_unix<T>(
    address: &std::os::unix::net::SocketAddr,
    _: socket2::Type,
    bind: impl FnOnce(&std::os::unix::net::SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    bind(address)
}

/// Returns the address.
#[cfg(unix)]
#[inline(always)]
pub(crate) fn find_unix(
    address: std::os::unix::net::SocketAddr,
    _: socket2::Type,
) -> io::Result<std::os::unix::net::SocketAddr> {
    Ok(address)
}

/// Returns the address.
#[cfg(unix)]
#[inline(always)]
pub(crate) fn show_unix(address: std::os::unix::net::SocketAddr) -> std::os::unix::net::SocketAddr {
    address
}

/// Returns from a function what it is on the disk of a simulated node.
#[cfg(feature = "fs")]
macro_rules! on_disk {
    ($files:ident => $job:expr) => {};
}
#[cfg(feature = "fs")]
pub(crate) use on_disk;

/// The directory whose entries are shown, where it is not the one that the system knows.
#[cfg(feature = "fs")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {}

#[cfg(feature = "fs")]
impl Shown {
    #[inline(always)]
    pub(crate) fn path(&self, entry: &std::fs::DirEntry) -> std::path::PathBuf {
        entry.path()
    }
}

type Listener = one_of!(net::TcpListener);
type Stream = one_of!(net::TcpStream);

/// The simulated part of an unconnected socket.
#[derive(Default)]
pub(crate) struct Unconnected {}

impl Unconnected {
    #[inline(always)]
    pub(crate) fn bind(&self, _: SocketAddr) -> Option<io::Result<()>> {
        None
    }

    #[inline(always)]
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    #[inline(always)]
    pub(crate) fn listen(&self, _: &socket2::Socket) -> Option<io::Result<Listener>> {
        None
    }

    #[inline(always)]
    pub(crate) async fn connect(&self, _: SocketAddr) -> Option<io::Result<Stream>> {
        None
    }
}
