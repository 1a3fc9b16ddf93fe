//! For runtime authors: a clock that can be paused, and its automatic advance when the runtime is
//! idle.
//!
//! A runtime whose clock can be paused keeps its timers in the clock's queue from the start, so
//! that timers which were armed before the pause follow it as well. Each thread inside `block_on`
//! is a [`Driver`], which reports when it has run everything that was ready. When all drivers are
//! idle, no blocking job runs, and the sockets were checked once more, [`Clock::try_advance`] moves
//! a paused clock to the next deadline.
//!
//! If the reactor is not part of the threads, [`Driver::run`] does all of this. A runtime with its
//! own loop (a shard, a simulator) registers a waker with [`Clock::watch`] and calls `try_advance`
//! in its loop.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use anyrt_core::error::ClockError;
use anyrt_core::runtime::{Config, Flavor};
use anyrt_core::time::{next_millisecond, saturating_add};

use super::timers::{Keeper, Sleep, Timers};
use crate::sync::{AtomicU8, AtomicU64, AtomicWaker, Mutex, MutexGuard, Ordering, PoisonError};

/// Set by the first pause, so that reading the time costs nothing extra in programs that never
/// pause.
static ANY_PAUSED: AtomicBool = AtomicBool::new(false);

/// Returns `true` if a clock of this process was ever paused.
#[inline]
pub fn was_any_paused() -> bool {
    ANY_PAUSED.load(Ordering::Acquire)
}

/// For runtimes whose clock never was the system's: as if it had been paused.
pub fn note_paused() {
    ANY_PAUSED.store(true, Ordering::Release);
}

/// The clock of one runtime: the system's until it is paused, and then one that advances on
/// request.
///
/// Its timers fire at full milliseconds since its start, like Tokio's, and never before their
/// deadline.
pub struct Clock {
    /// The origin of the ticks.
    start: Instant,
    state: Mutex<Time>,
    timers: Arc<Timers>,
    /// The number of times a driver had something to run.
    runs: AtomicU64,
}

struct Time {
    /// The current time if the clock is paused, else the time at `running_since`.
    base: Instant,
    /// In the system's time.
    running_since: Option<Instant>,
    /// The number of reasons for which a paused clock must not advance by itself.
    inhibitions: usize,
    drivers: Vec<Arc<Flag>>,
    watcher: Option<Waker>,
}

/// What an idle runtime has to wait for, in addition to its wakers and sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Nothing: there is no timer, or another thread advances the clock.
    Forever,
    /// The system time at which the next timer is due, which may have passed.
    Until(Instant),
    /// Nothing at all: after a last check of the sockets, advance the clock.
    Advance(Lull),
}

/// A period in which all drivers are idle; see [`Clock::try_advance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lull {
    /// The number of runs of the drivers before it.
    runs: u64,
}

impl Clock {
    /// Creates a clock with the system's time, paused there if `paused`.
    pub fn new(paused: bool) -> Arc<Self> {
        let now = system_now();
        if paused {
            note_paused();
        }
        Arc::new(Self {
            start: now,
            state: Mutex::new(Time {
                base: now,
                running_since: (!paused).then_some(now),
                inhibitions: 0,
                drivers: Vec::new(),
                watcher: None,
            }),
            timers: Arc::default(),
            runs: AtomicU64::new(0),
        })
    }

    /// Returns the clock of a runtime with these options, if it can be paused.
    pub fn of(config: &Config) -> Option<Arc<Self>> {
        let pausable = config.pausable || config.start_paused;
        (pausable && config.flavor == Flavor::CurrentThread).then(|| Self::new(config.start_paused))
    }

    /// Returns the time.
    pub fn now(&self) -> Instant {
        self.lock().now()
    }

    /// Returns the timers that follow the clock.
    pub fn timers(&self) -> &Arc<Timers> {
        &self.timers
    }

    /// Creates a timer that follows the clock.
    pub fn sleep_until(self: &Arc<Self>, deadline: Instant) -> Sleep<Arc<Self>> {
        Sleep::new(Arc::clone(self), deadline)
    }

    /// Pauses the clock.
    ///
    /// # Errors
    /// Returns [`ClockError::Paused`] if it is already paused.
    pub fn pause(&self) -> Result<(), ClockError> {
        {
            let mut state = self.lock();
            let base = state.now();
            state.running_since.take().ok_or(ClockError::Paused)?;
            state.base = base;
        }
        note_paused();
        self.look_again();
        Ok(())
    }

    /// Resumes the clock.
    ///
    /// # Errors
    /// Returns [`ClockError::Running`] if it is not paused.
    pub fn resume(&self) -> Result<(), ClockError> {
        {
            let mut state = self.lock();
            if state.running_since.is_some() {
                return Err(ClockError::Running);
            }
            state.running_since = Some(system_now());
        }
        self.look_again();
        Ok(())
    }

    /// Advances a paused clock by `duration` and fires the timers that are due then.
    ///
    /// # Errors
    /// Returns [`ClockError::Running`] if it is not paused.
    pub fn advance(&self, duration: Duration) -> Result<(), ClockError> {
        {
            let mut state = self.lock();
            if state.running_since.is_some() {
                return Err(ClockError::Running);
            }
            state.base = saturating_add(state.base, duration);
        }
        self.fire();
        // A driver that became idle in the meantime was told to wait.
        self.look_again();
        Ok(())
    }

    /// Keeps a paused clock from advancing by itself until the guard is dropped.
    ///
    /// Hold it during work outside the runtime's threads that ends by itself: a blocking job, a
    /// file operation. Drop it after the waiting task was notified.
    pub fn inhibit(self: &Arc<Self>) -> Inhibition {
        self.lock().inhibitions += 1;
        Inhibition {
            clock: Arc::clone(self),
        }
    }

    /// Wakes the waiters of the timers that are due.
    pub fn fire(&self) {
        let now = {
            let mut state = self.lock();
            // The runtime must not count as idle while wake-ups are in progress.
            state.inhibitions += 1;
            state.now()
        };
        self.fire_inhibited(now);
    }

    fn fire_inhibited(&self, now: Instant) {
        let mut wakers = Vec::new();
        self.timers.fire(now, &mut wakers);
        for waker in wakers {
            waker.wake();
        }
        self.lock().inhibitions -= 1;
    }

    /// Returns what to wait for when a driver or the runtime's own loop has nothing to run.
    pub fn wait(&self) -> Wait {
        let state = self.lock();
        let lull = Lull {
            runs: self.runs.load(Ordering::SeqCst),
        };
        match (self.timers.earliest(), state.running_since) {
            (None, _) => Wait::Forever,
            (Some(at), Some(since)) => {
                let ahead = at.saturating_duration_since(state.base);
                Wait::Until(saturating_add(since, ahead))
            }
            // Armed while another thread advanced the clock, which only fires earlier timers: do
            // not wait for it.
            (Some(at), None) if at <= state.base => Wait::Until(system_now()),
            (Some(_), None) if state.may_advance() => Wait::Advance(lull),
            (Some(_), None) => Wait::Forever,
        }
    }

    /// Advances a paused clock to the next deadline and fires it, if there is one and `lull` still
    /// lasts. Returns `true` if it did.
    ///
    /// Check the sockets between [`wait`](Self::wait) and this call: a driver that was woken by
    /// them, or sent something since, has ended the lull. `is_dry` is called after the check of the
    /// drivers. It returns `true` if work that they queued elsewhere has run as well.
    pub fn try_advance(&self, lull: Lull, is_dry: impl FnOnce() -> bool) -> bool {
        let now = {
            let mut state = self.lock();
            let Some(next) = self.timers.earliest() else {
                return false;
            };
            let lasts = state.running_since.is_none()
                && state.may_advance()
                && self.runs.load(Ordering::SeqCst) == lull.runs;
            if !lasts || !is_dry() {
                return false;
            }
            // By whole ticks, like Tokio's: the rest of a tick is kept.
            let ticks = self.ticks(next).saturating_sub(self.ticks(state.base));
            state.base = saturating_add(state.base, Duration::from_millis(ticks));
            state.inhibitions += 1;
            state.base
        };
        self.fire_inhibited(now);
        true
    }

    /// Full milliseconds since the start.
    fn ticks(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    /// Registers a thread that drives the runtime. Without a driver, a paused clock does not
    /// advance.
    pub fn drive(self: &Arc<Self>) -> Driver {
        let flag = Arc::new(Flag {
            state: AtomicU8::new(WOKEN),
            outer: AtomicWaker::new(),
        });
        self.lock().drivers.push(Arc::clone(&flag));
        Driver {
            clock: Arc::clone(self),
            waker: Waker::from(Arc::clone(&flag)),
            flag,
        }
    }

    /// Sets or removes the waker that is woken whenever the result of [`wait`](Self::wait) may
    /// change.
    pub fn watch(&self, watcher: Option<Waker>) {
        let former = std::mem::replace(&mut self.lock().watcher, watcher);
        drop(former);
    }

    /// Wakes the idle drivers and the watcher.
    fn look_again(&self) {
        let watcher = {
            let state = self.lock();
            for driver in &state.drivers {
                driver.poke();
            }
            state.watcher.clone()
        };
        if let Some(watcher) = watcher {
            watcher.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Time> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    fn now(&self) -> Instant {
        match self.running_since {
            None => self.base,
            Some(since) => saturating_add(self.base, system_now().saturating_duration_since(since)),
        }
    }

    fn may_advance(&self) -> bool {
        self.inhibitions == 0
            && !self.drivers.is_empty()
            && self.drivers.iter().all(|d| d.is_idle())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn system_now() -> Instant {
    Instant::now()
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Clock")
            .field("now", &state.now())
            .field("paused", &state.running_since.is_none())
            .field("inhibitions", &state.inhibitions)
            .field("drivers", &state.drivers.len())
            .field("timers", &self.timers)
            .finish_non_exhaustive()
    }
}

impl Keeper for Arc<Clock> {
    type Queue = Self;

    fn now(&self) -> Instant {
        Clock::now(self)
    }

    fn due(&self, deadline: Instant) -> Instant {
        next_millisecond(self.start, deadline).0
    }

    fn queue(&self) -> Self {
        Self::clone(self)
    }

    fn timers(queue: &Self) -> &Timers {
        &queue.timers
    }

    fn look_again(queue: &Self) {
        Clock::look_again(queue);
    }
}

/// Keeps a paused clock from advancing by itself; see [`Clock::inhibit`].
#[derive(Debug)]
#[must_use = "the clock is kept back only while the guard lives"]
pub struct Inhibition {
    clock: Arc<Clock>,
}

impl Drop for Inhibition {
    fn drop(&mut self) {
        self.clock.lock().inhibitions -= 1;
        self.clock.look_again();
    }
}

/// The driver has run everything that was ready, and was not woken since.
const IDLE: u8 = 0;
/// The driver is polling.
const RUNNING: u8 = 1;
/// The driver has something to run.
const WOKEN: u8 = 2;
/// The driver has nothing to run, but the result of `wait` may have changed.
const POKED: u8 = 3;

/// The state of a driver.
struct Flag {
    state: AtomicU8,
    outer: AtomicWaker,
}

impl Flag {
    fn is_idle(&self) -> bool {
        self.state.load(Ordering::SeqCst) == IDLE
    }

    fn poke(&self) {
        let idle = (IDLE, POKED);
        let poked = self
            .state
            .compare_exchange(idle.0, idle.1, Ordering::SeqCst, Ordering::SeqCst);
        if poked.is_ok() {
            self.outer.wake();
        }
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) != WOKEN {
            self.outer.wake();
        }
    }
}

/// A thread that drives a runtime with a [`Clock`]; see [`Clock::drive`].
pub struct Driver {
    clock: Arc<Clock>,
    flag: Arc<Flag>,
    waker: Waker,
}

impl Driver {
    /// Runs `future` until it completes, and advances the clock whenever there is nothing to run.
    ///
    /// `alarm` waits until a moment of the system's time. `delivered` waits until the reactor has
    /// told all that it knows when `delivered` is polled first.
    pub async fn run<F, A, T>(
        &self,
        future: F,
        alarm: impl Fn(Instant) -> A,
        delivered: impl Fn() -> T,
    ) -> F::Output
    where
        F: Future,
        A: Future<Output = ()>,
        T: Future<Output = ()>,
    {
        let mut future = pin!(future);
        loop {
            if let Some(output) = self.until_idle(future.as_mut()).await {
                return output;
            }
            match self.clock.wait() {
                Wait::Forever => self.undisturbed(pending()).await,
                Wait::Until(at) => self.undisturbed(alarm(at)).await,
                Wait::Advance(lull) => {
                    self.undisturbed(delivered()).await && self.clock.try_advance(lull, || true)
                }
            };
        }
    }

    /// Runs `future` while it or a timer is woken. Returns `None` if there is nothing to do.
    pub async fn until_idle<F: Future>(&self, mut future: Pin<&mut F>) -> Option<F::Output> {
        poll_fn(|cx| {
            self.flag.outer.register(cx.waker());
            self.clock.fire();
            let woken = self.flag.state.swap(RUNNING, Ordering::SeqCst) == WOKEN;
            if woken {
                self.clock.runs.fetch_add(1, Ordering::SeqCst);
            }
            if woken
                && let Poll::Ready(output) =
                    future.as_mut().poll(&mut Context::from_waker(&self.waker))
            {
                return Poll::Ready(Some(output));
            }
            let now_idle =
                self.flag
                    .state
                    .compare_exchange(RUNNING, IDLE, Ordering::SeqCst, Ordering::SeqCst);
            match now_idle {
                Ok(_) => Poll::Ready(None),
                // It was woken in the meantime, and so was the thread, which returns here after one
                // iteration of its reactor.
                Err(_) => Poll::Pending,
            }
        })
        .await
    }

    /// Reports that nothing is left to run, for a runtime that polls everything in its own loop.
    /// Call it before each [`Clock::wait`], because every change of the clock revokes it.
    pub fn rest(&self) {
        self.flag.state.store(IDLE, Ordering::SeqCst);
    }

    /// Waits for `future`. Returns `false` as soon as there is something to do before it completes.
    pub async fn undisturbed(&self, future: impl Future<Output = ()>) -> bool {
        let mut future = pin!(future);
        poll_fn(|cx| {
            self.flag.outer.register(cx.waker());
            if self.flag.is_idle() {
                future.as_mut().poll(cx).map(|()| true)
            } else {
                Poll::Ready(false)
            }
        })
        .await
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let others = |driver: &Arc<Flag>| !Arc::ptr_eq(driver, &self.flag);
        self.clock.lock().drivers.retain(others);
        // The others may have waited for this one.
        self.clock.look_again();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
