//! The virtual clock and its timers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyrt_core::Timer;
use anyrt_core::error::ClockError;
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::ticked::Clocked;
use anyrt_kit::time::timers::{self, Timers};

use crate::runtime::SimRuntime;

/// A timer that fires once.
pub type Sleep = timers::Sleep<Keeper>;

/// Keeps the timers of a node.
#[derive(Debug, Clone)]
pub struct Keeper {
    rt: SimRuntime,
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

/// All nodes share one time, which none of them may stop or move.
impl Clocked for SimRuntime {
    type Keeper = Keeper;
    type ClockKeeper = Infallible;

    fn clock(&self) -> Option<&Arc<Clock>> {
        None
    }

    #[inline]
    fn entered_keeper() -> Option<Keeper> {
        Self::with_current(Self::keeper)?.ok()
    }

    #[inline]
    fn keeper(&self) -> Result<Keeper, Infallible> {
        Ok(Keeper { rt: self.clone() })
    }

    #[inline]
    fn now_of(keeper: &Keeper) -> Instant {
        keeper.rt.now()
    }

    #[inline]
    fn kept(keeper: Keeper, deadline: Instant) -> Sleep {
        Sleep::new(keeper, deadline)
    }

    fn kept_by_clock(keeper: Infallible, _: Instant) -> Sleep {
        match keeper {}
    }

    fn pause(&self) -> Result<(), ClockError> {
        Err(ClockError::Virtual("pause", "leave it out"))
    }

    fn resume(&self) -> Result<(), ClockError> {
        Err(ClockError::Virtual("resume", "leave it out"))
    }

    fn advance(&self, _: Duration) -> Result<(), ClockError> {
        Err(ClockError::Virtual(
            "advance",
            "use `time::sleep`, which takes no real time",
        ))
    }
}

/// 2026-01-01 00:00:00 UTC, the start of every simulation.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

impl SimRuntime {
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
