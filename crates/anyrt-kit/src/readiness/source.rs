//! The state shared by a descriptor and an edge-triggered poller.
//!
//! # Why no readiness is lost
//! - The state holds the readiness and a tick that each event advances. An operation that finds the
//!   descriptor not ready clears it only if the tick is still the one from *before* the system
//!   call, so an event in between is kept.
//! - A waiting task first stores its waker and then checks the state again. The poller first sets
//!   the state and then takes the wakers. Both are sequentially consistent, so at least one of them
//!   sees the other.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use anyrt_core::coop;
use anyrt_core::error::RuntimeEnded;
use anyrt_core::readiness::{Direction, Interest, Ready, ReadyEvent};
use anyrt_core::waiters::wake_all;

use super::failure::Failure;
use super::waiting::Waiting;
use crate::sync::{AtomicBool, AtomicU32, AtomicWaker, Mutex, MutexGuard, Ordering, PoisonError};

/// The poller has ended and will never report readiness again.
const GONE: u32 = 1 << 8;
const TICK: u32 = 1 << 9;

/// For runtime authors: the readiness of one descriptor, and its waiters.
#[derive(Debug)]
pub struct Source {
    state: AtomicU32,
    /// One waker per direction for polling functions: that of the last poll.
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// The futures of operations through `&self`, any number of which may wait.
    waiting: Mutex<Waiting>,
    has_waiting: AtomicBool,
}

/// For runtime authors: how a poll of an operation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The operation is attempted if the descriptor is marked as ready.
    IfReady,
    /// The operation is attempted in any case, for a poller that reports only what was requested:
    /// the known state may be stale.
    Attempt,
}

/// Some of the wakers that an event takes.
enum Woken {
    One(Option<Waker>),
    Many(std::vec::IntoIter<Waker>),
}

impl Iterator for Woken {
    type Item = Waker;

    #[inline]
    fn next(&mut self) -> Option<Waker> {
        match self {
            Self::One(waker) => waker.take(),
            Self::Many(wakers) => wakers.next(),
        }
    }
}

/// A snapshot of a [`Source`].
#[derive(Debug, Clone, Copy)]
pub struct Event {
    seen: u32,
    interest: Interest,
}

impl Event {
    /// Returns the part of the requested readiness that it had.
    pub fn ready(self) -> Ready {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low byte is what is meant"
        )]
        let seen = Ready::from_bits(self.seen as u8);
        seen & self.interest.mask()
    }

    fn is_gone(self) -> bool {
        self.seen & GONE != 0
    }
}

impl Source {
    /// Creates a source that is marked as ready for `ready`.
    pub fn new(ready: Ready) -> Self {
        Self {
            state: AtomicU32::new(ready.bits().into()),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            waiting: Mutex::default(),
            has_waiting: AtomicBool::new(false),
        }
    }

    /// Records the event that the descriptor is ready for `ready`. Collects the wakers to wake.
    pub fn set(&self, ready: Ready, wakers: &mut Vec<Waker>) {
        self.mark(ready.bits().into());
        self.take(ready, |woken| wakers.extend(woken));
    }

    /// Like [`set`](Self::set), and wakes them.
    #[inline]
    pub fn tell(&self, ready: Ready) {
        self.mark(ready.bits().into());
        self.take(ready, wake_all);
    }

    /// Records that the poller has ended: all current and later operations fail, even if data is
    /// available, as in Tokio.
    pub fn end(&self, wakers: &mut Vec<Waker>) {
        self.mark(GONE | u32::from(Ready::ALL.bits()));
        self.take(Ready::ALL, |woken| wakers.extend(woken));
    }

    /// Adds `bits` to the state, as an event.
    #[inline]
    fn mark(&self, bits: u32) {
        let update = |old: u32| Some(old.wrapping_add(TICK) | bits);
        let _ = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
    }

    /// Passes the wakers of those that wait for `ready` on, in some parts.
    #[inline]
    fn take(&self, ready: Ready, mut each: impl FnMut(Woken)) {
        let concerns = |interest: Interest| !(ready & interest.mask()).is_empty();
        if concerns(Interest::READABLE | Interest::PRIORITY | Interest::ERROR) {
            each(Woken::One(self.reader.take()));
        }
        if concerns(Interest::WRITABLE | Interest::ERROR) {
            each(Woken::One(self.writer.take()));
        }
        if self.has_waiting.load(Ordering::SeqCst) {
            each(Woken::Many(self.take_waiting(ready).into_iter()));
        }
    }

    #[inline(never)]
    fn take_waiting(&self, ready: Ready) -> Vec<Waker> {
        let mut woken = Vec::new();
        let mut waiting = self.lock_waiting();
        waiting.take(|interest| !(ready & interest.mask()).is_empty(), &mut woken);
        self.has_waiting
            .store(!waiting.is_empty(), Ordering::SeqCst);
        woken
    }

    /// Checks that the poller has not ended, for operations that also wait in another way.
    ///
    /// # Errors
    /// Fails with kind `Other` if it has ended.
    pub fn check(&self) -> io::Result<()> {
        match self.look(Interest::ERROR).is_gone() {
            true => Err(gone()),
            false => Ok(()),
        }
    }

    /// Stores the waker of the task that polls in `direction`. The caller must then check the state
    /// again.
    pub fn register(&self, direction: Direction, waker: &Waker) {
        match direction {
            Direction::Read => self.reader.register(waker),
            Direction::Write => self.writer.register(waker),
        }
    }

    /// Returns what the waiting futures still wait for, for a one-shot poller.
    pub fn awaited(&self) -> Option<Interest> {
        self.lock_waiting().awaited()
    }

    /// Marks the descriptor as ready for `ready` without an event.
    pub fn assume(&self, ready: Ready) {
        self.mark(ready.bits().into());
    }

    /// Returns the current state.
    #[inline]
    pub fn look(&self, interest: Interest) -> Event {
        Event {
            seen: self.state.load(Ordering::SeqCst),
            interest,
        }
    }

    /// Clears `ready`, unless something happened after `event`.
    #[inline]
    pub fn clear(&self, event: Event, ready: Ready) {
        let update = |now: u32| {
            let nothing_came = (now ^ event.seen) < GONE;
            nothing_came.then_some(now & !u32::from(ready.bits()))
        };
        let _ = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
    }

    /// Calls `operation` if the descriptor is marked as ready, and clears the mark if it was not.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if it is not ready, or else the error of `operation`.
    pub fn attempt<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let event = self.look(interest);
        if event.ready().is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = operation();
        if would_block(&result) {
            self.clear(event, unclosed(interest));
        }
        result
    }

    /// Calls `operation` each time the descriptor is ready, until it returns anything but
    /// [`io::ErrorKind::WouldBlock`]. Only the task that polled last in `direction` is woken.
    ///
    /// `bind` is called after the waker was stored and before the wait. It makes sure that a poller
    /// reports to this source, and returns `true` if that is a new one.
    ///
    /// # Errors
    /// Returns the error of `operation` or `bind`, or fails with kind `Other` if the poller has
    /// ended.
    #[inline]
    pub fn poll<R, E: Failure>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        interest: Interest,
        start: Start,
        bind: impl FnMut() -> io::Result<bool>,
        operation: impl FnMut(Event) -> Result<R, E>,
    ) -> Poll<io::Result<R>> {
        coop::charged(cx, |cx| {
            self.poll_with(cx, interest, start, bind, operation, |waker| {
                self.register(direction, waker);
            })
        })
    }

    /// Like [`poll`](Self::poll), as a future, any number of which may wait.
    pub fn run<R, E, B, F>(&self, interest: Interest, bind: B, operation: F) -> Run<'_, B, F>
    where
        E: Failure,
        B: FnMut() -> io::Result<bool>,
        F: FnMut(Event) -> Result<R, E>,
    {
        Run {
            source: self,
            interest,
            bind,
            operation,
            charged: true,
            id: None,
        }
    }

    /// Waits for readiness and does nothing. Like Tokio's it charges no budget, because code that
    /// uses the readiness may have to call it often.
    pub fn wait<B>(
        &self,
        interest: Interest,
        bind: B,
    ) -> Run<'_, B, impl FnMut(Event) -> io::Result<Event>>
    where
        B: FnMut() -> io::Result<bool>,
    {
        self.run(interest, bind, observe).uncharged()
    }

    #[inline]
    fn poll_with<R, E: Failure>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        start: Start,
        mut bind: impl FnMut() -> io::Result<bool>,
        mut operation: impl FnMut(Event) -> Result<R, E>,
        mut register: impl FnMut(&Waker),
    ) -> Poll<io::Result<R>> {
        let mut attempt = start == Start::Attempt;
        let mut registered = false;
        loop {
            let event = self.look(interest);
            if event.is_gone() {
                return Poll::Ready(Err(gone()));
            }
            if event.ready().is_empty() && !attempt {
                if registered {
                    return Poll::Pending;
                }
                register(cx.waker());
                registered = true;
                if bind()? {
                    // Newly registered: try once more, or an edge from the previous registration
                    // could be missed.
                    self.assume(unclosed(interest));
                }
                continue;
            }
            match operation(event) {
                Err(error) if error.is_would_block() => {
                    attempt = false;
                    // Including a closed direction: an operation that would block there has to wait
                    // for an event. After an attempt there may be nothing to clear.
                    if !event.ready().is_empty() {
                        self.clear(event, interest.mask());
                    }
                }
                Err(error) if error.is_interrupted() => {}
                result => return Poll::Ready(result.map_err(E::into)),
            }
        }
    }

    /// Stores the waker of a future among those that wait.
    #[inline(never)]
    fn enter(&self, id: &mut Option<u64>, interest: Interest, waker: Waker) {
        let mut waiting = self.lock_waiting();
        let former = waiting.enter(id, interest, waker);
        self.has_waiting.store(true, Ordering::SeqCst);
        // The previous waker is dropped outside the lock, because its destructor may run arbitrary
        // code.
        drop(waiting);
        drop(former);
    }

    /// Removes such a future.
    #[inline(never)]
    fn leave(&self, id: u64) {
        let waker = self.lock_waiting().leave(id);
        // Outside the lock, as above.
        drop(waker);
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For runtime authors: the [`ReadyEvent`] of a descriptor that has a [`Source`].
#[derive(Debug)]
pub struct Seen<'a> {
    source: &'a Source,
    event: Event,
    cleared: Ready,
}

impl<'a> Seen<'a> {
    /// Creates the event from a snapshot of `source`.
    pub fn new(source: &'a Source, event: Event) -> Self {
        Self {
            source,
            event,
            cleared: Ready::EMPTY,
        }
    }
}

impl ReadyEvent for Seen<'_> {
    fn ready(&self) -> Ready {
        self.event.ready() - self.cleared
    }

    fn clear(&mut self, ready: Ready) {
        let ready = ready & self.ready();
        let closed = Ready::READ_CLOSED | Ready::WRITE_CLOSED;
        self.source.clear(self.event, ready - closed);
        self.cleared |= ready;
    }
}

/// For runtime authors: an operation that only observes the readiness, for [`Source::poll`] and
/// [`Source::run`].
///
/// # Errors
/// Never fails; the signature is that of every operation.
pub fn observe(event: Event) -> io::Result<Event> {
    Ok(event)
}

/// For runtime authors: the readiness that an interest clears. The state that a direction is closed
/// is kept.
pub fn unclosed(interest: Interest) -> Ready {
    interest.mask() - Ready::READ_CLOSED - Ready::WRITE_CLOSED
}

fn would_block<R>(result: &io::Result<R>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// For runtime authors: returns the error of a descriptor whose poller has ended.
pub fn gone() -> io::Error {
    io::Error::other(RuntimeEnded::new())
}

/// The future of [`Source::run`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Run<'a, B, F> {
    source: &'a Source,
    interest: Interest,
    bind: B,
    operation: F,
    charged: bool,
    /// The number among the waiting futures.
    id: Option<u64>,
}

impl<B, F> Run<'_, B, F> {
    /// Charges no budget.
    pub fn uncharged(mut self) -> Self {
        self.charged = false;
        self
    }
}

impl<B, F> Unpin for Run<'_, B, F> {}

impl<R, E, B, F> Future for Run<'_, B, F>
where
    E: Failure,
    B: FnMut() -> io::Result<bool>,
    F: FnMut(Event) -> Result<R, E>,
{
    type Output = io::Result<R>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = &mut *self;
        let (source, interest, id) = (this.source, this.interest, &mut this.id);
        let (bind, operation) = (&mut this.bind, &mut this.operation);
        let register = |waker: &Waker| source.enter(id, interest, waker.clone());
        // One call of `poll_with`, or it would not be inlined.
        let charge = match this.charged {
            true => Some(ready!(coop::poll_proceed(cx))),
            false => None,
        };
        let result = source.poll_with(cx, interest, Start::IfReady, bind, operation, register);
        if let (true, Some(charge)) = (result.is_ready(), charge) {
            charge.made_progress();
        }
        result
    }
}

impl<B, F> Drop for Run<'_, B, F> {
    #[inline]
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.source.leave(id);
        }
    }
}
