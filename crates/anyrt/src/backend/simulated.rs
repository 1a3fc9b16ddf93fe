//! Operations that a simulated node lacks, or provides in a different way than the other backends.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use anyrt_core::Net;
use anyrt_sim::SimRuntime;

use super::{Current, Each};

/// The public items of the facade.
pub(crate) mod public {
    pub use crate::{__buggify as buggify, __sometimes as sometimes};
}

/// Whether the program is to misbehave here, which only happens in a simulation: under a quarter of
/// the seeds, and then in a quarter of the calls. Without the feature `sim` it is `false`, and
/// costs nothing.
///
/// It is for rare paths of the program's own: a small buffer, an early time-out, a delay between
/// two steps.
///
/// ```
/// let size = if anyrt::buggify!() { 1 } else { 4096 };
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __buggify {
    () => {
        $crate::sim::__buggify(::core::concat!(
            ::core::file!(),
            ":",
            ::core::line!(),
            ":",
            ::core::column!()
        ))
    };
}

/// Says that the condition must be true under some seed. `#[anyrt::test(sim)]` fails if it was
/// evaluated and was true under none: then the seeds do not reach what they are for. Without the
/// feature `sim` nothing is evaluated.
///
/// ```
/// # let attempts = 1;
/// anyrt::sometimes!(attempts > 1, "a request is repeated");
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __sometimes {
    ($condition:expr, $name:literal $(,)?) => {
        $crate::sim::__sometimes($name, || $condition)
    };
}

/// Like Tokio's `select!`. In a simulation the seed chooses the branch that is polled first.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    () => { $crate::__tokio::select!() };
    (biased; $($t:tt)*) => { $crate::__tokio::select!(biased; $($t)*) };
    (else => $($t:tt)*) => { $crate::__tokio::select!(else => $($t)*) };
    // The entry point of Tokio's own macro, with a different start.
    ($($t:tt)*) => {
        $crate::__tokio::select!(@{ start={ $crate::sim::__first_branch(BRANCHES) }; () } $($t)*)
    };
}

/// Returns the current node, if the current runtime is simulated.
pub(crate) fn node() -> Option<SimRuntime> {
    match Current::find()? {
        Each::Sim(()) => SimRuntime::try_current(),
        #[allow(unreachable_patterns, reason = "where nothing else is enabled")]
        _ => None,
    }
}

/// Whether the current runtime is a simulated node.
#[cfg(feature = "test-util")]
pub(crate) fn is_simulated() -> bool {
    node().is_some()
}

/// Fails on a simulated node, which cannot use `what` of the operating system.
pub(crate) fn check_real(what: &str) -> io::Result<()> {
    match node() {
        Some(node) => Err(node.unsupported(what)),
        None => Ok(()),
    }
}

/// Binds a Unix socket: calls `bind` with the address that the system is to know it by, which on a
/// simulated node is another one than the program's.
#[cfg(unix)]
pub(crate) fn bind_unix<T>(
    address: &std::os::unix::net::SocketAddr,
    kind: socket2::Type,
    bind: impl FnOnce(&std::os::unix::net::SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    match node() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(node) => node.bind_unix(address, kind, bind),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Some(node) => Err(node.unsupported("a Unix socket")),
        None => bind(address),
    }
}

/// The address that the system knows a Unix socket by, to connect or send to.
#[cfg(unix)]
pub(crate) fn find_unix(
    address: std::os::unix::net::SocketAddr,
    kind: socket2::Type,
) -> io::Result<std::os::unix::net::SocketAddr> {
    match node() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(node) => node.find_unix(&address, kind),
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        Some(node) => Err(node.unsupported("a Unix socket")),
        None => Ok(address),
    }
}

/// The address as the program wrote it.
#[cfg(unix)]
pub(crate) fn show_unix(address: std::os::unix::net::SocketAddr) -> std::os::unix::net::SocketAddr {
    match node() {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Some(node) => node.show_unix(address),
        _ => address,
    }
}

/// Returns from a function what it is on the disk of a simulated node.
#[cfg(feature = "fs")]
macro_rules! on_disk {
    ($files:ident => $job:expr) => {
        if let Some(node) = $crate::backend::simulated::node() {
            let $files = node.files();
            return $job.await;
        }
    };
}
#[cfg(feature = "fs")]
pub(crate) use on_disk;

/// The directory whose entries are shown, where it is not the one that the system knows.
#[cfg(feature = "fs")]
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown(Option<std::sync::Arc<std::path::Path>>);

#[cfg(feature = "fs")]
impl Shown {
    pub(crate) fn new(directory: &std::path::Path) -> Self {
        Self(Some(directory.into()))
    }

    pub(crate) fn path(&self, entry: &std::fs::DirEntry) -> std::path::PathBuf {
        match &self.0 {
            Some(directory) => directory.join(entry.file_name()),
            None => entry.path(),
        }
    }
}

type Listener = one_of!(net::TcpListener);
type Stream = one_of!(net::TcpStream);

/// The simulated part of an unconnected socket: its address. Its options are those of a system
/// socket that is never bound, and have no effect.
#[derive(Default)]
pub(crate) struct Unconnected {
    address: OnceLock<SocketAddr>,
}

impl Unconnected {
    /// Returns `None` outside of a simulation, like all of these methods.
    pub(crate) fn bind(&self, address: SocketAddr) -> Option<io::Result<()>> {
        node()?;
        Some(match self.address.set(address) {
            Ok(()) => Ok(()),
            Err(_) => Err(rustix::io::Errno::INVAL.into()),
        })
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.address.get().copied()
    }

    pub(crate) fn listen(&self, socket: &socket2::Socket) -> Option<io::Result<Listener>> {
        let node = node()?;
        let any = match socket.domain() {
            Ok(socket2::Domain::IPV6) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            _ => (Ipv4Addr::UNSPECIFIED, 0).into(),
        };
        let address = self.local_addr().unwrap_or(any);
        Some(node.bind_tcp_addr(address).map(Each::Sim))
    }

    pub(crate) async fn connect(&self, address: SocketAddr) -> Option<io::Result<Stream>> {
        let node = node()?;
        if self.local_addr().is_some_and(|local| local.port() != 0) {
            return Some(Err(node.unsupported("a port of its choice to connect from")));
        }
        Some(node.connect_tcp_addr(address).await.map(Each::Sim))
    }
}
