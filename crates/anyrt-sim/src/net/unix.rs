//! The names of Unix sockets: each node has its own.
//!
//! Each name of a node is mapped to a name in the kernel's abstract namespace, so nodes and
//! simulations are isolated and nothing is left on the real disk.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use super::route::error;
use crate::runtime::SimRuntime;

/// The address of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// Exists until it is removed, as the file of a socket does.
    Path(PathBuf),
    /// Exists as long as its socket.
    Abstract(Vec<u8>),
}

/// `None` for the address of a socket that is not bound.
fn name_of(address: &SocketAddr) -> Option<Name> {
    match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => Some(Name::Path(absolute(path))),
        (None, Some(name)) => Some(Name::Abstract(name.to_owned())),
        (None, None) => None,
    }
}

/// Returns `true` if a socket of that type is bound to an abstract name.
fn is_bound(address: &SocketAddr, kind: Type) -> io::Result<bool> {
    let name = [b"\0", address.as_abstract_name().unwrap_or_default()].concat();
    let probe = Socket::new(Domain::UNIX, kind, None)?;
    match probe.bind(&SockAddr::unix(OsStr::from_bytes(&name))?) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(true),
        Err(error) => Err(error),
    }
}

/// A relative path starts at the root of the node.
fn absolute(path: &Path) -> PathBuf {
    let mut absolute = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => absolute.push(name),
            Component::ParentDir => _ = absolute.pop(),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    absolute
}

/// The names of all nodes of a world.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The number of the kernel's name, and the types of its sockets.
    taken: BTreeMap<(usize, Name), (u64, Type)>,
    /// The addresses as the program wrote them; the first has number 0.
    shown: Vec<SocketAddr>,
}

impl Names {
    fn take(&mut self, node: usize, name: Name, address: &SocketAddr, kind: Type) -> u64 {
        let number = self.shown.len() as u64;
        self.shown.push(address.clone());
        self.taken.insert((node, name), (number, kind));
        number
    }

    /// A socket that is still bound to it keeps it as its address, as on Linux.
    fn remove(&mut self, node: usize, name: Name) -> bool {
        self.taken.remove(&(node, name)).is_some()
    }
}

impl SimRuntime {
    fn kernel_prefix(&self) -> String {
        format!("anyrt-sim/{}/{}/", std::process::id(), self.world().id)
    }

    fn kernel_name(&self, number: u64) -> io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(format!("{}{number}", self.kernel_prefix()))
    }

    /// Binds a Unix socket of that type and of the node: calls `bind` with the address in the
    /// kernel.
    ///
    /// # Errors
    /// `EADDRINUSE` if the node has that name already: a path stays in use until
    /// [`remove_unix_path`](Self::remove_unix_path), even after its socket was closed. The error of
    /// `bind`.
    pub fn bind_unix<T>(
        &self,
        address: &SocketAddr,
        kind: Type,
        bind: impl FnOnce(&SocketAddr) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(name) = name_of(address) else {
            return bind(address);
        };
        let node = self.node_state().id();
        let number = {
            let mut net = self.world().net();
            net.alive()?;
            match (&name, net.unix_names.taken.get(&(node, name.clone()))) {
                (Name::Path(_), Some(_)) => return Err(error(Errno::ADDRINUSE)),
                // The kernel knows whether it is free again.
                (Name::Abstract(_), Some((number, _))) => *number,
                (_, None) => net.unix_names.take(node, name.clone(), address, kind),
            }
        };
        let bound = bind(&self.kernel_name(number)?);
        if bound.is_err() && matches!(name, Name::Path(_)) {
            self.world().net().unix_names.remove(node, name);
        }
        bound
    }

    /// Returns the kernel's address of a Unix socket of the node, for a socket of that type.
    ///
    /// # Errors
    /// `ENOENT` if the node has no such path, `ECONNREFUSED` if it has no such abstract name,
    /// `EPROTOTYPE` if a socket of another type is bound to the path.
    pub fn find_unix(&self, address: &SocketAddr, kind: Type) -> io::Result<SocketAddr> {
        let Some(name) = name_of(address) else {
            return Ok(address.clone());
        };
        let is_path = matches!(name, Name::Path(_));
        let node = self.node_state().id();
        let found = {
            let net = self.world().net();
            net.unix_names.taken.get(&(node, name)).copied()
        };
        let Some((number, made_for)) = found else {
            return Err(error(match is_path {
                true => Errno::NOENT,
                false => Errno::CONNREFUSED,
            }));
        };
        let address = self.kernel_name(number)?;
        // The kernel has an abstract name once for each type, and a path once for all.
        if is_path && made_for != kind && is_bound(&address, made_for)? {
            return Err(error(Errno::PROTOTYPE));
        }
        Ok(address)
    }

    /// Returns the address as the program wrote it, from that of the kernel.
    pub fn show_unix(&self, address: SocketAddr) -> SocketAddr {
        let number = address.as_abstract_name().and_then(|name| {
            let number = name.strip_prefix(self.kernel_prefix().as_bytes())?;
            std::str::from_utf8(number).ok()?.parse::<usize>().ok()
        });
        let Some(number) = number else {
            return address;
        };
        let shown = self.world().net().unix_names.shown.get(number).cloned();
        shown.unwrap_or(address)
    }

    /// Removes the path of a Unix socket of the node, as removing its file does. Returns `true` if
    /// there was one. A socket that is bound to it stays open, and cannot be found any more.
    pub fn remove_unix_path(&self, path: &Path) -> bool {
        let name = Name::Path(absolute(path));
        let node = self.node_state().id();
        self.world().net().unix_names.remove(node, name)
    }

    /// Returns `true` if the address is one that this simulation assigned, or none.
    pub(crate) fn is_own_unix(&self, address: &rustix::net::SocketAddrUnix) -> bool {
        match address.abstract_name() {
            // rustix reads no name as an empty one.
            Some(name) => name.is_empty() || name.starts_with(self.kernel_prefix().as_bytes()),
            None => address.path_bytes().is_none(),
        }
    }
}
