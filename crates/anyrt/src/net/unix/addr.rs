//! Addresses of Unix sockets.

use std::fmt;
use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net;
use std::path::Path;

use socket2::Type;

use crate::backend::simulated;

/// The address of a Unix socket.
#[derive(Clone)]
pub struct SocketAddr(pub(super) net::SocketAddr);

impl SocketAddr {
    /// Returns `true` if the address is unnamed, like that of a socket that was not bound.
    pub fn is_unnamed(&self) -> bool {
        self.0.is_unnamed()
    }

    /// Returns the path, if the address is a path.
    pub fn as_pathname(&self) -> Option<&Path> {
        self.0.as_pathname()
    }

    /// Returns the name without its leading zero byte, if the address is in the abstract namespace.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn as_abstract_name(&self) -> Option<&[u8]> {
        self.0.as_abstract_name()
    }

    /// Creates the address of a path. On Linux, a path that starts with a zero byte is an abstract
    /// name.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use std::os::unix::ffi::OsStrExt;

            if let Some(name) = path.as_os_str().as_bytes().strip_prefix(b"\0") {
                return net::SocketAddr::from_abstract_name(name).map(Self);
            }
        }
        net::SocketAddr::from_pathname(path).map(Self)
    }

    /// Returns the address for a socket of this type to connect or send to.
    pub(super) fn find(self, kind: Type) -> io::Result<Self> {
        simulated::find_unix(self.0, kind).map(Self)
    }

    /// Converts an address of the system into the one that the program knows.
    pub(super) fn shown(address: net::SocketAddr) -> Self {
        Self(simulated::show_unix(address))
    }

    /// Converts into the address type of socket2.
    pub(super) fn to_socket2(&self) -> io::Result<socket2::SockAddr> {
        if let Some(path) = self.as_pathname() {
            return socket2::SockAddr::unix(path);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(name) = self.as_abstract_name() {
            use std::ffi::OsStr;
            use std::os::unix::ffi::OsStrExt;

            return socket2::SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat()));
        }
        socket2::SockAddr::unix("")
    }
}

impl fmt::Debug for SocketAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<net::SocketAddr> for SocketAddr {
    fn from(address: net::SocketAddr) -> Self {
        Self(address)
    }
}

impl From<SocketAddr> for net::SocketAddr {
    fn from(address: SocketAddr) -> Self {
        address.0
    }
}
