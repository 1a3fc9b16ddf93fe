//! The readiness of descriptors of any kind.
//!
//! Each shard has one epoll (see `epoll.rs`). System calls are made on the thread that polls, so a
//! handle contains no Glommio object and is `Send + Sync`.
//!
//! # Where a descriptor is registered
//! ```text
//! unbound ---- must wait for the first time ----> bound to the shard that polls,
//!                                                 or to some shard if none does (remote)
//! bound to A -- a reader must wait on shard B --> bound to B (re-homing)
//! ```
//! A stream follows its reader to the reader's shard, where a wake-up is cheapest. It does not
//! follow a writer, so two halves on two shards do not move it back and forth. Listeners and
//! datagram sockets, which may have many waiters, stay.
//!
//! # Why no readiness is lost
//! - It is kept in an [`anyrt_kit::readiness::Source`], whose documentation has the main argument.
//! - Moving to another epoll may lose an edge of the old one, but `EPOLL_CTL_ADD` reports the
//!   current readiness, and the task that moved the descriptor tries the system call once more.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyrt_core::readiness::{self, Interest, Ready};
use anyrt_kit::net::Origin;
use anyrt_kit::readiness::{Registration, Source, Waiter};

use crate::epoll::{Epoll, Shared};
use crate::handle::GlommioRuntime;
use crate::shard;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const ALL: Ready = Ready::from_bits(Ready::READABLE.bits() | Ready::WRITABLE.bits());

/// A non-blocking descriptor of any kind that epoll can watch, with its readiness.
pub type AsyncFd<T> = anyrt_kit::readiness::AsyncFd<Watch, T>;

impl readiness::Reactor for GlommioRuntime {
    type AsyncFd<T: AsFd> = AsyncFd<T>;

    fn async_fd<T: AsFd>(&self, fd: T, interest: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
        // The registration itself reports the current readiness.
        let watch = Watch::new(self, interest, Ready::EMPTY, Ready::EMPTY);
        match watch.bind(fd.as_fd(), interest, Waiter::OneOfMany) {
            Ok(_) => Ok(AsyncFd::new(watch, fd)),
            Err(error) => Err((fd, error)),
        }
    }
}

/// The registration of a descriptor with the epoll of a shard, which may be deferred until an
/// operation has to wait.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    runtime: GlommioRuntime,
    /// The interest of the registration.
    interest: Interest,
    /// The readiness to report for a descriptor that is not registered yet.
    said: Ready,
}

impl Watch {
    /// Creates the registration of a socket, which epoll is known to accept. It is registered when
    /// an operation has to wait, on the shard of that operation, and is assumed to be ready until
    /// then.
    pub(crate) fn later(runtime: &GlommioRuntime, origin: Origin) -> Self {
        let (ready, said) = match origin {
            Origin::Anywhere => (ALL, Ready::EMPTY),
            // Also reported as ready, until an operation finds that it is not.
            Origin::Accepted => (ALL, ALL),
            Origin::Connecting => (Ready::WRITABLE, Ready::WRITABLE),
        };
        Self::new(runtime, BOTH, ready, said)
    }

    fn new(runtime: &GlommioRuntime, interest: Interest, ready: Ready, said: Ready) -> Self {
        Self {
            shared: Arc::new(Shared::new(ready)),
            runtime: runtime.clone(),
            interest,
            said,
        }
    }

    pub(crate) fn runtime(&self) -> &GlommioRuntime {
        &self.runtime
    }

    #[cold]
    fn rebind(&self, fd: BorrowedFd<'_>, home: u64) -> io::Result<bool> {
        let Some(shard) = self.runtime.current_shard() else {
            // On other threads than the shards of this runtime, any shard will do.
            if home != 0 {
                return Ok(false);
            }
            return self.bind_to(fd, self.runtime.any_shard().epoll());
        };
        self.bind_to(fd, shard.epoll())
    }

    fn bind_to(&self, fd: BorrowedFd<'_>, epoll: &Arc<Epoll>) -> io::Result<bool> {
        let mut home = self.shared.lock_home();
        if let Some((former, token)) = home.take() {
            if former.id() == epoll.id() {
                *home = Some((former, token));
                return Ok(false);
            }
            former.remove(fd, token);
            self.shared.home_id.store(0, Ordering::Release);
        }
        let token = match epoll.add(fd, self.interest, &self.shared) {
            Ok(token) => token,
            Err(error) => {
                drop(home);
                // No poller watches for the waiters of the other direction any more, so they must
                // try again.
                self.shared.wake_everybody();
                return Err(error);
            }
        };
        self.shared.home_id.store(epoll.id(), Ordering::Release);
        *home = Some((Arc::clone(epoll), token));
        Ok(true)
    }
}

impl Registration for Watch {
    const EDGE_TRIGGERED: bool = true;

    #[inline]
    fn source(&self) -> &Source {
        &self.shared.source
    }

    // The current shard if the reader of a stream waits, else any shard.
    fn bind(&self, fd: BorrowedFd<'_>, interest: Interest, waiter: Waiter) -> io::Result<bool> {
        let home = self.shared.home_id.load(Ordering::Acquire);
        let may_stay = waiter == Waiter::OneOfMany || !interest.is_readable();
        if home != 0 && (may_stay || home == shard::current_id()) {
            return Ok(false);
        }
        self.rebind(fd, home)
    }

    // Assumed readiness is cleared, because the registration reports the actual one.
    fn refresh(&self, fd: BorrowedFd<'_>, interest: Interest, waiter: Waiter) -> io::Result<()> {
        // Readiness reported after this call is another event, and is not cleared.
        let assumed = self.source().look(BOTH);
        let home = self.shared.home_id.load(Ordering::Acquire);
        // Nor is it being registered: the new shard may report readiness before the id is set,
        // which must be kept.
        if home == 0 && self.shared.lock_home().is_none() {
            self.source().clear(assumed, ALL - self.said);
        }
        self.bind(fd, interest, waiter)?;
        Ok(())
    }

    fn end(&self, fd: BorrowedFd<'_>) {
        let home = self.shared.lock_home().take();
        if let Some((epoll, token)) = home {
            epoll.remove(fd, token);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use anyrt_core::runtime::Owner as _;

    use super::*;
    use crate::runtime::Builder;

    /// Enough for the other thread to fail, if it does.
    const YIELDS: usize = 1000;

    #[test]
    fn what_a_shard_tells_while_the_descriptor_is_being_registered_is_kept() {
        if let Err(reason) = crate::is_available() {
            eprintln!("skipped: {reason}");
            return;
        }
        let runtime = Builder::new().shards(1).build().unwrap();
        let epoll = Arc::clone(runtime.handle().any_shard().epoll());
        let (_reader, writer) = io::pipe().unwrap();
        let watch = Watch::new(runtime.handle(), BOTH, Ready::EMPTY, Ready::EMPTY);
        let is_writable = || watch.source().look(BOTH).ready().is_writable();
        let asks = AtomicBool::new(false);
        thread::scope(|scope| {
            // Like `bind_to` at the moment when only the shard knows of the descriptor.
            let mut home = watch.shared.lock_home();
            let token = epoll.add(writer.as_fd(), BOTH, &watch.shared);
            while !is_writable() {
                thread::yield_now();
            }
            let asking = scope.spawn(|| {
                asks.store(true, Ordering::SeqCst);
                watch.refresh(writer.as_fd(), Interest::WRITABLE, Waiter::OneOfMany)
            });
            while !asks.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            for _ in 0..YIELDS {
                thread::yield_now();
            }
            watch.shared.home_id.store(epoll.id(), Ordering::Release);
            *home = Some((epoll, token.unwrap()));
            drop(home);
            asking.join().unwrap().unwrap();
        });
        assert!(
            is_writable(),
            "it was forgotten, and will not be told again"
        );
    }
}
