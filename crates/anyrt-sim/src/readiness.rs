//! Descriptors of the operating system that a simulated node can watch: Unix sockets and pipes,
//! both of whose ends are in the simulation.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use anyrt_core::readiness::{Interest, Reactor};
use anyrt_kit::readiness::{Registration, Source, Waiter};

use crate::runtime::SimRuntime;
use crate::wait::{self, Wait};
use crate::world::World;

/// A descriptor with its readiness.
pub type AsyncFd<T> = anyrt_kit::readiness::AsyncFd<Watch, T>;

impl Reactor for SimRuntime {
    type AsyncFd<T: AsFd> = AsyncFd<T>;

    /// Watches a Unix socket or an anonymous pipe with both ends in the simulation.
    ///
    /// Fails for every other descriptor, because its events would come from outside.
    fn async_fd<T: AsFd>(&self, fd: T, interest: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
        match self.watch(fd.as_fd(), interest) {
            Ok(watch) => Ok(AsyncFd::new(watch, fd)),
            Err(error) => Err((fd, error)),
        }
    }
}

/// The registration of a descriptor with its simulation.
#[derive(Debug)]
pub struct Watch {
    world: Arc<World>,
    source: Arc<Source>,
    token: u64,
    what: &'static str,
}

impl Registration for Watch {
    const EDGE_TRIGGERED: bool = true;

    fn source(&self) -> &Source {
        &self.source
    }

    /// Registered when it is created; called by operations that must wait.
    fn bind(&self, _: BorrowedFd<'_>, interest: Interest, _: Waiter) -> io::Result<bool> {
        wait::note(Wait::Descriptor(self.what, interest.is_writable()));
        Ok(false)
    }

    fn refresh(&self, _: BorrowedFd<'_>, _: Interest, _: Waiter) -> io::Result<()> {
        Ok(())
    }

    fn end(&self, fd: BorrowedFd<'_>) {
        let source = self.world.net().unwatch(fd, self.token);
        drop(source);
    }
}

impl SimRuntime {
    fn refuse_descriptor<T>(&self) -> io::Result<T> {
        Err(self.unsupported(
            "a descriptor of the operating system other than a Unix socket or a pipe of its own (AsyncFd, a child process)",
        ))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn watch(&self, _: BorrowedFd<'_>, _: Interest) -> io::Result<Watch> {
        self.refuse_descriptor()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn watch(&self, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<Watch> {
        use rustix::fs::FileType;

        let what = match FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) {
            FileType::Socket if self.is_own_socket(fd)? => "a Unix socket",
            FileType::Fifo if is_anonymous(fd)? => "a pipe",
            _ => return self.refuse_descriptor(),
        };
        let source = Arc::new(Source::new(anyrt_core::readiness::Ready::EMPTY));
        let world = Arc::clone(self.world());
        let token = world.net().descriptors.add(fd, interest, &source)?;
        Ok(Watch {
            world,
            source,
            token,
            what,
        })
    }

    /// Returns `true` for a Unix socket that only this simulation can reach.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_own_socket(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        use rustix::net::{AddressFamily, SocketAddrUnix, getpeername, getsockname, sockopt};

        if sockopt::socket_domain(fd)? != AddressFamily::UNIX {
            return Ok(false);
        }
        let local = SocketAddrUnix::try_from(getsockname(fd)?)?;
        let peer = match getpeername(fd) {
            Ok(Some(peer)) => Some(SocketAddrUnix::try_from(peer)?),
            Ok(None) | Err(_) => None,
        };
        Ok(self.is_own_unix(&local) && peer.is_none_or(|peer| self.is_own_unix(&peer)))
    }
}

/// Returns `true` if the pipe has no name on the real disk.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_anonymous(fd: BorrowedFd<'_>) -> io::Result<bool> {
    /// The file system of pipes, in Linux's `magic.h`.
    const PIPEFS: u64 = 0x5049_5045;
    let found = rustix::fs::fstatfs(fd)?.f_type;
    Ok(u64::try_from(found).is_ok_and(|found| found == PIPEFS))
}
