//! A thread inside `block_on`: it has a seat and runs the selected entities when it has the turn.

use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use anyrt_core::coop;

use crate::blocking;
use crate::failure::{Failure, FailureKind};
use crate::runtime::SimRuntime;
use crate::scheduler::{Key, Kind, Scheduler, Work};
use crate::seat::{Seated, note_operations, seat, take_operations, take_seat};
use crate::system::{self, Seeing, View};
use crate::wait;
use crate::world::World;

/// Wakes the future of a `block_on`.
struct Root {
    world: Arc<World>,
    key: Key,
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.world.wake_entity(self.key, None);
    }
}

/// Why a driver has nothing to run.
enum Stop {
    Failed(Arc<Failure>),
    /// All tasks wait, and that is a failure of this kind.
    Waits(FailureKind),
}

/// A thread that runs selected entities. Dropping it passes the turn to another.
pub(crate) struct Driver {
    world: Arc<World>,
    seat: usize,
    key: Key,
    /// The previous seat of this thread, if it is inside a blocking job.
    outer: Option<usize>,
    seated: Option<Seated>,
}

impl Driver {
    /// Waits for the turn.
    pub(crate) fn sit(
        rt: &SimRuntime,
        location: &'static Location<'static>,
    ) -> Result<Self, Arc<Failure>> {
        let world = Arc::clone(rt.world());
        let outer = seat(&world);
        let mut scheduler = world.scheduler();
        let seat = scheduler.sit(true);
        let key = scheduler.add(world.nanos(), rt.clone(), Kind::Root, Some(seat), location);
        // While another thread runs, the moment of arrival is not determined by the seed.
        scheduler.wake(key, None, outer.is_none());
        let waits = match (outer, scheduler.turn) {
            // The turn stays on this thread.
            (Some(_), _) | (None, None) => {
                scheduler.turn = Some(seat);
                Ok(scheduler)
            }
            (None, Some(_)) => world.wait_turn(scheduler, seat),
        };
        let waited = waits.map(drop);
        let mut driver = Self {
            seat,
            key,
            outer,
            seated: None,
            world: Arc::clone(&world),
        };
        waited?;
        driver.seated = Some(take_seat(&world, seat));
        Ok(driver)
    }

    pub(crate) fn seat(&self) -> usize {
        self.seat
    }

    /// Selects what to run next; never an entity that belongs to another thread.
    fn next(&self) -> Result<Work, Stop> {
        loop {
            self.world.fire_due();
            if let Some(work) = self.try_next().map_err(Stop::Failed)? {
                return Ok(work);
            }
            self.world.idle(self.seat).map_err(Stop::Waits)?;
        }
    }

    /// As above, without waiting for time to pass; `None` when nothing is ready.
    pub(crate) fn try_next(&self) -> Result<Option<Work>, Arc<Failure>> {
        let world = &self.world;
        let mut scheduler = world.scheduler();
        loop {
            if let Some(failure) = scheduler.failure() {
                return Err(failure);
            }
            if let Some(work) = scheduler.take_work(self.seat) {
                return Ok(Some(work));
            }
            let Some(work) = scheduler.pick() else {
                return Ok(None);
            };
            match (work.kind, work.home) {
                (Kind::Job, _) => {
                    if let Some(work) = blocking::hand_over(world, &mut scheduler, work) {
                        // The system cannot start a thread, and losing the job would be worse than
                        // running it here.
                        return Ok(Some(work));
                    }
                }
                (_, Some(home)) if home != self.seat => {
                    scheduler.hand(home, work);
                }
                _ => return Ok(Some(work)),
            }
            scheduler = world.wait_turn(scheduler, self.seat)?;
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let (root, left) = {
            let mut scheduler = self.world.scheduler();
            let left = scheduler.take_work(self.seat);
            let root = scheduler.remove(self.key);
            scheduler.stand_up(self.seat);
            if scheduler.turn == Some(self.seat) {
                match self.outer {
                    Some(_) => scheduler.turn = self.outer,
                    None => scheduler.pass_on(),
                }
            }
            (root, left)
        };
        drop((root, left));
        self.seated = None;
    }
}

/// The cost of a ready operation of the runtime in nanoseconds, in addition to its poll.
const OPERATION_COST: u64 = 50;

impl World {
    /// Runs `future` on this thread, together with all other ready tasks, until it is ready.
    pub(crate) fn drive<F: Future>(
        self: &Arc<Self>,
        driver: &Driver,
        future: F,
    ) -> Result<F::Output, Arc<Failure>> {
        let waker = Waker::from(Arc::new(Root {
            world: Arc::clone(self),
            key: driver.key,
        }));
        let mut future = pin!(future);
        loop {
            let work = match driver.next() {
                Ok(work) => work,
                Err(Stop::Failed(failure)) => return Err(failure),
                Err(Stop::Waits(kind)) => {
                    return Err(self.fail_waiting(driver.seat, (driver.key.task, future), kind));
                }
            };
            if work.runnable.is_some() {
                self.run(work);
                continue;
            }
            if work.key != driver.key {
                continue;
            }
            drop(wait::take());
            let seeing = self.seen_from_inside();
            let poll = || {
                let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                note_operations();
                polled
            };
            let polled = wait::noting_tasks(|| coop::with_budget(poll));
            drop(seeing);
            match polled {
                Poll::Ready(value) => return Ok(value),
                Poll::Pending => self.after_poll(work.key, false),
            }
        }
    }

    /// Polls a task on this thread.
    pub(crate) fn run(self: &Arc<Self>, work: Work) {
        let Some(runnable) = work.runnable else {
            return;
        };
        drop(wait::take());
        let yielded = {
            let _current = work.rt.enter();
            let _seeing = self.seen_from_inside();
            wait::noting_tasks(|| runnable.run())
        };
        self.after_poll(work.key, yielded);
    }

    /// Marks everything that runs until the guard is dropped as part of the simulated program.
    pub(crate) fn seen_from_inside(&self) -> Seeing {
        system::see(match self.options.open {
            true => View::Real,
            false => View::Node,
        })
    }

    fn after_poll(&self, key: Key, yielded: bool) {
        let waits = wait::take();
        let mut scheduler = self.scheduler();
        let cost = scheduler.poll_cost() + take_operations() * OPERATION_COST;
        self.spend(cost);
        scheduler.polled(self.nanos(), key, yielded, waits);
        let (seed, nanos) = (self.options.seed, self.nanos());
        if !self.options.open && scheduler.busy() >= self.options.busy_limit {
            let report = scheduler.describe_busy();
            scheduler.fail(seed, nanos, FailureKind::Livelock, report);
        }
        // A world in which something is always ready never jumps.
        if self.is_over(nanos) {
            scheduler.fail(seed, nanos, FailureKind::TimeLimit, self.limit_passed());
        }
    }

    pub(crate) fn wake_entity(
        self: &Arc<Self>,
        key: Key,
        runnable: Option<anyrt_kit::executor::Runnable>,
    ) {
        let foreign = seat(self).is_none();
        let left = self.scheduler().wake(key, runnable, foreign);
        drop(left);
    }

    /// Called when nothing is ready: jumps to the next event, waits for a thread from outside, or
    /// fails.
    fn idle(&self, seat: usize) -> Result<(), FailureKind> {
        // Before the check: a later event rings again.
        if std::mem::take(&mut self.scheduler().rung) {
            // A thread from outside may have done so since the last check.
            return Ok(());
        }
        let next = self.next_event();
        if self.options.open {
            // Jobs and other threads run by themselves: time jumps only after they have had a
            // chance to run.
            let busy_jobs = self.pool.get().is_some_and(|pool| {
                let stats = pool.stats();
                stats.threads > stats.idle_threads || stats.queue_depth > 0
            });
            let patience = match next {
                Some(next) => {
                    // A thousandth of the real time.
                    let jump = next.saturating_sub(self.nanos()) / 1_000;
                    let chance = Duration::from_nanos(jump).min(Duration::from_millis(200));
                    let least = Duration::from_millis(u64::from(busy_jobs));
                    Some(chance.max(least))
                }
                None => None,
            };
            if self.net().watches_descriptors() {
                // Threads outside of the simulation use descriptors without ringing the bell.
                if self.wait_for_descriptors(seat, patience) {
                    return Ok(());
                }
            } else if self.wait_rung(seat, patience) {
                return Ok(());
            }
        }
        let Some(next) = next else {
            return Err(FailureKind::Deadlock);
        };
        if self.is_over(next) {
            return Err(FailureKind::TimeLimit);
        }
        self.jump(next);
        Ok(())
    }

    fn is_over(&self, nanos: u64) -> bool {
        let limit = self.options.time_limit;
        limit.is_some_and(|limit| Duration::from_nanos(nanos) > limit)
    }

    pub(crate) fn limit_passed(&self) -> String {
        let limit = self.options.time_limit.unwrap_or_default();
        format!("the time limit of {limit:?} has passed")
    }

    /// Waits until something was woken or planned, but not longer than `patience` of real time.
    /// Returns `true` if something was.
    fn wait_rung(&self, seat: usize, patience: Option<Duration>) -> bool {
        let mut scheduler = self.scheduler();
        let Some(bell) = scheduler.bell(seat) else {
            return true;
        };
        scheduler.idle = Some(seat);
        if let Some(patience) = patience {
            if !scheduler.rung && !patience.is_zero() {
                let waited = bell.wait_timeout(scheduler, patience);
                scheduler = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        } else {
            while !scheduler.rung && scheduler.failure().is_none() {
                scheduler = bell.wait(scheduler).unwrap_or_else(PoisonError::into_inner);
            }
        }
        scheduler.idle = None;
        scheduler.rung
    }

    /// As [`wait_rung`](Self::wait_rung), but also returns when a descriptor is ready.
    fn wait_for_descriptors(&self, seat: usize, patience: Option<Duration>) -> bool {
        const LOOK: Duration = Duration::from_millis(1);
        let mut left = patience.unwrap_or(Duration::MAX);
        loop {
            let slice = left.min(LOOK);
            let rung = self.wait_rung(seat, Some(slice));
            let looked = self.net().look_at_descriptors(self.nanos());
            left = left.saturating_sub(slice);
            if rung || looked || self.scheduler().failure().is_some() {
                return true;
            }
            if left.is_zero() {
                return false;
            }
        }
    }

    /// Waits for the turn of the seat.
    pub(crate) fn wait_turn<'a>(
        &'a self,
        mut scheduler: MutexGuard<'a, Scheduler>,
        seat: usize,
    ) -> Result<MutexGuard<'a, Scheduler>, Arc<Failure>> {
        let Some(bell) = scheduler.bell(seat) else {
            return Ok(scheduler);
        };
        loop {
            if let Some(failure) = scheduler.failure() {
                return Err(failure);
            }
            if scheduler.turn == Some(seat) {
                return Ok(scheduler);
            }
            let steps = scheduler.trace().steps();
            let waited = bell.wait_timeout(scheduler, self.options.patience);
            let (locked, result) = waited.unwrap_or_else(PoisonError::into_inner);
            scheduler = locked;
            let stands_still = result.timed_out() && steps == scheduler.trace().steps();
            if stands_still && scheduler.turn != Some(seat) && !self.options.open {
                let message = format!(
                    "a blocking job has kept its turn for {:?} of real time; it waits for something outside of the \
                     simulation, or computes for long (`Builder::patience`). These have begun:{}",
                    self.options.patience,
                    scheduler.describe_jobs()
                );
                let (seed, nanos) = (self.options.seed, self.nanos());
                return Err(scheduler.fail(seed, nanos, FailureKind::Stuck, message));
            }
        }
    }
}
