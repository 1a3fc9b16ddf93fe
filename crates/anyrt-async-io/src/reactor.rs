//! async-io, the reactor of Smol and async-std, exists once per process. This file has the part of
//! one runtime in it.

use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroUsize;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use anyrt_core::coop;
use anyrt_core::readiness::Ready;
use anyrt_core::time::saturating_add;
use anyrt_core::waiters::wake_all;
use anyrt_kit::executor::Tasks;
use anyrt_kit::readiness::{Source, Sources};
use async_io::Timer;
use atomic_waker::AtomicWaker;
use slab::Slab;
use socket2::{Domain, Socket, Type};

use crate::instant::now;

/// The part of one runtime in the reactor: the waiters to notify when it ends.
#[derive(Debug)]
pub struct Reactor {
    sources: Mutex<Sources<Told>>,
    number: NonZeroUsize,
}

impl Reactor {
    /// Returns the part of a runtime with these tasks. Starts async-io if this is the first one.
    ///
    /// # Errors
    /// Fails if the system has no descriptors left for async-io.
    pub fn new(tasks: &Arc<Tasks>) -> io::Result<Arc<Self>> {
        start_async_io()?;
        let number = tasks.number().unwrap_or(Tasks::ENDLESS);
        if number != Tasks::ENDLESS {
            living().push((number, Waiting::default()));
        }
        Ok(Arc::new(Self {
            sources: Mutex::default(),
            number,
        }))
    }

    /// Ends the runtime: wakes all waiters for descriptors and timers, whose next poll fails.
    pub fn end(&self) {
        let mut wakers = Vec::new();
        self.lock().end(&mut wakers);
        wake_all(wakers);
        if let Some(waiting) = Waiting::remove(self.number) {
            wake_all(waiting.wakers.into_iter().map(|(_, waker)| waker));
        }
    }

    pub(crate) fn number(&self) -> NonZeroUsize {
        self.number
    }

    fn lock(&self) -> MutexGuard<'_, Sources<Told>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtimes that can end but have not, by number. A timer needs no more of its runtime, so that
/// one is created without a count of references.
static LIVING: Mutex<Vec<(NonZeroUsize, Waiting)>> = Mutex::new(Vec::new());

fn living() -> MutexGuard<'static, Vec<(NonZeroUsize, Waiting)>> {
    LIVING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wakers of the timers of one runtime that are polled outside its tasks. Timers in its tasks
/// are dropped with the tasks.
#[derive(Debug, Default)]
struct Waiting {
    wakers: Slab<Waker>,
}

impl Waiting {
    /// Below this capacity the table never shrinks.
    const KEEP: usize = 1024;

    /// Calls `f` with those of a runtime, or returns `None` if it has ended.
    fn of<T>(number: NonZeroUsize, f: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let mut living = living();
        let (_, waiting) = living.iter_mut().find(|(other, _)| *other == number)?;
        Some(f(waiting))
    }

    fn remove(number: NonZeroUsize) -> Option<Self> {
        let mut living = living();
        let place = living.iter().position(|(other, _)| *other == number)?;
        Some(living.swap_remove(place).1)
    }

    /// Adds a waker, or replaces the one at `place`. Returns its place and the replaced waker.
    fn wait(&mut self, place: Option<u32>, waker: &Waker) -> (Option<u32>, Option<Waker>) {
        match place.and_then(|place| self.wakers.get_mut(place as usize)) {
            Some(former) if former.will_wake(waker) => (place, None),
            Some(former) => (place, Some(std::mem::replace(former, waker.clone()))),
            None => {
                let place = self.wakers.insert(waker.clone());
                (u32::try_from(place).ok(), None)
            }
        }
    }

    fn leave(&mut self, place: u32) -> Option<Waker> {
        let waker = self.wakers.try_remove(place as usize);
        if self.wakers.is_empty() && self.wakers.capacity() > Self::KEEP {
            self.wakers = Slab::new();
        }
        waker
    }
}

/// Starts async-io, which would otherwise start on first use and panic there if it cannot.
///
/// # Errors
/// Fails if it cannot be started.
fn start_async_io() -> io::Result<()> {
    /// Its poller takes three descriptors on Linux, and two elsewhere.
    const DESCRIPTORS: usize = 4;
    static STARTED: Mutex<bool> = Mutex::new(false);

    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*started {
        let mut room = Vec::new();
        for _ in 0..DESCRIPTORS {
            room.push(Socket::new(Domain::IPV4, Type::DGRAM, None)?);
        }
        drop(room);
        // Other code may have taken the descriptors since then.
        let first_use = || {
            let mut timer = Timer::at(saturating_add(now(), Duration::MAX));
            let _ = Pin::new(&mut timer).poll(&mut Context::from_waker(Waker::noop()));
        };
        catch_unwind(first_use).map_err(|_| io::Error::other("async-io cannot be started"))?;
        *started = true;
    }
    Ok(())
}

/// The waker that async-io gets for one descriptor. It records the readiness and wakes the waiting
/// tasks.
#[derive(Debug)]
pub(crate) struct Told {
    source: Source,
    reactor: Arc<Reactor>,
    token: AtomicU64,
}

impl Told {
    /// Registers a descriptor that is assumed to be `ready`. The end of the runtime is reported to
    /// it until it [leaves](Self::leave).
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    pub(crate) fn enter(reactor: &Arc<Reactor>, ready: Ready) -> io::Result<Arc<Self>> {
        let told = Arc::new(Self {
            source: Source::new(ready),
            reactor: Arc::clone(reactor),
            token: AtomicU64::new(0),
        });
        let token = reactor.lock().add(&told, |_| Ok(()))?;
        told.token.store(token, Ordering::Relaxed);
        Ok(told)
    }

    /// Deregisters the descriptor, before it is closed.
    pub(crate) fn leave(&self) {
        let told = {
            let mut sources = self.reactor.lock();
            sources.remove(self.token.load(Ordering::Relaxed))
        };
        drop(told);
    }

    #[inline]
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        &self.reactor
    }
}

impl AsRef<Source> for Told {
    fn as_ref(&self) -> &Source {
        &self.source
    }
}

/// Reports that the descriptor is readable.
impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.source.tell(Ready::READABLE);
    }
}

/// A timer of async-io.
///
/// # Panics
/// Panics if it is polled before its deadline but after its runtime has ended, as in Tokio.
#[derive(Debug)]
pub(crate) struct ReactorSleep {
    timer: Timer,
    deadline: Instant,
    state: State,
    /// The number of its runtime.
    owner: NonZeroUsize,
}

#[inline]
pub(crate) fn sleep_until(owner: NonZeroUsize, deadline: Instant) -> ReactorSleep {
    ReactorSleep {
        timer: Timer::at(deadline),
        deadline,
        state: State::New,
        owner,
    }
}

/// Whether a task waits. Its waker is in `timer`, and async-io wakes it.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Neither polled nor reset yet.
    New,
    /// No task waits, or one that is dropped before the runtime ends.
    Armed,
    /// The place of the waker among those that are woken when the runtime ends.
    Told(u32),
    /// Fired.
    Fired,
}

impl ReactorSleep {
    /// Polls a timer that has fired, or that was polled outside the tasks of its runtime.
    #[cold]
    #[inline(never)]
    fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.state, State::Fired) {
            return Poll::Ready(());
        }
        if Pin::new(&mut self.timer).poll(cx).is_ready() {
            self.change(State::Fired);
            return Poll::Ready(());
        }
        if Tasks::are_polled(self.owner) {
            self.change(State::Armed);
        } else {
            self.wait_for_the_end(cx.waker());
        }
        Poll::Pending
    }

    /// Prepares for the end of the runtime, for the task that waits.
    ///
    /// # Panics
    /// Panics if the runtime has ended.
    #[cold]
    #[inline(never)]
    fn wait_for_the_end(&mut self, waker: &Waker) {
        if self.owner == Tasks::ENDLESS {
            return self.change(State::Armed);
        }
        let place = match self.state {
            State::Told(place) => Some(place),
            _ => None,
        };
        // The replaced waker is dropped outside the lock, because its destructor is foreign code.
        match Waiting::of(self.owner, |waiting| waiting.wait(place, waker)) {
            Some((Some(place), _former)) => self.state = State::Told(place),
            _ => {
                panic!("a sleep was polled after its runtime had ended: nobody is left to wake it")
            }
        }
    }

    fn change(&mut self, to: State) {
        if let State::Told(place) = std::mem::replace(&mut self.state, to) {
            self.leave(place);
        }
    }

    #[cold]
    #[inline(never)]
    fn leave(&self, place: u32) {
        // Dropped outside the lock.
        let _waker = Waiting::of(self.owner, |waiting| waiting.leave(place));
    }
}

impl anyrt_core::time::Sleep for ReactorSleep {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_elapsed(&self) -> bool {
        match self.state {
            State::New => false,
            State::Armed | State::Told(_) => now() >= self.deadline,
            State::Fired => true,
        }
    }

    fn reset(mut self: Pin<&mut Self>, to: Instant) {
        self.deadline = to;
        self.timer.set_at(to);
        if let State::New | State::Fired = self.state {
            self.state = State::Armed;
        }
    }
}

impl Future for ReactorSleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        coop::charged(cx, |cx| {
            if !matches!(this.state, State::New | State::Armed) {
                return this.poll_told(cx);
            }
            if Pin::new(&mut this.timer).poll(cx).is_ready() {
                this.state = State::Fired;
                return Poll::Ready(());
            }
            this.state = State::Armed;
            if !Tasks::are_polled(this.owner) {
                this.wait_for_the_end(cx.waker());
            }
            Poll::Pending
        })
    }
}

impl Drop for ReactorSleep {
    #[inline]
    fn drop(&mut self) {
        if let State::Told(place) = self.state {
            self.leave(place);
        }
    }
}

/// Waits until `at`, in the time of the system.
pub async fn alarm(at: Instant) {
    Timer::at(at).await;
}

/// Waits until all tasks are woken for which the reactor had an event at the first poll.
pub async fn delivered() {
    // The reactor fires a timer in a round that also collects events, perhaps on another thread,
    // and wakes in any order. The second round begins after all of the first were woken.
    for _ in 0..2 {
        round().await;
    }
}

/// Waits until the reactor has begun a round after the first poll.
async fn round() {
    let fired = Arc::new(Fired::default());
    let waker = Waker::from(Arc::clone(&fired));
    // A timer that is due when it is polled is ready without the reactor. This one is polled
    // first and then moved, so only the reactor can wake it.
    let mut timer = Timer::at(saturating_add(now(), Duration::MAX));
    let _ = Pin::new(&mut timer).poll(&mut Context::from_waker(&waker));
    timer.set_at(now());
    poll_fn(|cx| {
        fired.outer.register(cx.waker());
        if fired.by_reactor.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[derive(Default)]
struct Fired {
    by_reactor: AtomicBool,
    outer: AtomicWaker,
}

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        self.by_reactor.store(true, Ordering::SeqCst);
        self.outer.wake();
    }
}
