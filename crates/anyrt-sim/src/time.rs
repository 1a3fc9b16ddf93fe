//! The virtual clock and what waits on it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyrt_core::Timer;
use anyrt_kit::time::timers::{self, Timers};

use crate::runtime::SimRuntime;
use crate::world::World;

/// A timer that fires once.
pub type Sleep = timers::Sleep<Keeper>;

/// Keeps the timers of a simulation.
#[derive(Debug, Clone)]
pub struct Keeper {
    world: Arc<World>,
}

impl timers::Keeper for Keeper {
    type Queue = Self;

    fn now(&self) -> Instant {
        self.world.now()
    }

    fn due(&self, deadline: Instant) -> Instant {
        // Nanoseconds are the clock's own step.
        deadline
    }

    fn queue(&self) -> Self {
        self.clone()
    }

    fn timers(queue: &Self) -> &Timers {
        queue.world.timers()
    }

    fn look_again(queue: &Self) {
        queue.world.nudge();
    }
}

impl Timer for SimRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        self.world().now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let world = Arc::clone(self.world());
        Sleep::new(Keeper { world }, deadline)
    }
}

/// 2026-01-01 00:00:00 UTC, when every simulation starts.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

impl SimRuntime {
    /// The date and time by the node's clock: virtual, the same in each execution, and moved by
    /// [`Node::set_clock_offset`](crate::Node::set_clock_offset).
    pub fn system_time(&self) -> SystemTime {
        let now = SystemTime::UNIX_EPOCH + EPOCH + self.world().elapsed();
        let offset = self.node_state().clock_offset();
        let distance = Duration::from_nanos(offset.unsigned_abs());
        let moved = if offset < 0 {
            now.checked_sub(distance)
        } else {
            now.checked_add(distance)
        };
        moved.unwrap_or(now)
    }
}
