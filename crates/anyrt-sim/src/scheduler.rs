//! The scheduler: one thread runs at a time, and one task at a time, as the seed selects.
//!
//! ```text
//!   entity    can be selected: a task, the future of a block_on, a blocking job. It has a number,
//!             which is in `Ready` while the entity is ready
//!   seat      a thread that takes part: a driver (inside block_on) or a thread for blocking jobs
//!   turn      the seat that runs; all others wait at their bell
//! ```
//!
//! A driver that has the turn selects an entity. It runs a task directly. An entity that belongs to
//! another thread (its `block_on`, its local tasks, a job) is handed over together with the turn,
//! and the driver waits until the turn comes back. So there are many threads but one execution.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::panic::Location;
use std::sync::{Arc, Condvar};
use std::time::Duration;

use anyrt_core::task::Id;
use anyrt_kit::executor::Runnable;

use crate::failure::{Failure, FailureKind};
use crate::random::{Concern, Random};
use crate::ready::Ready;
use crate::runtime::SimRuntime;
use crate::trace::{self, Event, Trace};
use crate::wait::Wait;
use crate::world::Options;

mod entity;

use entity::Entity;
pub(crate) use entity::{Key, Kind, WaitingTask, Work};

/// A thread that takes part.
struct Seat {
    bell: Arc<Condvar>,
    work: Option<Work>,
    driver: bool,
}

pub(crate) struct Scheduler {
    entities: Vec<Option<Entity>>,
    free: BinaryHeap<Reverse<usize>>,
    ready: Ready,
    pub(crate) random: Random,
    trace: Trace,
    seats: Vec<Option<Seat>>,
    /// The seat whose turn it is.
    pub(crate) turn: Option<usize>,
    /// Something became ready or was planned since an idle driver looked last.
    pub(crate) rung: bool,
    /// The driver that waits because nothing is ready.
    pub(crate) idle: Option<usize>,
    failure: Option<Arc<Failure>>,
    next_task: u64,
    /// The number of consecutive polls without another event, and the number of such events.
    busy: u64,
    epoch: u64,
    foreign_wakes: u64,
    /// Paused nodes, and their ready tasks.
    paused: BTreeSet<usize>,
    parked: Vec<usize>,
    pub(crate) jobs: Jobs,
    /// Nothing is recorded: the execution has failed, and its tasks are being looked at.
    frozen: bool,
    wakes: u64,
}

/// The blocking jobs of a closed world.
#[derive(Default)]
pub(crate) struct Jobs {
    /// The seats of threads without a job.
    pub(crate) idle: Vec<usize>,
    /// Jobs that have begun.
    pub(crate) running: usize,
    pub(crate) most: usize,
    /// Jobs that wait for a thread.
    waiting: Vec<usize>,
    /// Set when the threads must end.
    pub(crate) closing: bool,
    pub(crate) threads: Vec<std::thread::JoinHandle<()>>,
}

impl Scheduler {
    pub(crate) fn new(options: &Options) -> Self {
        let mut random = Random::new(options.seed, Concern::Schedule);
        Self {
            entities: Vec::new(),
            free: BinaryHeap::new(),
            ready: Ready::new(options.schedule, &mut random),
            random,
            trace: Trace::new(options.seed, options.record),
            seats: Vec::new(),
            turn: None,
            rung: false,
            idle: None,
            failure: None,
            next_task: 0,
            busy: 0,
            epoch: 0,
            foreign_wakes: 0,
            paused: BTreeSet::new(),
            parked: Vec::new(),
            jobs: Jobs {
                most: options
                    .config
                    .max_blocking_threads
                    .map_or(anyrt_core::runtime::MAX_BLOCKING_THREADS, Into::into),
                ..Jobs::default()
            },
            frozen: false,
            wakes: 0,
        }
    }

    // ---- Entities ------------------------------------------------------------------------------

    pub(crate) fn add(
        &mut self,
        nanos: u64,
        rt: SimRuntime,
        kind: Kind,
        home: Option<usize>,
        spawned_at: &'static Location<'static>,
    ) -> Key {
        self.next_task += 1;
        let task = self.next_task;
        self.trace.born(trace::Task {
            number: task,
            node: rt.node_state().id(),
            what: kind.name(),
            spawned_at,
        });
        let entity = Entity {
            task,
            rt,
            kind,
            home,
            runnable: None,
            ready: false,
            spawned_at,
            waits: Vec::new(),
            id: None,
            busy: (0, 0),
        };
        // The lowest one, so that the order in which others were freed has no effect.
        let slot = match self.free.pop() {
            Some(Reverse(slot)) => {
                self.entities[slot] = Some(entity);
                slot
            }
            None => {
                self.entities.push(Some(entity));
                self.entities.len() - 1
            }
        };
        self.ready.born(slot, &mut self.random);
        self.note(nanos, Event::Spawn(task));
        Key { slot, task }
    }

    /// Stores the id of a task's join handle.
    pub(crate) fn identify(&mut self, key: Key, id: Id) {
        if let Some(entity) = self.get(key) {
            entity.id = Some(id);
        }
    }

    fn get(&mut self, key: Key) -> Option<&mut Entity> {
        let entity = self.entities.get_mut(key.slot)?.as_mut();
        entity.filter(|entity| entity.task == key.task)
    }

    /// Removes an entity that has ended. Returns it, to be dropped when no lock is held.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Entity> {
        self.get(key)?;
        let entity = self.entities[key.slot].take();
        if entity.as_ref().is_some_and(|entity| entity.ready) {
            self.ready.remove(key.slot);
            self.parked.retain(|&slot| slot != key.slot);
            self.jobs.waiting.retain(|&slot| slot != key.slot);
        }
        self.free.push(Reverse(key.slot));
        entity
    }

    /// Records that an entity was woken. Returns the runnable of an entity that is gone, to be
    /// dropped when no lock is held.
    pub(crate) fn wake(
        &mut self,
        key: Key,
        runnable: Option<Runnable>,
        foreign: bool,
    ) -> Option<Runnable> {
        // While no seat has the turn, the thread that prepares the simulation may wake.
        self.foreign_wakes += u64::from(foreign && self.turn.is_some());
        self.wakes += 1;
        let Some(entity) = self.get(key) else {
            return runnable;
        };
        if runnable.is_some() {
            entity.runnable = runnable;
        }
        if !entity.ready {
            entity.ready = true;
            self.ready.insert(key.slot);
        }
        self.ring();
        None
    }

    /// Makes an idle driver check again.
    pub(crate) fn ring(&mut self) {
        self.rung = true;
        if let Some(bell) = self.idle.and_then(|seat| self.bell(seat)) {
            bell.notify_all();
        }
    }

    /// Selects what runs next.
    pub(crate) fn pick(&mut self) -> Option<Work> {
        loop {
            let slot = self.ready.pick(&mut self.random)?;
            let Some(entity) = &mut self.entities[slot] else {
                continue;
            };
            if self.paused.contains(&entity.rt.node_state().id()) {
                self.parked.push(slot);
                continue;
            }
            if entity.kind == Kind::Job && self.jobs.running >= self.jobs.most {
                self.jobs.waiting.push(slot);
                continue;
            }
            return Some(Self::take(entity, slot));
        }
    }

    fn take(entity: &mut Entity, slot: usize) -> Work {
        entity.ready = false;
        Work {
            key: Key {
                slot,
                task: entity.task,
            },
            rt: entity.rt.clone(),
            kind: entity.kind,
            runnable: entity.runnable.take(),
            home: entity.home,
        }
    }

    /// Takes the ready entities of one life of a node that may run at this seat, regardless of the
    /// schedule.
    pub(crate) fn take_life(&mut self, rt: &SimRuntime, seat: Option<usize>) -> Vec<Work> {
        self.take_all(|entity| {
            let here = entity.home.is_none() || entity.home == seat;
            here && entity.kind != Kind::Job && entity.rt.is(rt)
        })
    }

    /// Takes the tasks of one life of a node that stay at this seat.
    pub(crate) fn take_local(&mut self, rt: &SimRuntime, seat: usize) -> Vec<Work> {
        self.take_all(|entity| entity.home == Some(seat) && entity.rt.is(rt))
    }

    /// Takes the tasks that this seat can poll and that were just woken to be watched, in the order
    /// in which they were spawned.
    pub(crate) fn take_watched(&mut self, seat: usize) -> Vec<Work> {
        let paused = self.paused.clone();
        let mut works = self.take_all(|entity| {
            let here = entity.home.is_none_or(|home| home == seat);
            here && entity.kind != Kind::Job && !paused.contains(&entity.rt.node_state().id())
        });
        works.sort_by_key(|work| work.key.task);
        works
    }

    /// Records nothing more, or records again.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    /// Counts spawned tasks and wake-ups.
    pub(crate) fn moves(&self) -> u64 {
        self.next_task + self.wakes
    }

    fn take_all(&mut self, which: impl Fn(&Entity) -> bool) -> Vec<Work> {
        let mut works = Vec::new();
        for slot in 0..self.entities.len() {
            let Some(entity) = &mut self.entities[slot] else {
                continue;
            };
            if entity.runnable.is_some() && which(entity) {
                let work = Self::take(entity, slot);
                self.ready.remove(slot);
                self.parked.retain(|&parked| parked != slot);
                works.push(work);
            }
        }
        works
    }

    /// Called at the end of a poll: advances the time and stores what the task waits for.
    pub(crate) fn polled(&mut self, nanos: u64, key: Key, yielded: bool, waits: Vec<Wait>) {
        self.note(nanos, Event::Poll(key.task));
        self.busy += 1;
        let epoch = self.epoch;
        if let Some(entity) = self.get(key) {
            entity.waits = waits;
            if entity.busy.1 != epoch {
                entity.busy = (0, epoch);
            }
            entity.busy.0 += 1;
            // For the future of a `block_on`, no executor reports it.
            if yielded || entity.kind == Kind::Root && entity.ready {
                self.ready.yielded(key.slot);
            }
        }
    }

    /// Returns the cost of a poll in nanoseconds.
    pub(crate) fn poll_cost(&mut self) -> u64 {
        self.random.within(50..=100)
    }

    /// Called when a job has ended, so that another may begin.
    pub(crate) fn job_ended(&mut self) {
        self.jobs.running -= 1;
        for slot in std::mem::take(&mut self.jobs.waiting) {
            self.ready.insert(slot);
        }
    }

    /// Makes the threads for jobs end when they have none.
    pub(crate) fn close_jobs(&mut self) {
        self.jobs.closing = true;
        self.jobs.idle.clear();
        self.notify_all();
    }

    pub(crate) fn note(&mut self, nanos: u64, event: Event) {
        if self.frozen {
            return;
        }
        if matches!(event, Event::Timers(_) | Event::Packet(_) | Event::Job(_)) {
            self.busy = 0;
            self.epoch += 1;
        }
        self.trace.note(nanos, event);
    }

    pub(crate) fn busy(&self) -> u64 {
        self.busy
    }

    /// Returns how many tasks of one life of a node are ready.
    pub(crate) fn ready_of(&self, rt: &SimRuntime) -> usize {
        let entities = self.entities.iter().flatten();
        entities.filter(|e| e.ready && e.rt.is(rt)).count()
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    pub(crate) fn foreign_wakes(&self) -> u64 {
        self.foreign_wakes
    }

    pub(crate) fn pause(&mut self, node: usize, paused: bool) {
        if paused {
            self.paused.insert(node);
            return;
        }
        self.paused.remove(&node);
        for slot in std::mem::take(&mut self.parked) {
            self.ready.insert(slot);
        }
        self.ring();
    }

    // ---- Seats ---------------------------------------------------------------------------------

    pub(crate) fn sit(&mut self, driver: bool) -> usize {
        let seat = Seat {
            bell: Arc::new(Condvar::new()),
            work: None,
            driver,
        };
        match self.seats.iter().position(Option::is_none) {
            Some(free) => {
                self.seats[free] = Some(seat);
                free
            }
            None => {
                self.seats.push(Some(seat));
                self.seats.len() - 1
            }
        }
    }

    pub(crate) fn stand_up(&mut self, seat: usize) {
        self.seats[seat] = None;
        if self.idle == Some(seat) {
            self.idle = None;
        }
    }

    pub(crate) fn bell(&self, seat: usize) -> Option<Arc<Condvar>> {
        let seat = self.seats.get(seat)?.as_ref()?;
        Some(Arc::clone(&seat.bell))
    }

    /// Passes the turn to a seat, with an entity to run.
    pub(crate) fn hand(&mut self, seat: usize, work: Work) {
        self.turn = Some(seat);
        if let Some(seat) = &mut self.seats[seat] {
            seat.work = Some(work);
            seat.bell.notify_all();
        }
    }

    pub(crate) fn take_work(&mut self, seat: usize) -> Option<Work> {
        self.seats.get_mut(seat)?.as_mut()?.work.take()
    }

    /// Passes the turn to any driver.
    pub(crate) fn pass_on(&mut self) {
        let driver = |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| seat.driver);
        self.turn = self.seats.iter().position(driver);
        if let Some(bell) = self.turn.and_then(|seat| self.bell(seat)) {
            bell.notify_all();
        }
    }

    pub(crate) fn notify_all(&self) {
        for seat in self.seats.iter().flatten() {
            seat.bell.notify_all();
        }
    }

    // ---- Failures ------------------------------------------------------------------------------

    pub(crate) fn failure(&self) -> Option<Arc<Failure>> {
        self.failure.clone()
    }

    pub(crate) fn fail(
        &mut self,
        seed: u64,
        nanos: u64,
        kind: FailureKind,
        message: String,
    ) -> Arc<Failure> {
        self.fail_at(seed, nanos, kind, message, None)
    }

    /// The same, for a source location.
    pub(crate) fn fail_at(
        &mut self,
        seed: u64,
        nanos: u64,
        kind: FailureKind,
        message: String,
        place: Option<String>,
    ) -> Arc<Failure> {
        if let Some(first) = &self.failure {
            return Arc::clone(first);
        }
        let failure = Arc::new(Failure {
            kind,
            seed,
            time: Duration::from_nanos(nanos),
            step: self.trace.steps(),
            message,
            place,
            foreign_wakes: self.foreign_wakes,
        });
        if self.frozen {
            return failure;
        }
        self.failure = Some(Arc::clone(&failure));
        self.notify_all();
        failure
    }

    /// Returns all tasks, with what their last polls have noted, in the order of their numbers.
    pub(crate) fn waiting(&self) -> Vec<WaitingTask> {
        let mut waiting: Vec<_> = self
            .entities
            .iter()
            .flatten()
            .map(|entity| WaitingTask {
                task: entity.task,
                id: entity.id,
                kind: entity.kind,
                text: entity.to_string(),
                waits: entity.waits.clone(),
                paused: entity.ready && self.paused.contains(&entity.rt.node_state().id()),
            })
            .collect();
        waiting.sort_by_key(|waiting| waiting.task);
        waiting
    }

    /// Names the tasks that were polled most since something else happened.
    pub(crate) fn describe_busy(&self) -> String {
        let mut text = format!(
            "{} polls in a row without a timer, a message or a job between them",
            self.busy
        );
        let mut entities: Vec<_> = self.entities.iter().flatten().collect();
        entities.retain(|entity| entity.busy.1 == self.epoch && entity.busy.0 > 0);
        entities.sort_by_key(|entity| (Reverse(entity.busy.0), entity.task));
        for entity in entities.iter().take(8) {
            text += &format!("\n  {entity}, polled {} times", entity.busy.0);
        }
        text
    }

    /// Names the tasks that run on threads of their own: one of them has the turn and keeps it.
    pub(crate) fn describe_jobs(&self) -> String {
        let jobs = self.entities.iter().flatten();
        jobs.filter(|entity| entity.kind == Kind::Job && !entity.ready)
            .map(|entity| format!("\n  {entity}"))
            .collect()
    }
}
