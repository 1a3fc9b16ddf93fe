//! One shard: a thread, a Glommio executor, and the driver that runs our tasks on it.
//!
//! The driver is the only task that Glommio knows. Ours are in the shard's own queue, so Glommio's task system (which
//! polls inside spawn, dies of a panic and whose wakers must not leave their thread) is never used for them.
//!
//! # How a shard sleeps and wakes
//! Sockets, the alarm of the timers and the doorbell come together in one epoll (see [`crate::reactor`]). When the
//! queue is dry the driver awaits the ring's poll of the epoll, so the shard waits in io_uring, for whatever Glommio
//! itself has under way as well. A round through Glommio's three rings costs more than the system calls of a small
//! request, so a shard whose last wait was shorter than a slice (1 ms) waits in the epoll itself for the next slice,
//! and goes through the rings once per slice. While operations on files are under way it waits in the rings only.
//! Nothing else ever wakes the driver:
//!
//! - A wake-up from another thread pushes into the inbox and, if the shard sleeps, rings the doorbell: one system
//!   call, and no Glommio waker is touched off its thread. The shard says "asleep" first and looks into the inbox
//!   afterwards; the other pushes first and looks at "asleep" afterwards; a fence stands between on both sides, so
//!   one of them sees the other. Who rings takes "asleep" away, so many wake-ups ring once.
//! - A wake-up at home, while Glommio runs something else, does the same with the local queue.
//! - To give Glommio's rings their turn while there is work, the driver rings its own doorbell and awaits it.
//!
//! # Why it cannot park with work
//! Glommio's `run` parks with a runnable task if its latency ring holds a completion that wakes nobody at the moment
//! between "poll the rings" and "run the tasks"; that is its preempt timer when the thread was held up that long,
//! which is why a short one hangs it (`examples/soak.rs` stands still within a second with 100 µs and within a minute
//! with 1 ms). Here that timer is a year away, the driver arms nothing on the latency ring, and the poll of the epoll
//! completes on the main ring, where consuming it counts as progress: Glommio then does not park before it has run
//! the driver.
//!
//! What a task does with Glommio itself may put completions on the latency ring: its sockets do, and its blocking
//! calls through a notification. Timers that expire and plain opens, reads, writes, syncs and closes of files (see
//! [`crate::fs`]) wake somebody. Who builds on
//! more of Glommio must look at this again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use anyrt_core::JoinHandle as _;
use anyrt_core::runtime::{Config, ThreadHooks, WorkerStats};
use anyrt_core::time::saturating_add;
use anyrt_kit::executor::{Runnable, Shift, TaskHandle, Tasks, WorkerMetrics};
use anyrt_kit::time::clock::{Clock, Lull, Wait};
use anyrt_kit::time::timers::Timers;
use concurrent_queue::ConcurrentQueue;
use glommio::LocalExecutor;
use glommio::io::PollableFd;

use crate::fs::Operations;
use crate::reactor::{Reactor, Scratch};
use crate::time;

/// Tasks that run in a row before sockets and timers have their turn.
const TURN: usize = 64;

/// The half of a shard that every thread may touch.
pub(crate) struct Shard {
    id: u64,
    tasks: Arc<Tasks>,
    /// Those that work on files. They end after the others, when no operation is left.
    services: Arc<Tasks>,
    operations: Operations,
    inbox: ConcurrentQueue<Runnable>,
    asleep: AtomicBool,
    reactor: Reactor,
    timers: Arc<Timers>,
    /// What the timers follow, on a runtime where it can be paused.
    clock: Option<Arc<Clock>>,
    /// How long the driver may go on before Glommio's rings have their turn.
    slice: Duration,
    /// See [`TURN`].
    turn: usize,
    max_events: Option<NonZeroUsize>,
    /// The same while there are tasks to run.
    max_events_when_busy: Option<NonZeroUsize>,
    hooks: ThreadHooks,
    metrics: WorkerMetrics,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            id: Cell::new(0),
            shard: RefCell::new(None),
            queue: RefCell::new(VecDeque::new()),
        }
    };
}

/// The half of a shard that only its thread touches.
struct Local {
    /// Zero on a thread that is no shard.
    id: Cell<u64>,
    shard: RefCell<Option<Arc<Shard>>>,
    queue: RefCell<VecDeque<Runnable>>,
}

/// The id of the shard that is this thread, or zero.
#[inline]
pub(crate) fn current_id() -> u64 {
    LOCAL.try_with(|local| local.id.get()).unwrap_or(0)
}

/// The shard that is this thread.
#[inline]
pub(crate) fn with_current<T>(f: impl FnOnce(&Arc<Shard>) -> T) -> Option<T> {
    LOCAL
        .try_with(|local| local.shard.borrow().as_ref().map(f))
        .ok()
        .flatten()
}

impl Local {
    fn has_work(&self) -> bool {
        !self.queue.borrow().is_empty()
    }
}

impl Shard {
    /// `count` ids in a row, never zero, never given anew.
    pub(crate) fn next_ids(count: usize) -> std::ops::Range<u64> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let first = NEXT.fetch_add(count as u64, Ordering::Relaxed);
        first..first + count as u64
    }

    pub(crate) fn new(
        id: u64,
        slice: Duration,
        clock: Option<Arc<Clock>>,
        config: &Config,
    ) -> io::Result<Arc<Self>> {
        // What other threads have queued is looked at once per turn.
        let intervals = [config.event_interval, config.global_queue_interval];
        let turn = intervals.into_iter().flatten().min();
        Ok(Arc::new(Self {
            id,
            tasks: Tasks::new(),
            services: Tasks::new(),
            operations: Operations::default(),
            inbox: ConcurrentQueue::unbounded(),
            asleep: AtomicBool::new(false),
            reactor: Reactor::new()?,
            timers: clock
                .as_ref()
                .map_or_else(Arc::default, |clock| Arc::clone(clock.timers())),
            clock,
            slice,
            turn: turn.map_or(TURN, |turn| turn.get() as usize),
            max_events: config.max_io_events_per_tick,
            max_events_when_busy: config.max_io_events_per_busy_tick,
            hooks: config.hooks.clone(),
            metrics: WorkerMetrics::default(),
        }))
    }

    /// See [`next_ids`](Self::next_ids).
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// The clock, on a runtime where it can be paused.
    pub(crate) fn clock(&self) -> Option<&Arc<Clock>> {
        self.clock.as_ref()
    }

    /// The operations on files that the shard has promised to carry out.
    pub(crate) fn operations(&self) -> &Operations {
        &self.operations
    }

    /// What its thread has done so far.
    pub(crate) fn stats(&self) -> WorkerStats {
        self.metrics.stats()
    }

    /// The number of runnable tasks that came from elsewhere and were not taken yet.
    pub(crate) fn inbox_depth(&self) -> usize {
        self.inbox.len()
    }

    /// The number of live tasks.
    pub(crate) fn load(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn spawn<F>(self: &Arc<Self>, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let shard = Arc::clone(self);
        let handle = self
            .tasks
            .spawn(future, move |runnable| shard.schedule(runnable));
        self.wake_if_closed();
        handle
    }

    /// Only on this shard's own thread.
    pub(crate) fn spawn_local<F>(self: &Arc<Self>, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let shard = Arc::clone(self);
        let handle = self
            .tasks
            .spawn_local(future, move |runnable| shard.schedule(runnable));
        self.wake_if_closed();
        handle
    }

    /// Runs a service, which may be made on any thread but lives on this shard's own. It counts as no task, and ends
    /// with the shard.
    pub(crate) fn serve<F>(self: &Arc<Self>, make: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let start = {
            let shard = Arc::clone(self);
            move || {
                let home = Arc::clone(&shard);
                let schedule = move |runnable| home.schedule(runnable);
                shard.services.spawn_local(make(), schedule).detach();
            }
        };
        if current_id() == self.id {
            start();
        } else {
            let home = Arc::clone(self);
            let schedule = move |runnable| home.schedule(runnable);
            self.services.spawn(async { start() }, schedule).detach();
        }
    }

    /// The shard waits for its last task to end; one that was spawned too late ended where it was spawned.
    pub(crate) fn wake_if_closed(&self) {
        if self.tasks.is_closed() {
            self.reactor.ring_doorbell();
        }
    }

    fn schedule(&self, runnable: Runnable) {
        // Taken out only if it is pushed: a dropped runnable would be an abort.
        let mut runnable = Some(runnable);
        let _ = LOCAL.try_with(|local| {
            if local.id.get() == self.id
                && let Some(runnable) = runnable.take()
            {
                local.queue.borrow_mut().push_back(runnable);
            }
        });
        if let Some(runnable) = runnable {
            // Closed when the shard has ended: the rejected runnable is dropped, which ends its task here.
            if self.inbox.push(runnable).is_err() {
                return;
            }
            fence(Ordering::SeqCst);
        }
        self.rouse();
    }

    /// Rings the doorbell if the shard sleeps.
    #[inline]
    pub(crate) fn rouse(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.reactor.ring_doorbell();
        }
    }

    /// Ends all tasks, then the thread.
    pub(crate) fn close(&self) {
        self.tasks.close();
        self.reactor.ring_doorbell();
    }

    /// Runs the shard on this thread until it is closed and its tasks have ended.
    pub(crate) fn run(self: &Arc<Self>, executor: &LocalExecutor) {
        let _leave = Leave::enter(self);
        executor.run(self.drive());
    }

    async fn drive(self: &Arc<Self>) {
        let Ok(epoll) = PollableFd::new(self.reactor.epoll()) else {
            unreachable!("the driver runs inside its executor")
        };
        let mut driver = Driver {
            scratch: Scratch::new(self.max_events, self.max_events_when_busy),
            shift: Shift::default(),
            alarm: None,
            busy: false,
            lull: None,
        };
        while self.work(&mut driver) {
            let parked = time::now();
            // An error means that the poll could not be queued; then the next turn looks by itself.
            let _ = epoll.readable().await;
            driver.busy = time::now().saturating_duration_since(parked) < self.slice;
        }
        self.end_services();
        // Files that were closed with them leave through the ring, which has its turn once more.
        self.reactor.ring_doorbell();
        let _ = epoll.readable().await;
    }

    /// Drops the services, inside the executor, which what they hold belongs to.
    fn end_services(&self) {
        self.services.close();
        LOCAL.with(|local| {
            while !self.services.is_empty() {
                if self.inbox.is_empty() && !local.has_work() {
                    // Woken by another thread, which is about to put it into the inbox.
                    thread::yield_now();
                }
                self.run_tasks(local);
            }
        });
    }

    /// Runs tasks, timers and socket events until there are none, or for a slice; either way the epoll is worth
    /// waiting for afterwards. `false` when the shard is to end.
    fn work(&self, driver: &mut Driver) -> bool {
        self.asleep.store(false, Ordering::SeqCst);
        driver.shift.work(&self.metrics, &self.hooks);
        let slice_end = saturating_add(time::now(), self.slice);
        let mut looked = false;
        LOCAL.with(|local| {
            loop {
                self.run_tasks(local);
                if self.tasks.is_closed()
                    && self.tasks.is_empty()
                    && self.operations.close_if_idle()
                {
                    return false;
                }
                let now = time::now();
                match &self.clock {
                    None => self.timers.fire(now, &mut driver.scratch.wakers),
                    Some(clock) => clock.fire(),
                }
                driver.scratch.wake_all();
                let over = now >= slice_end;
                // Operations on files get on only while Glommio's rings have their turn. But what woke the shard
                // must be taken out of the epoll, or it would wake it again at once.
                let rings_wanted = self.operations.any();
                let wait_here = driver.busy && !over && !rings_wanted;
                let look = driver.busy && rings_wanted && !looked;
                let dry = !local.has_work();
                let asleep = dry && self.fall_asleep(driver, wait_here.then_some(slice_end));
                if asleep && !look {
                    driver.shift.park(&self.metrics, &self.hooks);
                    if !wait_here {
                        return true;
                    }
                }
                looked = true;
                if self
                    .reactor
                    .collect(&mut driver.scratch, asleep && wait_here)
                {
                    driver.alarm = None;
                }
                self.asleep.store(false, Ordering::SeqCst);
                driver.shift.work(&self.metrics, &self.hooks);
                driver.scratch.wake_all();
                if let Some(lull) = driver.lull.take()
                    && let Some(clock) = &self.clock
                {
                    clock.try_advance(lull, || {
                        local.queue.borrow().is_empty() && self.inbox.is_empty()
                    });
                }
                if over {
                    self.reactor.ring_doorbell();
                    return true;
                }
            }
        })
    }

    fn run_tasks(&self, local: &Local) {
        for _ in 0..self.inbox.len().min(self.turn) {
            let Ok(runnable) = self.inbox.pop() else {
                break;
            };
            local.queue.borrow_mut().push_back(runnable);
        }
        for _ in 0..self.turn {
            let Some(runnable) = local.queue.borrow_mut().pop_front() else {
                break;
            };
            runnable.run();
        }
    }

    /// Says that the shard sleeps and sets the alarm, for the first timer or for `latest`. `false` if there is
    /// something to do after all.
    fn fall_asleep(&self, driver: &mut Driver, latest: Option<Instant>) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let mut stay = !self.inbox.is_empty();
        let first = match &self.clock {
            None => self.timers.earliest(),
            Some(clock) => match clock.wait() {
                Wait::Until(at) => Some(at),
                Wait::Forever => None,
                Wait::Advance(lull) => {
                    driver.lull = Some(lull);
                    stay = true;
                    None
                }
            },
        };
        let wanted = [first, latest].into_iter().flatten().min();
        // An alarm that goes off too early costs one turn; to set it anew for every deadline would cost a system
        // call each.
        if let Some(at) = wanted.filter(|at| driver.alarm.is_none_or(|set| *at < set)) {
            let delay = at.saturating_duration_since(time::now());
            if !delay.is_zero() && self.reactor.set_alarm(delay).is_ok() {
                driver.alarm = Some(at);
            } else {
                stay = true;
            }
        }
        if stay {
            self.asleep.store(false, Ordering::SeqCst);
        }
        !stay
    }
}

impl Wake for Shard {
    fn wake(self: Arc<Self>) {
        self.rouse();
    }
}

/// What the driver remembers from turn to turn.
struct Driver {
    scratch: Scratch,
    shift: Shift,
    /// When the alarm will go off.
    alarm: Option<Instant>,
    /// Whether the last wait was shorter than a slice.
    busy: bool,
    /// Since when there is nothing to do but to move the clock on.
    lull: Option<Lull>,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("id", &self.id)
            .field("tasks", &self.tasks)
            .field("reactor", &self.reactor)
            .field("timers", &self.timers)
            .finish_non_exhaustive()
    }
}

/// Makes the thread a shard. When it is dropped, whatever comes to the shard later is refused and nobody waits
/// for it in vain.
struct Leave<'a>(&'a Arc<Shard>);

impl<'a> Leave<'a> {
    fn enter(shard: &'a Arc<Shard>) -> Self {
        LOCAL.with(|local| {
            local.id.set(shard.id);
            local.shard.replace(Some(Arc::clone(shard)));
        });
        if let Some(clock) = &shard.clock {
            clock.watch(Some(Waker::from(Arc::clone(shard))));
        }
        Self(shard)
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let shard = self.0;
        shard.operations.close();
        shard.tasks.close();
        shard.services.close();
        LOCAL.with(|local| {
            loop {
                let runnable = local.queue.borrow_mut().pop_front();
                let Some(runnable) = runnable.or_else(|| shard.inbox.pop().ok()) else {
                    break;
                };
                runnable.run();
            }
            local.id.set(0);
            let current = local.shard.take();
            drop(current);
        });
        shard.inbox.close();
        while let Ok(runnable) = shard.inbox.pop() {
            runnable.run();
        }
        shard.reactor.close();
        shard.timers.close();
        if let Some(clock) = &shard.clock {
            clock.watch(None);
        }
    }
}
