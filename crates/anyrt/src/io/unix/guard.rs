//! That a descriptor was ready, and what follows from finding that it is not.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

use anyrt_core::readiness::ReadyEvent;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::AsyncFd;
use crate::io::{Interest, Ready};
use crate::raw::Raw;

type Event<'a, T> = one_of!((&'a (), T); readiness::Event<'a, Raw<T>>);

/// That a descriptor was ready. Whoever then finds that it is not must say so, or the next wait ends at once.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    async_fd: &'a AsyncFd<T>,
    event: Event<'a, T>,
}

impl<'a, T: AsRawFd> AsyncFdReadyGuard<'a, T> {
    pub(super) fn new(async_fd: &'a AsyncFd<T>, event: Event<'a, T>) -> Self {
        Self { async_fd, event }
    }

    /// Says that the descriptor is not ready. Readiness that came after this guard stays.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// Says that the descriptor is not ready for `ready`. Readiness that came after this guard stays.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        each!(&mut self.event, event => event.clear(ready));
    }

    /// Leaves the descriptor ready. Does nothing; it says that this is on purpose.
    pub fn retain_ready(&mut self) {}

    /// What it was ready for, of what was asked, and is not cleared.
    pub fn ready(&self) -> Ready {
        each!(&self.event, event => event.ready())
    }

    /// Runs `f`; when that gives [`io::ErrorKind::WouldBlock`], clears the readiness.
    ///
    /// # Errors
    /// [`TryIoError`] when the descriptor was not ready.
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

    /// The descriptor with its readiness.
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.async_fd
    }

    /// What was wrapped.
    pub fn get_inner(&self) -> &'a T {
        self.async_fd.get_ref()
    }
}

/// As [`AsyncFdReadyGuard`], with `&mut T`.
///
/// It holds the descriptor itself, so it cannot hold an event of it. It does not believe that the descriptor is not
/// ready, but looks: so nothing that came meanwhile is lost, at the price of a system call.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    async_fd: &'a mut AsyncFd<T>,
    ready: Ready,
}

impl<'a, T: AsRawFd> AsyncFdReadyMutGuard<'a, T> {
    pub(super) fn new(async_fd: &'a mut AsyncFd<T>, ready: Ready) -> Self {
        Self { async_fd, ready }
    }

    /// Says that the descriptor is not ready. If it is, it stays so.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// Says that the descriptor is not ready for `ready`. If it is, it stays so.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        let ready = self.ready & ready;
        self.ready = self.ready - ready;
        let parts = [
            (Interest::READABLE, PollFlags::IN),
            (Interest::WRITABLE, PollFlags::OUT),
            (Interest::PRIORITY, PollFlags::PRI),
            // Errors are reported always.
            (Interest::ERROR, PollFlags::empty()),
        ];
        for (interest, flags) in parts {
            if !(ready & interest.mask()).is_empty() {
                // What comes after the look is another event than the one that is cleared.
                let _ = self
                    .async_fd
                    .try_io(interest, |fd| still(&Raw(fd.as_raw_fd()), flags));
            }
        }
    }

    /// Leaves the descriptor ready. Does nothing; it says that this is on purpose.
    pub fn retain_ready(&mut self) {}

    /// What it was ready for, of what was asked, and is not cleared.
    pub fn ready(&self) -> Ready {
        self.ready
    }

    /// Runs `f`; when that gives [`io::ErrorKind::WouldBlock`], clears the readiness.
    ///
    /// # Errors
    /// [`TryIoError`] when the descriptor was not ready.
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

    /// The descriptor with its readiness.
    pub fn get_ref(&self) -> &AsyncFd<T> {
        self.async_fd
    }

    /// The descriptor with its readiness.
    pub fn get_mut(&mut self) -> &mut AsyncFd<T> {
        self.async_fd
    }

    /// What was wrapped.
    pub fn get_inner(&self) -> &T {
        self.async_fd.get_ref()
    }

    /// What was wrapped.
    pub fn get_inner_mut(&mut self) -> &mut T {
        self.async_fd.get_mut()
    }
}

/// Whether `fd` is ready at this moment.
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

/// The descriptor was not ready, and is known not to be.
#[derive(Debug)]
pub struct TryIoError(());
