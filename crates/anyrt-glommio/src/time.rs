//! Timers. Each shard keeps its own, with one alarm for the earliest.

use std::sync::Arc;
use std::time::Instant;

use anyrt_core::Timer;
use anyrt_kit::time::timers::{self, Timers};

use crate::handle::GlommioRuntime;
use crate::instant::now;
use crate::shard::Shard;

/// Waits until a deadline.
///
/// The shard that polls it keeps it, or any shard of its runtime if it is polled elsewhere.
pub type Sleep = timers::Sleep<Keeper>;

/// What keeps a timer: its runtime.
pub type Keeper = GlommioRuntime;

/// What keeps it on a runtime whose clock can be paused.
pub type ClockKeeper = Keeper;

/// A timer of such a runtime.
pub type ByClock = Sleep;

/// The timers of one shard.
#[derive(Debug)]
pub struct Queue(Arc<Shard>);

impl timers::Keeper for GlommioRuntime {
    type Queue = Queue;

    fn now(&self) -> Instant {
        self.clock().map_or_else(now, |clock| clock.now())
    }

    fn due(&self, deadline: Instant) -> Instant {
        self.clock().map_or(deadline, |clock| clock.due(deadline))
    }

    fn queue(&self) -> Queue {
        Queue(Arc::clone(self.near_shard()))
    }

    fn timers(queue: &Queue) -> &Timers {
        queue.0.timers()
    }

    fn look_again(queue: &Queue) {
        queue.0.rouse();
    }
}

impl GlommioRuntime {
    /// Returns what keeps its timers: the runtime.
    ///
    /// # Errors
    /// Returns it as an error if its clock can be paused.
    #[inline]
    pub fn keeper(&self) -> Result<Keeper, ClockKeeper> {
        match self.clock() {
            None => Ok(self.clone()),
            Some(_) => Err(self.clone()),
        }
    }

    /// Returns what keeps the timers of the current runtime, or `None` if its clock can be paused.
    #[inline]
    pub fn entered_keeper() -> Option<Keeper> {
        Self::with_current(Self::keeper)?.ok()
    }

    /// Waits until `deadline`.
    #[inline]
    pub fn into_sleep(self, deadline: Instant) -> Sleep {
        Sleep::new(self, deadline)
    }
}

impl Timer for GlommioRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        timers::Keeper::now(self)
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(self.clone(), deadline)
    }
}
