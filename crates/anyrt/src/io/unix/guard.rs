//! Guards of readiness, which clear it if an operation finds the descriptor not ready.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use anyrt_core::readiness::ReadyEvent;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::AsyncFd;
use crate::io::{Interest, Ready};
use crate::raw::Raw;

type Event<'a, T> = one_of!((&'a (), T); readiness::Event<'a, Raw<T>>);

/// Proof that a descriptor was ready. If an operation then finds that it is not, the readiness must
/// be cleared, or the next wait completes at once.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    async_fd: &'a AsyncFd<T>,
    event: Event<'a, T>,
}

impl<'a, T: AsRawFd> AsyncFdReadyGuard<'a, T> {
    pub(super) fn new(async_fd: &'a AsyncFd<T>, event: Event<'a, T>) -> Self {
        Self { async_fd, event }
    }

    /// Clears the readiness. An event that arrived after this guard was created is kept.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// Clears the readiness for `ready`. An event that arrived after this guard was created is
    /// kept.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        each!(&mut self.event, event => event.clear(ready));
    }

    /// Keeps the readiness. Does nothing; it states the intent.
    pub fn retain_ready(&mut self) {}

    /// Returns the part of the requested readiness that is not cleared.
    pub fn ready(&self) -> Ready {
        each!(&self.event, event => event.ready())
    }

    /// Calls `f`, and clears the readiness if it returns [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// Returns [`TryIoError`] if the descriptor was not ready.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match f(self.async_fd) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }

    /// Returns the descriptor with its readiness.
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.async_fd
    }

    /// Returns the wrapped value.
    pub fn get_inner(&self) -> &'a T {
        self.async_fd.get_ref()
    }
}

/// Like [`AsyncFdReadyGuard`], with access to `&mut T`.
///
/// It borrows the descriptor mutably, so it cannot hold an event of it. Before it clears the
/// readiness it polls the descriptor, so that no later event is lost, at the price of a system
/// call.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    async_fd: &'a mut AsyncFd<T>,
    ready: Ready,
}

impl<'a, T: AsRawFd> AsyncFdReadyMutGuard<'a, T> {
    pub(super) fn new(async_fd: &'a mut AsyncFd<T>, ready: Ready) -> Self {
        Self { async_fd, ready }
    }

    /// Clears the readiness, unless the descriptor is ready.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// Clears the readiness for `ready`, unless the descriptor is ready for it.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        let ready = self.ready & ready;
        self.ready = self.ready - ready;
        let parts = [
            (Interest::READABLE, PollFlags::IN),
            (Interest::WRITABLE, PollFlags::OUT),
            (Interest::PRIORITY, PollFlags::PRI),
            // Errors are always reported.
            (Interest::ERROR, PollFlags::empty()),
        ];
        for (interest, flags) in parts {
            if !(ready & interest.mask()).is_empty() {
                // An event that arrives after the poll is a new one and is not cleared.
                let _ = self
                    .async_fd
                    .try_io(interest, |fd| still(&Raw(fd.as_raw_fd()), flags));
            }
        }
    }

    /// Keeps the readiness. Does nothing; it states the intent.
    pub fn retain_ready(&mut self) {}

    /// Returns the part of the requested readiness that is not cleared.
    pub fn ready(&self) -> Ready {
        self.ready
    }

    /// Calls `f`, and clears the readiness if it returns [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// Returns [`TryIoError`] if the descriptor was not ready.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&mut AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match f(self.async_fd) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }

    /// Returns the descriptor with its readiness.
    pub fn get_ref(&self) -> &AsyncFd<T> {
        self.async_fd
    }

    /// Returns the descriptor with its readiness.
    pub fn get_mut(&mut self) -> &mut AsyncFd<T> {
        self.async_fd
    }

    /// Returns the wrapped value.
    pub fn get_inner(&self) -> &T {
        self.async_fd.get_ref()
    }

    /// Returns the wrapped value.
    pub fn get_inner_mut(&mut self) -> &mut T {
        self.async_fd.get_mut()
    }
}

/// Succeeds if `fd` is ready right now.
fn still(fd: &impl AsFd, flags: PollFlags) -> io::Result<()> {
    const NOW: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut [PollFd::new(fd, flags)], Some(&NOW))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyGuard")
            .field("async_fd", &self.async_fd)
            .finish()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyMutGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutReadyGuard")
            .field("async_fd", &self.async_fd)
            .finish()
    }
}

/// The descriptor was not ready, and its readiness was cleared.
#[derive(Debug)]
pub struct TryIoError(());
