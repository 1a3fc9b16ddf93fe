//! The epoll of one shard: ready descriptors, the doorbell, and the alarm.
//!
//! It is edge-triggered. Glommio's ring watches the epoll's own descriptor, so a shard waits in
//! io_uring for sockets and for everything else at once. Nothing here is bound to a thread.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use anyrt_core::readiness::{Interest, Ready};
use anyrt_core::waiters::wake_all;
use anyrt_kit::readiness::{Source, Sources};
use rustix::event::{Timespec, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::doorbell::Doorbell;

/// The epoll of one shard.
pub(crate) struct Epoll {
    /// The id of the shard; never zero.
    id: u64,
    fd: Arc<OwnedFd>,
    doorbell: Doorbell,
    /// Fires at the earliest deadline of the shard's timers.
    alarm: OwnedFd,
    sources: Mutex<Sources<Shared>>,
}

const DOORBELL: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;
const BATCH: usize = 256;

/// Memory to collect events, kept to avoid allocations.
pub(crate) struct Scratch {
    idle: Batch,
    /// Used while there are tasks to run.
    busy: Batch,
    pub(crate) wakers: Vec<Waker>,
}

struct Batch {
    events: Vec<epoll::Event>,
    /// Whether only one batch may be handled at once.
    limited: bool,
}

impl Batch {
    fn new(max: Option<NonZeroUsize>) -> Self {
        Self {
            events: Vec::with_capacity(max.map_or(BATCH, NonZeroUsize::get)),
            limited: max.is_some(),
        }
    }
}

impl Scratch {
    pub(crate) fn new(max_events: Option<NonZeroUsize>, when_busy: Option<NonZeroUsize>) -> Self {
        Self {
            idle: Batch::new(max_events),
            busy: Batch::new(when_busy.or(max_events)),
            wakers: Vec::new(),
        }
    }

    /// Wakes the collected wakers, outside all locks because they run arbitrary code.
    pub(crate) fn wake_all(&mut self) {
        wake_all(self.wakers.drain(..));
        // Releases the memory of an exceptionally large batch.
        self.wakers.shrink_to(BATCH);
    }
}

impl Epoll {
    pub(crate) fn new(id: u64) -> io::Result<Self> {
        let epoll = Self {
            id,
            fd: Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?),
            doorbell: Doorbell::new()?,
            alarm: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            sources: Mutex::default(),
        };
        let own = [
            (epoll.doorbell.as_fd(), DOORBELL),
            (epoll.alarm.as_fd(), ALARM),
        ];
        for (fd, token) in own {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll.fd, fd, epoll::EventData::new_u64(token), flags)?;
        }
        Ok(epoll)
    }

    /// Returns the id of its shard.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the descriptor for the ring to watch, which is readable when there are events.
    #[cfg(not(anyrt_loom))]
    pub(crate) fn fd(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }

    /// Makes the epoll readable.
    pub(crate) fn ring_doorbell(&self) {
        self.doorbell.ring();
    }

    /// In a model, instead of Glommio's rings: waits until it is readable.
    #[cfg(anyrt_loom)]
    pub(crate) fn await_readable(&self) {
        self.doorbell.await_ring();
    }

    /// Sets the alarm to go off after `delay`.
    pub(crate) fn set_alarm(&self, delay: Duration) -> io::Result<()> {
        // A delay of zero would disarm it.
        let delay = delay.max(Duration::from_nanos(1));
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(delay).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            }),
        };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }

    /// Takes the pending events, or waits for the first one, and collects the wakers of their
    /// waiters. Returns `true` if the alarm went off.
    pub(crate) fn collect(&self, scratch: &mut Scratch, wait: bool) -> bool {
        #[cfg(anyrt_loom)]
        self.doorbell.hear(wait);
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut alarm = false;
        let (batch, mut timeout) = if wait {
            (&mut scratch.idle, None)
        } else {
            (&mut scratch.busy, Some(&NOW))
        };
        let Batch { events, limited } = batch;
        loop {
            events.clear();
            let spare = rustix::buffer::spare_capacity(events);
            // It fails only on a signal; the next iteration then sees the events.
            let _ = epoll::wait(&self.fd, spare, timeout);
            if events.is_empty() {
                return alarm;
            }
            let sources = self.lock();
            for event in &*events {
                match event.data.u64() {
                    DOORBELL => {}
                    ALARM => alarm = true,
                    token => {
                        if let Some(source) = sources.get(token) {
                            let flags = event.flags;
                            source.set(Ready::from_epoll(flags.bits()), &mut scratch.wakers);
                        }
                    }
                }
            }
            if *limited || events.len() < BATCH {
                return alarm;
            }
            timeout = Some(&NOW);
        }
    }

    /// Reports the end of the poller to every source.
    pub(crate) fn close(&self) {
        let mut scratch = Scratch::new(None, None);
        self.lock().end(&mut scratch.wakers);
        scratch.wake_all();
    }

    /// Watches `fd`. Returns the token for [`remove`](Self::remove).
    ///
    /// # Errors
    /// Fails if the system's `epoll_ctl` does, or with kind `Other` if the shard has ended.
    pub(crate) fn add(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        shared: &Arc<Shared>,
    ) -> io::Result<u64> {
        self.lock().add(shared, |token| {
            let flags = epoll::EventFlags::from_bits_retain(interest.epoll_flags());
            epoll::add(&self.fd, fd, epoll::EventData::new_u64(token), flags)?;
            Ok(())
        })
    }

    /// Stops watching `fd`.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>, token: u64) {
        // Fails only if the descriptor is not registered, which is the desired state.
        let _ = epoll::delete(&self.fd, fd);
        let source = self.lock().remove(token);
        drop(source);
    }

    fn lock(&self) -> MutexGuard<'_, Sources<Shared>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoll")
            .field("sources", &self.lock().len())
            .finish_non_exhaustive()
    }
}

/// The epoll that watches a descriptor, and the token.
pub(crate) type Home = (Arc<Epoll>, u64);

/// The state that a descriptor's handle and its shard share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) source: Source,
    /// The id of the shard whose epoll is in `home`, zero while unbound.
    pub(crate) home_id: AtomicU64,
    home: Mutex<Option<Home>>,
}

impl AsRef<Source> for Shared {
    fn as_ref(&self) -> &Source {
        &self.source
    }
}

impl Shared {
    /// Creates the state of an unregistered descriptor that is assumed to be ready for `ready`.
    pub(crate) fn new(ready: Ready) -> Self {
        Self {
            source: Source::new(ready),
            home_id: AtomicU64::new(0),
            home: Mutex::default(),
        }
    }

    /// Wakes all waiters, which then try again.
    pub(crate) fn wake_everybody(&self) {
        self.source.tell(Ready::READABLE | Ready::WRITABLE);
    }

    pub(crate) fn lock_home(&self) -> MutexGuard<'_, Option<Home>> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
