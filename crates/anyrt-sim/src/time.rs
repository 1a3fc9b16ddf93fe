//! The virtual clock and its timers.

use std::time::{Duration, Instant, SystemTime};

use anyrt_core::Timer;
use anyrt_kit::time::timers::{self, Timers};

use crate::runtime::SimRuntime;

/// A timer that fires once.
pub type Sleep = timers::Sleep<Keeper>;

/// What would keep a timer that follows a clock that can be paused.
pub type ClockKeeper = Keeper;

/// A timer of it.
pub type ByClock = Sleep;

/// Keeps the timers of a node.
#[derive(Debug, Clone)]
pub struct Keeper {
    rt: SimRuntime,
}

impl Keeper {
    /// Returns the current time.
    #[inline]
    pub fn now(&self) -> Instant {
        self.rt.now()
    }

    /// Waits until `deadline`.
    #[inline]
    pub fn into_sleep(self, deadline: Instant) -> Sleep {
        Sleep::new(self, deadline)
    }
}

impl timers::Keeper for Keeper {
    type Queue = Self;

    fn now(&self) -> Instant {
        self.rt.now()
    }

    fn due(&self, deadline: Instant) -> Instant {
        // Nanoseconds are the clock's own step.
        deadline
    }

    fn queue(&self) -> Self {
        self.clone()
    }

    fn timers(queue: &Self) -> &Timers {
        queue.rt.node_state().clock().timers()
    }

    fn look_again(queue: &Self) {
        let world = queue.rt.world();
        world.agenda().plan(queue.rt.node_state().id());
        world.nudge();
    }
}

impl Timer for SimRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        self.node_state().clock().now(self.world().nanos())
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(Keeper { rt: self.clone() }, deadline)
    }
}

/// 2026-01-01 00:00:00 UTC, the start of every simulation.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

impl SimRuntime {
    /// Returns what keeps its timers.
    ///
    /// # Errors
    /// None: its clock cannot be paused.
    #[inline]
    pub fn keeper(&self) -> Result<Keeper, ClockKeeper> {
        Ok(Keeper { rt: self.clone() })
    }

    /// Returns what keeps the timers of the current node.
    #[inline]
    pub fn entered_keeper() -> Option<Keeper> {
        Self::with_current(Self::keeper)?.ok()
    }

    /// Returns the date and time of the node's clock: virtual, the same in each execution, and
    /// changed by [`Node::set_clock_offset`](crate::Node::set_clock_offset) and
    /// [`Node::set_clock_drift`](crate::Node::set_clock_drift).
    pub fn system_time(&self) -> SystemTime {
        let node = self.node_state();
        let shown = Duration::from_nanos(node.clock().shows(self.world().nanos()));
        let now = SystemTime::UNIX_EPOCH + EPOCH + shown;
        let offset = node.clock_offset();
        let distance = Duration::from_nanos(offset.unsigned_abs());
        let moved = if offset < 0 {
            now.checked_sub(distance)
        } else {
            now.checked_add(distance)
        };
        moved.unwrap_or(now)
    }
}
