//! Timers. Each shard keeps its own, with one alarm for the earliest.

use std::sync::Arc;
use std::time::Instant;

use anyrt_core::Timer;
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::ticked::Clocked;
use anyrt_kit::time::timers::{self, Timers};

use crate::handle::GlommioRuntime;
use crate::instant::now;
use crate::shard::Shard;

/// Waits until a deadline.
///
/// The shard that polls it keeps it, or any shard of its runtime if it is polled elsewhere.
pub type Sleep = timers::Sleep<GlommioRuntime>;

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

/// The runtime keeps its timers.
impl Clocked for GlommioRuntime {
    type Keeper = Self;
    type ClockKeeper = Self;

    fn clock(&self) -> Option<&Arc<Clock>> {
        self.pausable().get()
    }

    #[inline]
    fn entered_keeper() -> Option<Self> {
        Self::with_current(Self::keeper)?.ok()
    }

    #[inline]
    fn keeper(&self) -> Result<Self, Self> {
        match self.clock() {
            None => Ok(self.clone()),
            Some(_) => Err(self.clone()),
        }
    }

    #[inline]
    fn now_of(keeper: &Self) -> Instant {
        timers::Keeper::now(keeper)
    }

    #[inline]
    fn kept(keeper: Self, deadline: Instant) -> Sleep {
        Sleep::new(keeper, deadline)
    }

    #[inline]
    fn kept_by_clock(keeper: Self, deadline: Instant) -> Sleep {
        Sleep::new(keeper, deadline)
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
