//! Operations that a simulated node lacks, or provides in a different way than the other backends.
//! Without the feature `sim` nothing is simulated or rejected.
#![cfg_attr(
    not(feature = "sim"),
    allow(unused_variables, reason = "only a simulated node uses the arguments")
)]

use std::io;
use std::net::SocketAddr;

#[cfg(feature = "sim")]
use {
    super::{Current, Each},
    anyrt_core::Net,
    anyrt_sim::SimRuntime,
};

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
#[cfg(feature = "sim")]
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

/// Always `false`: only in a simulation, with the feature `sim`, may the program be asked to
/// misbehave.
#[cfg(not(feature = "sim"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __buggify {
    () => {
        false
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
#[cfg(feature = "sim")]
#[doc(hidden)]
#[macro_export]
macro_rules! __sometimes {
    ($condition:expr, $name:literal $(,)?) => {
        $crate::sim::__sometimes($name, || $condition)
    };
}

/// Does nothing: only simulations, with the feature `sim`, tell whether the condition is ever true.
#[cfg(not(feature = "sim"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __sometimes {
    ($condition:expr, $name:literal $(,)?) => {
        if false {
            let _: (bool, &str) = ($condition, $name);
        }
    };
}

/// Like Tokio's `select!`. In a simulation the seed chooses the branch that is polled first.
#[cfg(feature = "sim")]
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
#[cfg(feature = "sim")]
pub(crate) fn node() -> Option<SimRuntime> {
    match Current::find()? {
        Each::Sim(()) => SimRuntime::try_current(),
        #[allow(unreachable_patterns, reason = "where nothing else is enabled")]
        _ => None,
    }
}

/// Returns the expression from the function, on a simulated node.
#[cfg(feature = "sim")]
macro_rules! on_node {
    ($node:pat => $result:expr) => {
        if let Some($node) = $crate::backend::simulated::node() {
            return $result;
        }
    };
}
#[cfg(not(feature = "sim"))]
macro_rules! on_node {
    ($node:pat => $result:expr) => {};
}

/// Returns the result of `job` from the function, on the disk of a simulated node.
#[cfg(feature = "fs")]
macro_rules! on_disk {
    ($files:ident => $job:expr) => {
        $crate::backend::simulated::on_node!(node => {
            let $files = node.files();
            $job.await
        });
    };
}
#[cfg(feature = "fs")]
pub(crate) use {on_disk, on_node};

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
    #[cfg(feature = "sim")]
    address: std::sync::OnceLock<SocketAddr>,
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
        #[cfg(feature = "sim")]
        return self.address.get().copied();
        #[cfg(not(feature = "sim"))]
        None
    }

    #[inline]
    pub(crate) fn listen(&self, socket: &socket2::Socket) -> Option<io::Result<Listener>> {
        on_node!(node => {
            let any = match socket.domain() {
                Ok(socket2::Domain::IPV6) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
                _ => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            };
            let address = self.local_addr().unwrap_or(any);
            Some(node.bind_tcp_addr(address).map(Each::Sim))
        });
        None
    }

    #[inline]
    pub(crate) async fn connect(&self, address: SocketAddr) -> Option<io::Result<Stream>> {
        on_node!(node => {
            if self.local_addr().is_some_and(|local| local.port() != 0) {
                return Some(Err(node.unsupported("a port of its choice to connect from")));
            }
            Some(node.connect_tcp_addr(address).await.map(Each::Sim))
        });
        None
    }
}
