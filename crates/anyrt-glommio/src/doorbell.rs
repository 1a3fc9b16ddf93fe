//! The doorbell of a shard: how other threads wake it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

/// A descriptor in the epoll of a shard. It is never read, since every write is a new edge.
pub(crate) struct Doorbell {
    fd: OwnedFd,
    #[cfg(anyrt_loom)]
    model: model::Bell,
}

impl Doorbell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            #[cfg(anyrt_loom)]
            model: model::Bell::default(),
        })
    }

    pub(crate) fn ring(&self) {
        // It fails only if the counter is full, after 2^64 writes.
        let _ = rustix::io::write(&self.fd, &1u64.to_ne_bytes());
        #[cfg(anyrt_loom)]
        self.model.ring();
    }

    /// In a model, where no thread may wait in the system: hears the ring, and waits for it if so told.
    #[cfg(anyrt_loom)]
    pub(crate) fn hear(&self, wait: bool) {
        self.model.hear(wait);
    }

    /// In a model: waits for a ring, which is still to be [heard](Self::hear).
    #[cfg(anyrt_loom)]
    pub(crate) fn await_ring(&self) {
        drop(self.model.await_ring());
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(anyrt_loom)]
mod model {
    use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

    #[derive(Default)]
    pub(super) struct Bell {
        rung: Mutex<bool>,
        rings: Condvar,
    }

    impl Bell {
        pub(super) fn ring(&self) {
            *self.lock() = true;
            self.rings.notify_all();
        }

        pub(super) fn hear(&self, wait: bool) {
            *(if wait { self.await_ring() } else { self.lock() }) = false;
        }

        pub(super) fn await_ring(&self) -> MutexGuard<'_, bool> {
            let mut rung = self.lock();
            while !*rung {
                rung = self
                    .rings
                    .wait(rung)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            rung
        }

        fn lock(&self) -> MutexGuard<'_, bool> {
            self.rung.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}
