//! The clocks of the nodes: each follows the virtual time, faster or slower, and has timers of its
//! own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use anyrt_kit::time::timers::Timers;

const MILLION: i64 = 1_000_000;

/// The monotonic clock of a node, and the timers that follow it.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Its reading at virtual time zero.
    base: Instant,
    timers: Timers,
    /// `true` once its speed was set; until then it shows the virtual time.
    differs: AtomicBool,
    speed: Mutex<Speed>,
}

/// The state of a clock since its speed was last set.
#[derive(Debug, Clone, Copy, Default)]
struct Speed {
    /// The virtual time then, and the reading of the clock.
    since: u64,
    shown: u64,
    /// Its drift in parts per million; positive if it is too fast.
    drift: i64,
}

impl Speed {
    /// Returns its reading at that virtual time, rounded down.
    fn show(self, nanos: u64) -> u64 {
        let passed = scale(nanos - self.since, MILLION + self.drift, MILLION, 0);
        self.shown.saturating_add(passed)
    }

    /// Returns the first virtual time with that reading.
    fn when(self, shown: u64) -> u64 {
        let ahead = shown.saturating_sub(self.shown);
        let speed = MILLION + self.drift;
        let passed = scale(ahead, MILLION, speed, speed - 1);
        self.since.saturating_add(passed)
    }
}

/// Returns `(nanos * by + more) / of`; intermediate results may exceed the type.
fn scale(nanos: u64, by: i64, of: i64, more: i64) -> u64 {
    let [by, of, more] = [by, of, more].map(|number| u128::from(number.unsigned_abs()));
    let scaled = (u128::from(nanos) * by + more) / of;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

impl Clock {
    pub(crate) fn new(base: Instant) -> Self {
        Self {
            base,
            timers: Timers::default(),
            differs: AtomicBool::new(false),
            speed: Mutex::default(),
        }
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Returns its reading at that virtual time, as nanoseconds since the beginning.
    pub(crate) fn shows(&self, nanos: u64) -> u64 {
        match self.differs.load(Ordering::SeqCst) {
            true => self.speed().show(nanos),
            false => nanos,
        }
    }

    pub(crate) fn now(&self, nanos: u64) -> Instant {
        self.base + Duration::from_nanos(self.shows(nanos))
    }

    /// Sets its drift from now on, in parts per million.
    pub(crate) fn set_drift(&self, nanos: u64, drift: i32) {
        let mut speed = self.speed();
        *speed = Speed {
            since: nanos,
            shown: speed.show(nanos),
            drift: drift.into(),
        };
        self.differs.store(true, Ordering::SeqCst);
    }

    /// Returns the virtual time at which its next timer is due.
    fn earliest(&self) -> Option<u64> {
        let after = self.timers.earliest()?.saturating_duration_since(self.base);
        let shown = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Some(match self.differs.load(Ordering::SeqCst) {
            true => self.speed().when(shown),
            false => shown,
        })
    }

    fn speed(&self) -> MutexGuard<'_, Speed> {
        self.speed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The times at which the clocks of a world have due timers.
///
/// A clock with an earlier timer or another speed must be [planned](Self::plan) again. A clock
/// whose timer was removed need not: it is checked too early, and then planned again. So each timer
/// costs the logarithm of the number of nodes.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// By virtual time and number of the node.
    times: BTreeSet<(u64, usize)>,
    /// By number of the node.
    clocks: Vec<(Arc<Clock>, Option<u64>)>,
}

impl Agenda {
    /// Adds the clock of the next node.
    pub(crate) fn add(&mut self, clock: Arc<Clock>) {
        self.clocks.push((clock, None));
    }

    /// Plans a node again after a change of its timers or its clock.
    pub(crate) fn plan(&mut self, node: usize) {
        #[cfg(test)]
        crate::growth::count();
        let Some((clock, planned)) = self.clocks.get_mut(node) else {
            return;
        };
        let earliest = clock.earliest();
        if *planned != earliest {
            if let Some(at) = std::mem::replace(planned, earliest) {
                self.times.remove(&(at, node));
            }
            self.times.extend(earliest.map(|at| (at, node)));
        }
    }

    /// Returns when the next timer is due.
    pub(crate) fn next(&mut self) -> Option<u64> {
        loop {
            let &(at, node) = self.times.first()?;
            self.plan(node);
            if self.times.first() == Some(&(at, node)) {
                return Some(at);
            }
        }
    }

    /// Collects the wakers of the timers that are due.
    pub(crate) fn fire(&mut self, nanos: u64, woken: &mut Vec<Waker>) {
        while let Some(&(at, node)) = self.times.first() {
            if at > nanos {
                return;
            }
            let clock = &self.clocks[node].0;
            clock.timers.fire(clock.now(nanos), woken);
            self.plan(node);
        }
    }

    /// Returns all clocks, whose timers fire for the last time.
    pub(crate) fn all(&self) -> Vec<Arc<Clock>> {
        let clocks = self.clocks.iter();
        clocks.map(|(clock, _)| Arc::clone(clock)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_what_it_was_asked_for_at_the_first_time_that_it_can() {
        for drift in [-500_000, -300, -1, 0, 1, 7, 333, 100_000, 500_000] {
            let speed = Speed {
                since: 1_000,
                shown: 5_000,
                drift,
            };
            for shown in (5_000..9_000).chain([u64::MAX / 4, u64::MAX]) {
                let at = speed.when(shown);
                assert!(speed.show(at) >= shown || at == u64::MAX, "{drift} {shown}");
                assert!(at == 1_000 || speed.show(at - 1) < shown, "{drift} {shown}");
            }
        }
    }

    #[test]
    fn a_clock_goes_on_where_it_was_when_its_speed_is_set() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let clock = Clock::new(Instant::now());
        clock.set_drift(1_000_000, 100_000);
        assert_eq!(clock.shows(1_000_000), 1_000_000);
        assert_eq!(clock.shows(2_000_000), 2_100_000);
        clock.set_drift(2_000_000, -500_000);
        assert_eq!(clock.shows(2_000_000), 2_100_000);
        assert_eq!(clock.shows(4_000_000), 3_100_000);
    }
}
