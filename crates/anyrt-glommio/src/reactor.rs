//! Readiness: which descriptors can be read or written, and who waits for it.
//!
//! Each shard has one edge-triggered epoll. Glommio's ring watches the epoll's own descriptor, so a shard that
//! waits, waits in io_uring, for sockets and for everything else at once. System calls are made directly, on the
//! thread that polls, so a handle is `Send + Sync` by nature and holds no Glommio object.
//!
//! # Where a descriptor is registered
//! ```text
//! unbound ---- must wait for the first time ----> bound to the shard that polls,
//!                                                 or to some shard if none does (remote)
//! bound to A -- a reader must wait on shard B --> bound to B (re-homing)
//! ```
//! A stream's reader draws it to its shard because there the wake-up costs nothing; a writer does not, so two halves
//! on two shards do not pull it back and forth, nor do listeners and datagram sockets, which many may wait for.
//!
//! # Why no readiness is lost
//! - `ready` holds two bits and a tick that each event advances. Who finds a descriptor not ready clears the bit
//!   only if the tick is still the one that he saw *before* the system call; an event in between keeps the bit.
//! - Who waits leaves the waker first and looks at `ready` again afterwards; the shard sets `ready` first and
//!   takes the wakers afterwards. Both are sequentially consistent, so one of the two sees the other.
//! - Moving to another epoll may drop an edge of the old one, but `EPOLL_CTL_ADD` reports what is ready then,
//!   and the one who moved tries the system call once more.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use anyrt_core::coop;
use futures_util::task::AtomicWaker;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use slab::Slab;

use crate::runtime::GlommioRuntime;
use crate::shard::{self, Shard};

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Data, a connection, the end of the stream, an error.
    Read,
    /// Room to write, the end of connecting, an error.
    Write,
}

const READ: u32 = 1;
const WRITE: u32 = 2;
/// The other side will send no more; stays set although a read took less than it had room for.
const READ_CLOSED: u32 = 4;
const WRITE_CLOSED: u32 = 8;
/// The shard has ended: nobody will ever report readiness again.
const GONE: u32 = 16;
const TICK: u32 = 256;

impl Interest {
    fn bits(self) -> u32 {
        match self {
            Self::Read => READ | READ_CLOSED,
            Self::Write => WRITE | WRITE_CLOSED,
        }
    }
}

/// The epoll of one shard.
pub(crate) struct Reactor {
    epoll: Arc<OwnedFd>,
    /// Written by other threads to wake the shard; never read, since every write is a new edge.
    doorbell: OwnedFd,
    /// Fires at the earliest deadline of the shard's timers.
    alarm: OwnedFd,
    sources: Mutex<Sources>,
}

#[derive(Default)]
struct Sources {
    live: Slab<Arc<Source>>,
    closed: bool,
}

const DOORBELL: u64 = u64::MAX;
pub(crate) const ALARM: u64 = u64::MAX - 1;
const BATCH: usize = 256;

/// What one thread needs to collect events, kept to spare allocations.
pub(crate) struct Scratch {
    events: Vec<epoll::Event>,
    pub(crate) wakers: Vec<Waker>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            events: Vec::with_capacity(BATCH),
            wakers: Vec::new(),
        }
    }

    /// Outside all locks, since a waker may do anything.
    pub(crate) fn wake_all(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        let reactor = Self {
            epoll: Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?),
            doorbell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            alarm: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            sources: Mutex::default(),
        };
        for (fd, token) in [(&reactor.doorbell, DOORBELL), (&reactor.alarm, ALARM)] {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&reactor.epoll, fd, epoll::EventData::new_u64(token), flags)?;
        }
        Ok(reactor)
    }

    /// The descriptor that the ring watches: readable when there are events.
    pub(crate) fn epoll(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.epoll)
    }

    /// Makes the epoll readable.
    pub(crate) fn ring_doorbell(&self) {
        // Full only after 2^64 rings that were never heard.
        let _ = rustix::io::write(&self.doorbell, &1u64.to_ne_bytes());
    }

    /// Sets the alarm to go off after `delay`.
    pub(crate) fn set_alarm(&self, delay: Duration) -> io::Result<()> {
        // Zero would disarm it.
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

    /// Takes the events that are there, or waits for the first one, and gathers who waits for them. Gives whether
    /// the alarm went off.
    pub(crate) fn collect(&self, scratch: &mut Scratch, wait: bool) -> bool {
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut alarm = false;
        let mut timeout = if wait { None } else { Some(&NOW) };
        loop {
            let events = &mut scratch.events;
            events.clear();
            let spare = rustix::buffer::spare_capacity(events);
            // It fails on a signal only; then the next turn sees the events.
            let _ = epoll::wait(&self.epoll, spare, timeout);
            if events.is_empty() {
                return alarm;
            }
            let sources = self.lock();
            for event in &*events {
                match event.data.u64() {
                    DOORBELL => {}
                    ALARM => alarm = true,
                    key => {
                        // A closed descriptor may still be in the batch, and its key given anew: the new one
                        // is then tried in vain once.
                        let source = usize::try_from(key).ok().and_then(|k| sources.live.get(k));
                        if let Some(source) = source {
                            source.set_ready(bits_of(event.flags), &mut scratch.wakers);
                        }
                    }
                }
            }
            if events.len() < BATCH {
                return alarm;
            }
            timeout = Some(&NOW);
        }
    }

    /// Tells every source that nothing will come any more.
    pub(crate) fn close(&self) {
        let mut scratch = Scratch::new();
        {
            let mut sources = self.lock();
            sources.closed = true;
            for (_, source) in &sources.live {
                source.set_ready(GONE | READ | WRITE, &mut scratch.wakers);
            }
        }
        scratch.wake_all();
    }

    fn add(&self, fd: BorrowedFd<'_>, source: &Arc<Source>) -> io::Result<usize> {
        let mut sources = self.lock();
        if sources.closed {
            return Err(gone());
        }
        let key = sources.live.insert(Arc::clone(source));
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        let added = epoll::add(
            &self.epoll,
            fd,
            epoll::EventData::new_u64(key as u64),
            flags,
        );
        if let Err(error) = added {
            sources.live.remove(key);
            return Err(error.into());
        }
        Ok(key)
    }

    fn remove(&self, fd: BorrowedFd<'_>, key: usize) {
        // Fails only if the descriptor is not in there, which is what is wanted.
        let _ = epoll::delete(&self.epoll, fd);
        let source = self.lock().live.try_remove(key);
        drop(source);
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("sources", &self.lock().live.len())
            .finish_non_exhaustive()
    }
}

fn bits_of(flags: epoll::EventFlags) -> u32 {
    use epoll::EventFlags as E;
    let mut bits = 0;
    if flags.intersects(E::IN | E::PRI | E::RDHUP | E::HUP | E::ERR) {
        bits |= READ;
    }
    if flags.intersects(E::OUT | E::HUP | E::ERR) {
        bits |= WRITE;
    }
    if flags.intersects(E::RDHUP | E::HUP) {
        bits |= READ_CLOSED;
    }
    if flags.intersects(E::HUP | E::ERR) {
        bits |= WRITE_CLOSED;
    }
    bits
}

fn gone() -> io::Error {
    io::Error::other("the Glommio runtime that this descriptor waits in has ended")
}

/// Whom a descriptor follows to another shard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    Reader,
    /// Any number may wait for it, on several shards.
    Nobody,
}

/// What a descriptor's handle and its shard share.
#[derive(Default)]
struct Source {
    ready: AtomicU32,
    /// One per direction for the `poll_*` functions: who polled last.
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// The futures of operations through `&self`, of which any number may wait.
    waiting: Mutex<Waiting>,
    has_waiting: AtomicBool,
    /// The id of the shard in `home`, zero while unbound.
    home_id: AtomicU64,
    home: Mutex<Option<(Arc<Shard>, usize)>>,
}

#[derive(Default)]
struct Waiting {
    next_id: u64,
    wakers: Vec<(u64, Interest, Waker)>,
}

impl Source {
    fn set_ready(&self, bits: u32, wakers: &mut Vec<Waker>) {
        let update = |old: u32| Some(old.wrapping_add(TICK) | bits);
        let _ = self
            .ready
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
        if bits & Interest::Read.bits() != 0 {
            wakers.extend(self.reader.take());
        }
        if bits & Interest::Write.bits() != 0 {
            wakers.extend(self.writer.take());
        }
        if self.has_waiting.load(Ordering::SeqCst) {
            let mut waiting = self.lock_waiting();
            let woken = waiting
                .wakers
                .extract_if(.., |(_, interest, _)| bits & interest.bits() != 0);
            wakers.extend(woken.map(|(_, _, waker)| waker));
            self.has_waiting
                .store(!waiting.wakers.is_empty(), Ordering::SeqCst);
        }
    }

    /// Clears `bits`, unless an event came after `seen`.
    fn clear(&self, seen: u32, bits: u32) {
        let _ = self
            .ready
            .compare_exchange(seen, seen & !bits, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_home(&self) -> MutexGuard<'_, Option<(Arc<Shard>, usize)>> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A descriptor of any kind that epoll can watch, non-blocking, with its readiness.
///
/// Usable from any thread: a shard, another runtime's worker, a plain one. Dropping it closes the descriptor at
/// once, wherever that is.
pub struct AsyncFd<T: AsFd> {
    source: Arc<Source>,
    runtime: GlommioRuntime,
    // `None` only while it is taken out.
    fd: Option<T>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Watches `fd` for `runtime`. It must be non-blocking already.
    ///
    /// # Errors
    /// As `epoll_ctl`, such as `EPERM` for a regular file.
    pub fn new(runtime: &GlommioRuntime, fd: T) -> io::Result<Self> {
        let unbound = Self::unbound(runtime, fd);
        unbound.bind(Interest::Read, Follow::Nobody)?;
        Ok(unbound)
    }

    /// A descriptor that is known to be one that epoll takes: it is registered when something must wait for it,
    /// on the shard that does, and taken to be ready until then.
    pub(crate) fn unbound(runtime: &GlommioRuntime, fd: T) -> Self {
        let source = Source::default();
        source.ready.store(READ | WRITE, Ordering::Relaxed);
        Self {
            source: Arc::new(source),
            runtime: runtime.clone(),
            fd: Some(fd),
        }
    }

    /// The descriptor.
    #[inline]
    pub fn get_ref(&self) -> &T {
        match &self.fd {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    /// Takes the descriptor out and stops watching it.
    pub fn into_inner(mut self) -> T {
        self.unbind();
        match self.fd.take() {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    /// Runs `operation` when the descriptor is ready, until it gives something else than
    /// [`io::ErrorKind::WouldBlock`]. Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// Those of `operation`; and one of kind `Other` when it would have to wait but the runtime has ended.
    #[inline]
    pub fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(
            cx,
            interest,
            Follow::Reader,
            operation,
            |_| false,
            |waker| {
                self.waker(interest).register(waker);
            },
        )
    }

    /// As [`poll_io`](Self::poll_io), for a byte stream: `operation` moved all that there was or all that there
    /// was room for if it moved less than `len`, so the next one need not try in vain.
    #[inline]
    pub(crate) fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        len: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let exhausted = |moved: &usize| 0 < *moved && *moved < len;
        self.poll_with(
            cx,
            interest,
            Follow::Reader,
            operation,
            exhausted,
            |waker| {
                self.waker(interest).register(waker);
            },
        )
    }

    /// Runs `operation` as [`poll_io`](Self::poll_io) does. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if a failed `operation` does nothing.
    pub async fn run<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        Run {
            fd: self,
            interest,
            operation,
            id: None,
        }
        .await
    }

    fn waker(&self, interest: Interest) -> &AtomicWaker {
        match interest {
            Interest::Read => &self.source.reader,
            Interest::Write => &self.source.writer,
        }
    }

    #[inline]
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        follow: Follow,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        exhausted: impl FnOnce(&R) -> bool,
        mut register: impl FnMut(&Waker),
    ) -> Poll<io::Result<R>> {
        let charge = ready!(coop::poll_proceed(cx));
        let source = &*self.source;
        let mut registered = false;
        loop {
            let seen = source.ready.load(Ordering::SeqCst);
            if seen & interest.bits() == 0 {
                if registered {
                    return Poll::Pending;
                }
                if self.bind(interest, follow)? {
                    // Newly registered there: try once more, or an edge of the former place may be missed.
                    source
                        .ready
                        .fetch_or(interest.bits() & (READ | WRITE), Ordering::SeqCst);
                    continue;
                }
                register(cx.waker());
                registered = true;
                continue;
            }
            match operation(self.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if seen & GONE != 0 {
                        return Poll::Ready(Err(gone()));
                    }
                    source.clear(seen, interest.bits());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(value) => {
                    if exhausted(&value) {
                        source.clear(seen, interest.bits() & (READ | WRITE));
                    }
                    charge.made_progress();
                    return Poll::Ready(Ok(value));
                }
                Err(error) => {
                    charge.made_progress();
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Sees to it that some shard reports readiness, the present one if it is a reader who waits. Gives whether
    /// that is a new one.
    fn bind(&self, interest: Interest, follow: Follow) -> io::Result<bool> {
        let home = self.source.home_id.load(Ordering::Acquire);
        let may_stay = follow == Follow::Nobody || interest == Interest::Write;
        if home != 0 && (may_stay || home == shard::current_id()) {
            return Ok(false);
        }
        self.rebind(home)
    }

    #[cold]
    fn rebind(&self, home: u64) -> io::Result<bool> {
        let Some(shard) = self.runtime.current_shard() else {
            // On a thread that is no shard of this runtime any shard will do.
            if home != 0 {
                return Ok(false);
            }
            return self.bind_to(self.runtime.any_shard());
        };
        self.bind_to(shard)
    }

    fn bind_to(&self, shard: Arc<Shard>) -> io::Result<bool> {
        let mut home = self.source.lock_home();
        if let Some((former, key)) = home.take() {
            if former.id() == shard.id() {
                *home = Some((former, key));
                return Ok(false);
            }
            former.reactor().remove(self.get_ref().as_fd(), key);
            self.source.home_id.store(0, Ordering::Release);
        }
        let key = shard.reactor().add(self.get_ref().as_fd(), &self.source)?;
        self.source.home_id.store(shard.id(), Ordering::Release);
        *home = Some((shard, key));
        Ok(true)
    }

    fn unbind(&mut self) {
        let home = self.source.lock_home().take();
        if let (Some((shard, key)), Some(fd)) = (home, &self.fd) {
            shard.reactor().remove(fd.as_fd(), key);
        }
    }
}

impl<T: AsFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        // Before the descriptor is closed: a duplicate of it somewhere would keep it in the epoll.
        self.unbind();
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(self.get_ref()).finish()
    }
}

/// The future of [`AsyncFd::run`].
struct Run<'a, T: AsFd, F> {
    fd: &'a AsyncFd<T>,
    interest: Interest,
    operation: F,
    /// Our place among the waiting.
    id: Option<u64>,
}

impl<T: AsFd, F> Unpin for Run<'_, T, F> {}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Future for Run<'_, T, F> {
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = &mut *self;
        let (fd, interest, id) = (this.fd, this.interest, &mut this.id);
        fd.poll_with(
            cx,
            interest,
            Follow::Nobody,
            &mut this.operation,
            |_| false,
            |waker| {
                let mut waker = waker.clone();
                let mut waiting = fd.source.lock_waiting();
                let place = id.and_then(|id| waiting.wakers.iter_mut().find(|w| w.0 == id));
                match place {
                    Some((_, _, former)) => std::mem::swap(former, &mut waker),
                    None => {
                        waiting.next_id += 1;
                        *id = Some(waiting.next_id);
                        let entry = (waiting.next_id, interest, waker.clone());
                        waiting.wakers.push(entry);
                    }
                }
                fd.source.has_waiting.store(true, Ordering::SeqCst);
                // The former waker goes outside the lock: its destructor may do anything.
                drop(waiting);
                drop(waker);
            },
        )
    }
}

impl<T: AsFd, F> Drop for Run<'_, T, F> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let mut waiting = self.fd.source.lock_waiting();
            let at = waiting.wakers.iter().position(|w| w.0 == id);
            let waker = at.map(|at| waiting.wakers.swap_remove(at));
            drop(waiting);
            drop(waker);
        }
    }
}
