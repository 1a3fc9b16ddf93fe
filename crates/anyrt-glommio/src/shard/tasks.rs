//! The tasks of a shard, their queues, and how a thread runs them.

use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::task::Wake;
use std::time::Duration;

use anyrt_core::JoinHandle as _;
use anyrt_core::runtime::{Config, ThreadHooks, WorkerStats};
use anyrt_kit::Asleep;
use anyrt_kit::executor::{Runnable, TaskHandle, Tasks, WorkerMetrics};
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::pausable::Pausable;
use anyrt_kit::time::timers::Timers;

use crate::ending::Ending;
use crate::epoll::Epoll;
use crate::operations::Operations;
use crate::seat::Seat;
use crate::sync::{AtomicBool, AtomicUsize, ConcurrentQueue, Ordering};

use super::here::{self, Here, Ready};

/// The number of tasks that run in a row before the future of `block_on` is polled again and sockets
/// and timers are checked. Tokio's number: with less than half of the budget, that future can
/// consume what they send.
const IN_A_ROW: usize = 61;

/// The part of a shard that every thread may access.
pub(crate) struct Shard {
    pub(super) id: u64,
    pub(super) tasks: Arc<Tasks>,
    /// The tasks that are bound to the home.
    pub(super) locals: Arc<Tasks>,
    /// The services of files, at home. They end after the other tasks, when no operation is left.
    pub(super) services: Arc<Tasks>,
    pub(super) operations: Arc<Operations>,
    pub(super) inbox: ConcurrentQueue<Runnable>,
    /// The inbox of tasks that only the home may run.
    pub(super) home_inbox: ConcurrentQueue<Runnable>,
    pub(super) asleep: Asleep,
    pub(super) seat: Seat,
    /// Starts a thread that takes the seat.
    pub(super) stand_in: OnceLock<StandIn>,
    /// The number of tasks of `spawn` that block in place, which cannot end before they return.
    pub(super) blocked: AtomicUsize,
    pub(super) epoll: Arc<Epoll>,
    pub(super) timers: Arc<Timers>,
    pub(super) clock: Pausable,
    pub(super) ending: Arc<Ending>,
    pub(super) tasks_have_ended: AtomicBool,
    pub(super) has_ended: AtomicBool,
    pub(crate) pace: Pace,
    pub(crate) hooks: ThreadHooks,
    pub(crate) metrics: WorkerMetrics,
}

type StandIn = Box<dyn Fn(Arc<Shard>) + Send + Sync>;

/// The limits of work in a row.
pub(crate) struct Pace {
    /// The longest time that a driver runs before Glommio's rings do.
    pub(crate) slice: Duration,
    /// The number of tasks in a row before sockets and timers are checked.
    in_a_row: usize,
    pub(crate) max_events: Option<NonZeroUsize>,
    /// The same while there are tasks to run.
    pub(crate) max_events_when_busy: Option<NonZeroUsize>,
}

impl Shard {
    /// Creates the shards of one runtime, with consecutive ids, which are never zero and never
    /// reused.
    pub(crate) fn all(
        config: &Config,
        slice: Duration,
        clock: &Pausable,
    ) -> io::Result<Box<[Arc<Self>]>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let count = config.workers() as u64;
        let first = NEXT.fetch_add(count, Ordering::Relaxed);
        let epolls = (first..first + count)
            .map(|id| Epoll::new(id).map(Arc::new))
            .collect::<io::Result<Box<[_]>>>()?;
        let ending = Ending::new(epolls.clone());
        let shards = epolls
            .iter()
            .map(|epoll| Self::new(epoll, slice, clock, &ending, config));
        Ok(shards.collect())
    }

    fn new(
        epoll: &Arc<Epoll>,
        slice: Duration,
        clock: &Pausable,
        ending: &Arc<Ending>,
        config: &Config,
    ) -> Arc<Self> {
        // The inbox is checked once per row.
        let intervals = [config.event_interval, config.global_queue_interval];
        let in_a_row = intervals.into_iter().flatten().min();
        Arc::new(Self {
            id: epoll.id(),
            tasks: Tasks::new(),
            locals: Tasks::new(),
            services: Tasks::new(),
            operations: Operations::new(Arc::clone(epoll), clock.clone()),
            inbox: ConcurrentQueue::unbounded(),
            home_inbox: ConcurrentQueue::unbounded(),
            asleep: Asleep::new(),
            seat: Seat::default(),
            stand_in: OnceLock::new(),
            blocked: AtomicUsize::new(0),
            epoll: Arc::clone(epoll),
            timers: clock
                .get()
                .map_or_else(Arc::default, |clock| Arc::clone(clock.timers())),
            clock: clock.clone(),
            ending: Arc::clone(ending),
            tasks_have_ended: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            pace: Pace {
                slice,
                in_a_row: in_a_row.map_or(IN_A_ROW, |tasks| tasks.get() as usize),
                max_events: config.max_io_events_per_tick,
                max_events_when_busy: config.max_io_events_per_busy_tick,
            },
            hooks: config.hooks.clone(),
            metrics: WorkerMetrics::default(),
        })
    }

    /// Sets the function that starts a thread which calls [`stand_in`](crate::drive::stand_in).
    pub(crate) fn set_stand_in(&self, start: impl Fn(Arc<Self>) + Send + Sync + 'static) {
        let _ = self.stand_in.set(Box::new(start));
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn epoll(&self) -> &Arc<Epoll> {
        &self.epoll
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Returns the clock, on a runtime where it can be paused.
    pub(crate) fn clock(&self) -> Option<&Arc<Clock>> {
        self.clock.get()
    }

    /// Returns the accepted file operations of the shard.
    pub(crate) fn operations(&self) -> &Arc<Operations> {
        &self.operations
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    pub(crate) fn ending(&self) -> &Arc<Ending> {
        &self.ending
    }

    /// Returns the counters of its threads.
    pub(crate) fn stats(&self) -> WorkerStats {
        self.metrics.stats()
    }

    /// Returns the number of runnable tasks in the inbox.
    pub(crate) fn inbox_depth(&self) -> usize {
        self.inbox.len() + self.home_inbox.len()
    }

    /// Returns the number of live tasks.
    pub(crate) fn load(&self) -> usize {
        self.tasks.len() + self.locals.len()
    }

    pub(crate) fn spawn<F>(self: &Arc<Self>, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let shard = Arc::clone(self);
        let schedule = move |runnable| shard.schedule(runnable);
        let handle = self.tasks.spawn(future, schedule);
        self.ring_if_closed();
        handle
    }

    /// Call it only on this shard's home.
    pub(crate) fn spawn_local<F>(self: &Arc<Self>, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let shard = Arc::clone(self);
        let schedule = move |runnable| shard.schedule_at_home(runnable);
        let handle = self.locals.spawn_local(future, schedule);
        self.ring_if_closed();
        handle
    }

    /// Runs a service, which may be created on any thread and runs at home. It does not count as a
    /// task, and ends with the shard.
    pub(crate) fn serve<F>(self: &Arc<Self>, make: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let start = {
            let shard = Arc::clone(self);
            move || {
                let home = Arc::clone(&shard);
                let schedule = move |runnable| home.schedule_at_home(runnable);
                shard.services.spawn_local(make(), schedule).detach();
            }
        };
        if self.is_home() {
            start();
        } else {
            let home = Arc::clone(self);
            let schedule = move |runnable| home.schedule_at_home(runnable);
            self.services.spawn(async { start() }, schedule).detach();
        }
    }

    pub(super) fn is_home(&self) -> bool {
        here::is_home_of(self.id)
    }

    /// Wakes the shard if it waits for its last task, which may end on a thread without the seat: a
    /// task that was spawned too late, or one that blocked in place.
    fn ring_if_closed(&self) {
        if self.tasks.is_closed() {
            self.epoll.ring_doorbell();
        }
    }

    fn schedule(&self, runnable: Runnable) {
        // Taken only if it is pushed: dropping the runnable would be an abort.
        let mut runnable = Some(runnable);
        let _ = here::with(|here| {
            if here.has_seat_of(self.id)
                && let Some(runnable) = runnable.take()
            {
                here.push(Ready::Anywhere(runnable));
            }
        });
        self.post(runnable, &self.inbox);
    }

    fn schedule_at_home(&self, runnable: Runnable) {
        let mut runnable = Some(runnable);
        let _ = here::with(|here| {
            if here.is_home_of(self.id)
                && let Some(runnable) = runnable.take()
            {
                here.push(Ready::AtHome(runnable));
            }
        });
        self.post(runnable, &self.home_inbox);
    }

    fn post(&self, runnable: Option<Runnable>, inbox: &ConcurrentQueue<Runnable>) {
        if let Some(runnable) = runnable {
            // The inbox is closed after the end of the shard: the rejected runnable is dropped,
            // which ends its task here.
            if inbox.push(runnable).is_err() {
                return;
            }
            self.rouse();
        } else if self.asleep.rouse_here() {
            self.epoll.ring_doorbell();
        }
    }

    /// Rings the doorbell if the shard sleeps.
    #[inline]
    pub(crate) fn rouse(&self) {
        if self.asleep.rouse() {
            self.epoll.ring_doorbell();
        }
    }

    /// Marks the shard as asleep or awake. After marking it as asleep the caller must check whether
    /// [there is something to do](Self::has_mail).
    pub(crate) fn set_asleep(&self, asleep: bool) {
        match asleep {
            true => self.asleep.fall_asleep(),
            false => self.asleep.wake_up(),
        }
    }

    /// Returns `true` if other threads have queued something that this one may run.
    pub(crate) fn has_mail(&self) -> bool {
        !self.inbox.is_empty() || (!self.home_inbox.is_empty() && self.is_home())
    }

    /// Returns `true` if this thread has something to run.
    pub(crate) fn has_work(&self) -> bool {
        here::has_work()
    }

    /// Runs tasks until there are none, a row is complete, or the seat is lost.
    pub(crate) fn run_tasks(&self) {
        let ran = here::with(|here| {
            for _ in 0..self.pace.in_a_row {
                let Some(ready) = self.take_mail(here) else {
                    break;
                };
                here.push(ready);
            }
            for _ in 0..self.pace.in_a_row {
                let Some(ready) = here.pop() else {
                    break;
                };
                here.run(ready);
                if !here.has_seat() {
                    // The task blocked in place. If it has ended now, the thread with the seat has
                    // not seen that.
                    self.ring_if_closed();
                    break;
                }
            }
        });
        // At the end of a thread.
        if ran.is_err()
            && let Ok(runnable) = self.inbox.pop()
        {
            runnable.run();
        }
    }

    fn take_mail(&self, here: &Here) -> Option<Ready> {
        if let Ok(runnable) = self.inbox.pop() {
            return Some(Ready::Anywhere(runnable));
        }
        if here.is_home() {
            return self.home_inbox.pop().ok().map(Ready::AtHome);
        }
        None
    }
}

impl Wake for Shard {
    fn wake(self: Arc<Self>) {
        self.rouse();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rouse();
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("id", &self.id)
            .field("tasks", &self.tasks)
            .field("locals", &self.locals)
            .field("epoll", &self.epoll)
            .field("timers", &self.timers)
            .finish_non_exhaustive()
    }
}
