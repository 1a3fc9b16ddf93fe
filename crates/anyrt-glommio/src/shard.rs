//! One shard: its tasks, its queue, and what every thread may do with them.
//!
//! How it is driven is in [`crate::drive`]; which thread does, in [`crate::seat`].
//!
//! # Three kinds of tasks
//! - Those of `spawn` run on whatever thread has the seat. That is the shard's own, but for the time in which a task blocks
//!   in place there.
//! - Those of `spawn_local`, and the services of files, run on the shard's own thread, the *home*. While that blocks in
//!   place they wait.
//!
//! A thread with the seat queues for itself without a lock. Everybody else pushes into an inbox and, if the shard sleeps,
//! rings the doorbell.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use anyrt_core::JoinHandle as _;
use anyrt_core::runtime::{Config, ThreadHooks, WorkerStats};
use anyrt_kit::Asleep;
use anyrt_kit::executor::{Runnable, TaskHandle, Tasks, WorkerMetrics};
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::timers::Timers;
use concurrent_queue::ConcurrentQueue;

use crate::ending::Ending;
use crate::epoll::Epoll;
use crate::operations::Operations;
use crate::seat::Seat;

/// Tasks that run in a row before sockets and timers have their turn.
const IN_A_ROW: usize = 64;

/// The half of a shard that every thread may touch.
pub(crate) struct Shard {
    id: u64,
    tasks: Arc<Tasks>,
    /// The tasks that belong to the home.
    locals: Arc<Tasks>,
    /// Those that work on files, at home. They end after the others, when no operation is left.
    services: Arc<Tasks>,
    operations: Arc<Operations>,
    inbox: ConcurrentQueue<Runnable>,
    /// What only the home may run.
    home_inbox: ConcurrentQueue<Runnable>,
    asleep: Asleep,
    seat: Seat,
    /// Starts a thread that takes the seat.
    stand_in: OnceLock<StandIn>,
    /// The tasks of `spawn` that block in place. They cannot end before they have stopped waiting.
    blocked: AtomicUsize,
    epoll: Arc<Epoll>,
    timers: Arc<Timers>,
    /// What the timers follow, on a runtime where it can be paused.
    clock: Option<Arc<Clock>>,
    ending: Arc<Ending>,
    tasks_have_ended: AtomicBool,
    has_ended: AtomicBool,
    pub(crate) pace: Pace,
    pub(crate) hooks: ThreadHooks,
    pub(crate) metrics: WorkerMetrics,
}

type StandIn = Box<dyn Fn(Arc<Shard>) + Send + Sync>;

/// How much is done at once.
pub(crate) struct Pace {
    /// How long a driver may go on before Glommio's rings have their turn.
    pub(crate) slice: Duration,
    /// Tasks in a row before sockets and timers have their turn.
    in_a_row: usize,
    pub(crate) max_events: Option<NonZeroUsize>,
    /// The same while there are tasks to run.
    pub(crate) max_events_when_busy: Option<NonZeroUsize>,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            id: Cell::new(0),
            shard: RefCell::new(None),
            is_home: Cell::new(false),
            has_seat: Cell::new(false),
            polling: Cell::new(Polling::Nothing),
            queue: RefCell::new(VecDeque::new()),
        }
    };
}

/// The half of a shard that only one thread touches.
struct Local {
    /// Zero on a thread that is no shard.
    id: Cell<u64>,
    shard: RefCell<Option<Arc<Shard>>>,
    is_home: Cell<bool>,
    has_seat: Cell<bool>,
    polling: Cell<Polling>,
    queue: RefCell<VecDeque<Ready>>,
}

/// A task that is ready to run.
enum Ready {
    Anywhere(Runnable),
    AtHome(Runnable),
}

/// What kind of task a thread is polling.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Polling {
    Nothing,
    Anywhere,
    AtHome,
}

/// The id of the shard that is this thread, or zero.
#[inline]
pub(crate) fn current_id() -> u64 {
    LOCAL.try_with(|local| local.id.get()).unwrap_or(0)
}

/// Calls `f` with the shard that is this thread.
#[inline]
pub(crate) fn with_current<T>(f: impl FnOnce(&Arc<Shard>) -> T) -> Option<T> {
    LOCAL
        .try_with(|local| local.shard.borrow().as_ref().map(f))
        .ok()
        .flatten()
}

/// Whether this thread has the seat of its shard.
pub(crate) fn has_seat() -> bool {
    LOCAL
        .try_with(|local| local.has_seat.get())
        .unwrap_or(false)
}

impl Shard {
    /// The shards of one runtime, with consecutive ids, which are never zero and never reused.
    pub(crate) fn all(
        config: &Config,
        slice: Duration,
        clock: Option<&Arc<Clock>>,
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
        clock: Option<&Arc<Clock>>,
        ending: &Arc<Ending>,
        config: &Config,
    ) -> Arc<Self> {
        // What other threads have queued is looked at once per row.
        let intervals = [config.event_interval, config.global_queue_interval];
        let in_a_row = intervals.into_iter().flatten().min();
        Arc::new(Self {
            id: epoll.id(),
            tasks: Tasks::new(),
            locals: Tasks::new(),
            services: Tasks::new(),
            operations: Operations::new(Arc::clone(epoll), clock.cloned()),
            inbox: ConcurrentQueue::unbounded(),
            home_inbox: ConcurrentQueue::unbounded(),
            asleep: Asleep::new(),
            seat: Seat::default(),
            stand_in: OnceLock::new(),
            blocked: AtomicUsize::new(0),
            epoll: Arc::clone(epoll),
            timers: clock.map_or_else(Arc::default, |clock| Arc::clone(clock.timers())),
            clock: clock.cloned(),
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

    /// Sets how a thread is started that calls [`stand_in`](crate::drive::stand_in).
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

    /// The clock, on a runtime where it can be paused.
    pub(crate) fn clock(&self) -> Option<&Arc<Clock>> {
        self.clock.as_ref()
    }

    /// The operations on files that the shard has promised to carry out.
    pub(crate) fn operations(&self) -> &Arc<Operations> {
        &self.operations
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.seat
    }

    pub(crate) fn ending(&self) -> &Arc<Ending> {
        &self.ending
    }

    /// What its threads have done so far.
    pub(crate) fn stats(&self) -> WorkerStats {
        self.metrics.stats()
    }

    /// The number of runnable tasks that came from elsewhere and were not taken yet.
    pub(crate) fn inbox_depth(&self) -> usize {
        self.inbox.len() + self.home_inbox.len()
    }

    /// The number of live tasks.
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

    /// Only on this shard's home.
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

    /// Runs a service, which may be made on any thread but lives at home. It counts as no task, and ends with the shard.
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

    fn is_home(&self) -> bool {
        LOCAL
            .try_with(|local| local.id.get() == self.id && local.is_home.get())
            .unwrap_or(false)
    }

    /// The shard waits for its last task to end; one that was spawned too late ended where it was spawned.
    fn ring_if_closed(&self) {
        if self.tasks.is_closed() {
            self.epoll.ring_doorbell();
        }
    }

    fn schedule(&self, runnable: Runnable) {
        // Taken out only if it is pushed: a dropped runnable would be an abort.
        let mut runnable = Some(runnable);
        let _ = LOCAL.try_with(|local| {
            if local.id.get() == self.id
                && local.has_seat.get()
                && let Some(runnable) = runnable.take()
            {
                local
                    .queue
                    .borrow_mut()
                    .push_back(Ready::Anywhere(runnable));
            }
        });
        self.post(runnable, &self.inbox);
    }

    fn schedule_at_home(&self, runnable: Runnable) {
        let mut runnable = Some(runnable);
        let _ = LOCAL.try_with(|local| {
            if local.id.get() == self.id
                && local.is_home.get()
                && let Some(runnable) = runnable.take()
            {
                local.queue.borrow_mut().push_back(Ready::AtHome(runnable));
            }
        });
        self.post(runnable, &self.home_inbox);
    }

    fn post(&self, runnable: Option<Runnable>, inbox: &ConcurrentQueue<Runnable>) {
        if let Some(runnable) = runnable {
            // Closed when the shard has ended: the rejected runnable is dropped, which ends its task here.
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

    /// Says that the shard sleeps, or that it does not. Who says so must look afterwards whether
    /// [there is something to do](Self::has_mail).
    pub(crate) fn set_asleep(&self, asleep: bool) {
        match asleep {
            true => self.asleep.fall_asleep(),
            false => self.asleep.wake_up(),
        }
    }

    /// Whether other threads have queued something that this one may run.
    pub(crate) fn has_mail(&self) -> bool {
        !self.inbox.is_empty() || (!self.home_inbox.is_empty() && self.is_home())
    }

    /// Whether this thread has something to run.
    pub(crate) fn has_work(&self) -> bool {
        LOCAL
            .try_with(|local| !local.queue.borrow().is_empty())
            .unwrap_or(false)
    }

    /// Runs tasks, up to a row of them, until there are none or the seat is lost.
    pub(crate) fn run_tasks(&self) {
        let ran = LOCAL.try_with(|local| {
            for _ in 0..self.pace.in_a_row {
                let Some(ready) = self.take_mail(local) else {
                    break;
                };
                local.queue.borrow_mut().push_back(ready);
            }
            for _ in 0..self.pace.in_a_row {
                let Some(ready) = local.queue.borrow_mut().pop_front() else {
                    break;
                };
                local.run(ready);
                if !local.has_seat.get() {
                    break;
                }
            }
        });
        // At the end of a thread, where a runtime may be dropped with another thread-local.
        if ran.is_err()
            && let Ok(runnable) = self.inbox.pop()
        {
            runnable.run();
        }
    }

    fn take_mail(&self, local: &Local) -> Option<Ready> {
        if let Ok(runnable) = self.inbox.pop() {
            return Some(Ready::Anywhere(runnable));
        }
        if local.is_home.get() {
            return self.home_inbox.pop().ok().map(Ready::AtHome);
        }
        None
    }

    /// Ends all tasks, then the shard.
    pub(crate) fn close(&self) {
        self.operations.await_last();
        self.tasks.close();
        self.locals.close();
        self.epoll.ring_doorbell();
    }

    /// Whether its tasks are to end.
    pub(crate) fn is_closed(&self) -> bool {
        self.tasks.is_closed()
    }

    /// How far the end has come, if it has begun: for the thread with the seat, between two tasks. Returns whether this
    /// thread has nothing left to do.
    pub(crate) fn progress_to_end(&self) -> bool {
        if !self.tasks.is_closed() {
            return false;
        }
        // A task that blocks in place waits for something that only comes when the runtime has ended.
        let blocked = self.blocked.load(Ordering::SeqCst);
        let has_home = self.is_home();
        let tasks_have_ended = self.tasks.len() <= blocked && (self.locals.is_empty() || !has_home);
        if tasks_have_ended && !self.tasks_have_ended.swap(true, Ordering::SeqCst) {
            self.ending.tasks_have_ended();
        }
        if !self.ending.is_over() {
            return false;
        }
        if !self.has_ended.swap(true, Ordering::SeqCst) {
            self.epoll.close();
            self.timers.close();
        }
        self.tasks.is_empty() && self.locals.is_empty() && self.operations.close_if_idle()
    }

    /// Drops all tasks on this thread, which has the seat, and refuses what comes later; but for those tasks that are in
    /// the hands of other threads when `is_late` says so.
    pub(crate) fn end_here(&self, is_late: impl Fn() -> bool) {
        self.close();
        self.services.close();
        while self.load() > 0 && !is_late() {
            if !self.has_work() && !self.has_mail() {
                // Another thread is about to put it into the inbox, or blocks in place.
                self.progress_to_end();
                thread::yield_now();
            }
            self.run_tasks();
        }
        while self.has_work() || self.has_mail() {
            self.run_tasks();
        }
        self.operations.close();
        self.inbox.close();
        self.home_inbox.close();
        while self.has_mail() {
            self.run_tasks();
        }
        self.progress_to_end();
    }

    /// Drops the services, at home and inside the executor, which what they hold belongs to.
    pub(crate) fn end_services(&self) {
        self.services.close();
        while !self.services.is_empty() {
            if !self.has_work() && !self.has_mail() {
                // Woken by another thread, which is about to put it into the inbox.
                thread::yield_now();
            }
            self.run_tasks();
        }
    }

    /// Gives the seat of this thread up while its task blocks in place. `None` on a thread without one.
    pub(crate) fn block_in_place() -> Option<Blocked> {
        let shard = with_current(Arc::clone).filter(|_| has_seat())?;
        let counted = LOCAL.with(|local| local.polling.get()) == Polling::Anywhere;
        if counted {
            shard.blocked.fetch_add(1, Ordering::SeqCst);
        }
        let is_home = shard.is_home();
        if is_home {
            shard.operations.set_ring_stands(true);
            shard.seat.home_leaves();
        }
        shard.leave_seat();
        if is_home {
            shard.operations.leave_ring();
        }
        if let Some(start) = shard.stand_in.get() {
            start(Arc::clone(&shard));
        }
        Some(Blocked { shard, counted })
    }

    /// Leaves what is queued here to the next one with the seat.
    fn leave_seat(&self) {
        let _ = LOCAL.try_with(|local| {
            let queue = local.queue.take();
            for ready in queue {
                match ready {
                    Ready::Anywhere(runnable) => drop(self.inbox.push(runnable)),
                    ready @ Ready::AtHome(_) => local.queue.borrow_mut().push_back(ready),
                }
            }
            local.has_seat.set(false);
        });
        self.asleep.wake_up();
        self.seat.release();
    }

    /// Sees to it that the home has the seat. Returns whether another thread had it meanwhile.
    pub(crate) fn take_seat_back(&self) -> bool {
        if has_seat() {
            return false;
        }
        self.seat.take_back(|| self.epoll.ring_doorbell());
        LOCAL.with(|local| local.has_seat.set(true));
        self.operations.set_ring_stands(false);
        true
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

impl Local {
    fn run(&self, ready: Ready) {
        let (polling, runnable) = match ready {
            Ready::Anywhere(runnable) => (Polling::Anywhere, runnable),
            Ready::AtHome(runnable) => (Polling::AtHome, runnable),
        };
        let outer = self.polling.replace(polling);
        runnable.run();
        self.polling.set(outer);
    }
}

/// A task blocks in place. Dropping it says that the task goes on; the seat is taken back when its poll is over.
pub(crate) struct Blocked {
    shard: Arc<Shard>,
    counted: bool,
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if self.counted {
            self.shard.blocked.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// This thread is the shard, and has its seat, until it is dropped. Then the seat is free, and the thread is again what it
/// was before.
pub(crate) struct Present {
    shard: Arc<Shard>,
    /// `None` on a thread that is ending.
    former: Option<Former>,
}

struct Former {
    id: u64,
    shard: Option<Arc<Shard>>,
    is_home: bool,
    has_seat: bool,
    polling: Polling,
    queue: VecDeque<Ready>,
}

impl Present {
    /// For a thread that drives the shard for a while and has taken the seat.
    pub(crate) fn for_a_while(shard: &Arc<Shard>) -> Self {
        Self::enter(shard, false)
    }

    fn enter(shard: &Arc<Shard>, is_home: bool) -> Self {
        let former = LOCAL.try_with(|local| Former {
            id: local.id.replace(shard.id),
            shard: local.shard.replace(Some(Arc::clone(shard))),
            is_home: local.is_home.replace(is_home),
            has_seat: local.has_seat.replace(true),
            polling: local.polling.replace(Polling::Nothing),
            queue: local.queue.take(),
        });
        if let Some(clock) = &shard.clock {
            clock.watch(Some(Waker::from(Arc::clone(shard))));
        }
        Self {
            shard: Arc::clone(shard),
            former: former.ok(),
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let former = self.former.take();
        if has_seat() || former.is_none() {
            if let Some(clock) = &self.shard.clock {
                clock.watch(None);
            }
            self.shard.leave_seat();
        }
        let Some(mut former) = former else {
            return;
        };
        let _ = LOCAL.try_with(|local| {
            local.id.set(former.id);
            local.is_home.set(former.is_home);
            local.has_seat.set(former.has_seat);
            local.polling.set(former.polling);
            local.queue.replace(std::mem::take(&mut former.queue));
            let current = local.shard.replace(former.shard.take());
            drop(current);
        });
    }
}

/// This thread is the shard's home. When it is dropped, whatever comes to the shard later is refused, and nobody waits for
/// it in vain.
pub(crate) struct AtHome(Present);

impl AtHome {
    /// For a thread that has taken the seat.
    pub(crate) fn enter(shard: &Arc<Shard>) -> Self {
        Self(Present::enter(shard, true))
    }
}

impl Drop for AtHome {
    fn drop(&mut self) {
        let shard = &self.0.shard;
        shard.take_seat_back();
        shard.end_here(|| false);
    }
}

/// Ends the process if the thread that drives a shard unwinds: the tasks would never run again, and nobody would notice,
/// since placement goes on choosing the shard that has the fewest. Tokio's workers do so, too.
pub(crate) struct AbortOnPanic(u64);

impl AbortOnPanic {
    /// While the shard with this id is driven.
    pub(crate) fn new(shard: u64) -> Self {
        Self(shard)
    }
}

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "anyrt: shard {} of a Glommio runtime panicked outside of its tasks, which would never run again; aborting",
                self.0
            );
            std::process::abort();
        }
    }
}
