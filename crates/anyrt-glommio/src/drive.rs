//! The driver: the loop that runs a shard.
//!
//! At home it is the only task of the Glommio executor. Tasks of anyrt are in the shard's own
//! queue, so they never use Glommio's task system, which polls inside spawn, ends on a panic and
//! has wakers that must not leave their thread.
//!
//! # How a shard sleeps and wakes
//! One epoll watches the sockets, the alarm of the timers and the doorbell (see [`crate::epoll`]).
//! When the queue is empty the driver awaits the ring's poll of the epoll, so the shard waits in
//! io_uring, where Glommio's own operations complete as well. An iteration through Glommio's three
//! rings costs more than the system calls of a small request. So a shard whose last wait was
//! shorter than a slice (1 ms) waits in the epoll itself for the next slice, and visits the rings
//! once per slice. While file operations are in progress it waits in the rings only. Only these
//! events wake the driver:
//!
//! - A wake-up from another thread pushes into the inbox and, if the shard sleeps, rings the
//!   doorbell. That is one system call, and no Glommio waker is used outside its thread. The shard
//!   first marks itself as asleep and then checks the inbox; the other thread first pushes and then
//!   checks the mark. Both have a fence in between, so at least one of them sees the other. The
//!   thread that rings clears the mark, so many wake-ups ring once.
//! - A wake-up at home, while Glommio runs another task, does the same with the local queue.
//! - To let Glommio's rings run while there is work, the driver rings its own doorbell and awaits
//!   it.
//!
//! # Why it cannot park with work
//! Glommio's `run` parks with a runnable task if, between "poll the rings" and "run the tasks", its
//! latency ring holds a completion that wakes no task. Its preempt timer is such a completion if
//! the thread was delayed for that long, so a short timer hangs it (`examples/soak.rs`
//! stalls within a second with 100 µs and within a minute with 1 ms). Here that timer is set to a
//! year, the driver arms nothing on the latency ring, and the poll of the epoll completes on the
//! main ring, where consuming it counts as progress: Glommio does not park before it has run the
//! driver.
//!
//! Tasks that use Glommio itself may put completions on the latency ring: its sockets do, and its
//! blocking calls, through a notification. Expiring timers and plain opens, reads, writes, syncs
//! and closes of files (see [`crate::fs`]) always wake a task. Check this again before more of
//! Glommio is used.

mod rings;
mod root;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyrt_core::time::saturating_add;
use anyrt_kit::executor::{BlockingPool, Shift};
use anyrt_kit::time::clock::{self, Lull, Wait};

use crate::epoll::Scratch;
use crate::instant::now;
use crate::shard::{self, AbortOnPanic, Present, Shard};

use rings::Rings;
pub(crate) use root::MainFuture;
use root::{NoRoot, Root, StandIn};

/// Runs a shard on the thread that has its seat.
pub(crate) struct Driver {
    shard: Arc<Shard>,
    place: Place,
    scratch: Scratch,
    shift: Shift,
    /// The time for which the alarm is set.
    alarm: Option<Instant>,
    /// Whether the last wait was shorter than a slice.
    busy: bool,
    /// The period in which only an advance of the clock is left to do.
    lull: Option<Lull>,
    /// On a runtime whose clock can be paused.
    clock: Option<clock::Driver>,
}

/// The place where a driver runs, which determines how it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In an executor of anyrt. It waits in the rings, or for a slice in the epoll.
    Executor,
    /// In an executor with other tasks. It waits in the rings only.
    Guest,
    /// On a thread without rings. It waits in the epoll only.
    Bare,
}

/// The reason for which a driver pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// The rings run until the epoll has an event.
    ForRings,
    /// The future that the thread drives is ready, or the shard has ended.
    Finished,
    /// Another thread has the seat, or is to have it.
    SeatLost,
}

/// Runs a shard at home, inside its executor, until it has ended.
pub(crate) async fn at_home(shard: Arc<Shard>) {
    let mut driver = Driver::new(&shard, Place::Executor);
    let rings = Rings::new(shard.epoll());
    while driver.work(&mut NoRoot) == Pause::ForRings {
        driver.wait_in(&rings).await;
    }
    shard.end_services();
    // Their files are closed through the ring, which needs one more iteration.
    shard.epoll().ring_doorbell();
    rings.wait().await;
}

/// Runs a shard among the native tasks of an application's executor, until it has ended.
pub(crate) async fn as_guest<G>(shard: Arc<Shard>, enter: impl Fn() -> G) {
    let mut driver = Driver::new(&shard, Place::Guest);
    let rings = Rings::new(shard.epoll());
    loop {
        let pause = {
            let _current = enter();
            driver.work(&mut NoRoot)
        };
        match pause {
            Pause::ForRings => driver.wait_in(&rings).await,
            Pause::Finished | Pause::SeatLost => return,
        }
    }
}

/// Runs a shard and `root` inside an executor until `root` is ready. Returns a panic, from which
/// Glommio would not recover.
pub(crate) async fn with_root(shard: &Arc<Shard>, root: &mut dyn Root) -> thread::Result<()> {
    let mut driver = Driver::new(shard, Place::Executor);
    let rings = Rings::new(shard.epoll());
    loop {
        match catch_unwind(AssertUnwindSafe(|| driver.work(root)))? {
            Pause::ForRings => driver.wait_in(&rings).await,
            Pause::Finished => return Ok(()),
            Pause::SeatLost => unreachable!("on one thread nobody blocks in place"),
        }
    }
}

/// Like [`with_root`], on a thread that cannot have an executor.
pub(crate) fn with_root_in_epoll(shard: &Arc<Shard>, root: &mut dyn Root) {
    let mut driver = Driver::new(shard, Place::Bare);
    while driver.work(root) == Pause::ForRings {}
}

/// Starts a thread of `pool` that drives `shard` while its home blocks in place. It does so inside
/// of `context`.
pub(crate) fn start_stand_in(
    pool: &BlockingPool,
    shard: Arc<Shard>,
    context: impl FnOnce(&dyn Fn()) + Send + 'static,
) {
    // Not on whatever thread calls the pool if the system refuses one: its own shard would stand
    // still.
    drop(pool.spawn_on_thread(move || {
        let _aborts = AbortOnPanic::new(shard.id());
        context(&|| stand_in(&shard));
    }));
}

/// Runs a shard on this thread while its home blocks in place, until the home takes it back.
fn stand_in(shard: &Arc<Shard>) {
    if !shard.seat().try_stand_in() {
        // The home has already returned.
        return;
    }
    let _present = Present::for_a_while(shard);
    let mut driver = Driver::new(shard, Place::Bare);
    while driver.work(&mut StandIn(shard)) == Pause::ForRings {}
}

impl Driver {
    fn new(shard: &Arc<Shard>, place: Place) -> Self {
        Self {
            shard: Arc::clone(shard),
            place,
            scratch: Scratch::new(shard.pace.max_events, shard.pace.max_events_when_busy),
            shift: Shift::default(),
            alarm: None,
            busy: false,
            lull: None,
            clock: shard.clock().map(clock::Clock::drive),
        }
    }

    /// Lets the rings run.
    async fn wait_in(&mut self, rings: &Rings) {
        let parked = now();
        rings.wait().await;
        self.busy = now().saturating_duration_since(parked) < self.shard.pace.slice;
    }

    /// Runs `root`, tasks, timers and socket events until there are none, or for a slice. After
    /// either, the caller can wait for the epoll.
    fn work(&mut self, root: &mut dyn Root) -> Pause {
        let shard = Arc::clone(&self.shard);
        self.take_seat_back();
        shard.set_asleep(false);
        self.shift.work(&shard.metrics, &shard.hooks);
        let slice_end = saturating_add(now(), shard.pace.slice);
        let mut has_looked = false;
        loop {
            if root.is_due() && root.poll() {
                return Pause::Finished;
            }
            shard.run_tasks();
            if !self.keep_seat() {
                return Pause::SeatLost;
            }
            if shard.progress_to_end() && !root.outlives_shard() {
                return Pause::Finished;
            }
            let is_over = self.fire_timers() >= slice_end;
            let waits_here = self.may_wait_in_epoll(is_over);
            let alarm_for_rings =
                (waits_here && self.place == Place::Executor).then_some(slice_end);
            let is_dry = !shard.has_work() && !root.is_due();
            let sleeps = is_dry && self.fall_asleep(root, alarm_for_rings);
            if sleeps && (has_looked || !self.must_look_first()) {
                self.shift.park(&shard.metrics, &shard.hooks);
                if !waits_here {
                    return Pause::ForRings;
                }
            }
            has_looked = true;
            self.collect(sleeps && waits_here);
            self.advance_clock(root);
            if is_over && self.place != Place::Bare {
                shard.epoll().ring_doorbell();
                return Pause::ForRings;
            }
        }
    }

    /// Takes the seat back if a stand-in had it, which may have changed the alarm.
    fn take_seat_back(&mut self) {
        if self.place != Place::Bare && self.shard.take_seat_back() {
            self.alarm = None;
        }
    }

    /// Called after tasks, one of which may have given the seat away. Returns whether this thread
    /// has it.
    fn keep_seat(&mut self) -> bool {
        if !shard::has_seat() {
            self.take_seat_back();
        }
        shard::has_seat()
    }

    /// Fires the timers that are due. Returns the current time.
    fn fire_timers(&mut self) -> Instant {
        let now = now();
        match self.shard.clock() {
            None => self.shard.timers().fire(now, &mut self.scratch.wakers),
            Some(clock) => clock.fire(),
        }
        self.scratch.wake_all();
        now
    }

    fn may_wait_in_epoll(&self, slice_is_over: bool) -> bool {
        match self.place {
            Place::Bare => true,
            Place::Guest => false,
            // File operations make progress only while Glommio's rings run.
            Place::Executor => self.busy && !slice_is_over && !self.shard.operations().any(),
        }
    }

    /// Returns `true` if the epoll must be emptied before the shard waits in the rings, which would
    /// otherwise wake it at once.
    fn must_look_first(&self) -> bool {
        match self.place {
            Place::Bare => false,
            Place::Guest => true,
            Place::Executor => self.busy && self.shard.operations().any(),
        }
    }

    /// Marks the shard as asleep and sets the alarm for the first timer or for `latest`. Returns
    /// `false` if there is something to do.
    fn fall_asleep(&mut self, root: &dyn Root, latest: Option<Instant>) -> bool {
        self.shard.set_asleep(true);
        let mut stays = self.shard.has_mail() || root.is_due();
        if let Some(driver) = &self.clock {
            driver.rest();
        }
        let first = match self.shard.clock() {
            None => self.shard.timers().earliest(),
            Some(clock) => match clock.wait() {
                Wait::Until(at) => Some(at),
                Wait::Forever => None,
                Wait::Advance(lull) => {
                    self.lull = Some(lull);
                    stays = true;
                    None
                }
            },
        };
        let wanted = [first, latest].into_iter().flatten().min();
        // An early alarm costs one iteration; resetting it for every deadline would cost a system
        // call each.
        if let Some(at) = wanted.filter(|at| self.alarm.is_none_or(|set| *at < set)) {
            let delay = at.saturating_duration_since(now());
            if !delay.is_zero() && self.shard.epoll().set_alarm(delay).is_ok() {
                self.alarm = Some(at);
            } else {
                stays = true;
            }
        }
        if stays {
            self.shard.set_asleep(false);
        }
        !stays
    }

    /// Takes the events of the epoll, or waits for the first one, and wakes the tasks.
    fn collect(&mut self, waits: bool) {
        let shard = Arc::clone(&self.shard);
        if shard.epoll().collect(&mut self.scratch, waits) {
            self.alarm = None;
        }
        shard.set_asleep(false);
        self.shift.work(&shard.metrics, &shard.hooks);
        self.scratch.wake_all();
    }

    /// Advances a paused clock if nothing else is left to do after a check of the sockets.
    fn advance_clock(&mut self, root: &dyn Root) {
        if let Some(lull) = self.lull.take()
            && let Some(clock) = self.shard.clock()
        {
            clock.try_advance(lull, || {
                !self.shard.has_work() && !self.shard.has_mail() && !root.is_due()
            });
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shift.end(&self.shard.metrics);
    }
}
