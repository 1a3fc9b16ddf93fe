//! One edge-triggered epoll, which the reactor of async-io watches.
//!
//! async-io itself tells readers from writers only, and reports what is there again and again; so it could not wait
//! for an error or for out-of-band data alone. The epoll inside tells them apart, costs no system call per wait, and
//! is drained by whichever thread runs the reactor.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Wake, Waker};

use anyrt_core::readiness::{Interest, Ready, Source};
use async_io::Async;
use rustix::event::{Timespec, epoll};
use slab::Slab;

const BATCH: usize = 64;

/// The epoll, of which there is one as there is one reactor.
struct Edges {
    epoll: Async<OwnedFd>,
    sources: Mutex<Slab<Arc<Source>>>,
    /// Kept to spare allocations; taken out while it is used.
    scratch: Mutex<Vec<Waker>>,
}

impl Edges {
    fn get() -> io::Result<&'static Arc<Self>> {
        static EDGES: OnceLock<Arc<Edges>> = OnceLock::new();
        if let Some(edges) = EDGES.get() {
            return Ok(edges);
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let edges = Arc::new(Self {
            // An epoll is never read, so it need not be non-blocking.
            epoll: Async::new_nonblocking(epoll)?,
            sources: Mutex::default(),
            scratch: Mutex::default(),
        });
        let mut first = false;
        let edges = EDGES.get_or_init(|| {
            first = true;
            edges
        });
        if first {
            Arc::clone(edges).wake();
        }
        Ok(edges)
    }

    fn add(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        source: &Arc<Source>,
    ) -> io::Result<usize> {
        let mut sources = self.lock();
        let key = sources.insert(Arc::clone(source));
        let flags = epoll::EventFlags::from_bits_retain(interest.epoll_flags());
        let data = epoll::EventData::new_u64(key as u64);
        if let Err(error) = epoll::add(self.epoll.get_ref(), fd, data, flags) {
            sources.remove(key);
            return Err(error.into());
        }
        Ok(key)
    }

    fn remove(&self, fd: BorrowedFd<'_>, key: usize) {
        // Fails only if the descriptor is not in there, which is what is wanted.
        let _ = epoll::delete(self.epoll.get_ref(), fd);
        let source = self.lock().try_remove(key);
        drop(source);
    }

    /// Takes the events that are there and wakes those who wait for them.
    fn collect(&self) {
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut buffer = [const { MaybeUninit::<epoll::Event>::uninit() }; BATCH];
        let mut wakers = std::mem::take(&mut *self.lock_scratch());
        loop {
            // It fails on a signal only; then the next turn sees the events.
            let events = match epoll::wait(self.epoll.get_ref(), &mut buffer, Some(&NOW)) {
                Ok((events, _)) => &*events,
                Err(_) => &[],
            };
            let sources = self.lock();
            for event in events {
                let (key, flags) = (event.data.u64(), event.flags);
                // A closed descriptor may still be in the batch, and its key given anew: the new one is then
                // tried in vain once.
                let source = usize::try_from(key).ok().and_then(|key| sources.get(key));
                if let Some(source) = source {
                    source.set(Ready::from_epoll(flags.bits()), &mut wakers);
                }
            }
            drop(sources);
            // Outside the lock, since a waker may do anything.
            for waker in wakers.drain(..) {
                waker.wake();
            }
            if events.len() < BATCH {
                *self.lock_scratch() = wakers;
                return;
            }
        }
    }

    fn lock_scratch(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Source>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Edges {
    /// The reactor has seen events: collects them, and asks to be told of the next ones.
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        loop {
            self.collect();
            let mut cx = Context::from_waker(&waker);
            if self.epoll.poll_readable(&mut cx).is_pending() {
                return;
            }
        }
    }
}

/// That a descriptor is watched.
pub(super) struct Watch {
    edges: &'static Edges,
    source: Arc<Source>,
    key: usize,
}

impl Watch {
    pub(super) fn start(
        fd: BorrowedFd<'_>,
        interest: Interest,
        assumed: Ready,
    ) -> io::Result<Self> {
        let edges = Edges::get()?;
        let source = Arc::new(Source::new(assumed));
        let key = edges.add(fd, interest, &source)?;
        Ok(Self { edges, source, key })
    }

    #[inline]
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// It is watched from the beginning to the end.
    #[inline]
    pub(super) fn bind(&self, _: Interest) -> io::Result<bool> {
        Ok(false)
    }

    /// Sees to it that what is ready is known.
    pub(super) fn refresh(&self) {
        self.edges.collect();
    }

    /// See [`Source::attempt`].
    #[inline]
    pub(super) fn attempt<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.source.attempt(interest, operation)
    }

    /// Before the descriptor is closed: a duplicate of it somewhere would keep it in the epoll.
    pub(super) fn end(&self, fd: BorrowedFd<'_>) {
        self.edges.remove(fd, self.key);
    }
}
