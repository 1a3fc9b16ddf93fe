//! Timers. Each shard keeps its own, with one alarm for the earliest.

use std::sync::Arc;
use std::time::Instant;

use anyrt_core::Timer;
use anyrt_kit::time::timers::{self, Keeper, Timers};

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

impl Keeper for GlommioRuntime {
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

impl Timer for GlommioRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Keeper::now(self)
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::new(self.clone(), deadline)
    }
}
