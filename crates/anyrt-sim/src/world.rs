//! The shared state of one simulation: its clock, its scheduler, its network and its nodes.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use anyrt_core::runtime::{Config, Id};
use anyrt_core::time::next_millisecond;
use anyrt_kit::executor::BlockingPool;
use anyrt_kit::time::{clock, ticks_begin};

use crate::clock::{Agenda, Clock};
use crate::failure::{Failure, FailureKind};
use crate::fs::Disks;
use crate::injected::{FaultId, Injected};
use crate::net::Net;
use crate::node::{NodeState, Nodes};
use crate::places::Places;
use crate::random::{Concern, Random};
use crate::ready::Schedule;
use crate::rule::Rules;
use crate::scheduler::Scheduler;
use crate::system;
use crate::trace::Event;

/// The options of a simulation.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) schedule: Schedule,
    /// Whether threads from outside may take part; see [`Builder::open`](crate::Builder::open).
    pub(crate) open: bool,
    pub(crate) record: bool,
    /// Whether the report of tasks that wait for ever says where; see `explain`.
    pub(crate) explains: bool,
    /// The only faults that happen; all, if `None`.
    pub(crate) only_faults: Option<BTreeSet<FaultId>>,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) busy_limit: u64,
    pub(crate) patience: Duration,
    pub(crate) config: Config,
}

/// One simulation.
///
/// Locks are leaves: no waker is woken, and no future or runnable is dropped, while one is held.
pub(crate) struct World {
    pub(crate) id: Id,
    pub(crate) options: Options,
    /// The instant at which the virtual clock stood at zero.
    base: Instant,
    nanos: AtomicU64,
    agenda: Mutex<Agenda>,
    scheduler: Mutex<Scheduler>,
    net: Mutex<Net>,
    pub(crate) disks: Mutex<Disks>,
    /// When the next operation of a disk happens.
    pub(crate) disk_due: AtomicU64,
    nodes: Mutex<Nodes>,
    application: Mutex<Random>,
    branches: Mutex<Random>,
    places: Mutex<Places>,
    pub(crate) rules: Rules,
    /// The random stream that replaces the system's.
    system: Mutex<Random>,
    pub(crate) injected: Injected,
    /// Threads for blocking jobs in an open world.
    pub(crate) pool: OnceLock<BlockingPool>,
}

impl World {
    pub(crate) fn new(options: Options) -> Arc<Self> {
        // Code that reads the time must choose a clock.
        clock::note_paused();
        let seed = options.seed;
        let injected = Injected::new(seed, options.only_faults.clone());
        let mut net = Net::new(seed, injected.clone());
        if options.record {
            net.record();
        }
        Arc::new(Self {
            id: Id::next(),
            base: base(options.open),
            nanos: AtomicU64::new(0),
            agenda: Mutex::default(),
            scheduler: Mutex::new(Scheduler::new(&options)),
            net: Mutex::new(net),
            disks: Mutex::new(Disks::new(seed, injected.clone())),
            disk_due: AtomicU64::new(u64::MAX),
            nodes: Mutex::default(),
            application: Mutex::new(Random::new(seed, Concern::Application)),
            branches: Mutex::new(Random::new(seed, Concern::Branches)),
            rules: Rules::default(),
            places: Mutex::new(Places::new(seed)),
            system: Mutex::new(Random::new(seed, Concern::System)),
            injected,
            pool: OnceLock::new(),
            options,
        })
    }

    pub(crate) fn scheduler(&self) -> MutexGuard<'_, Scheduler> {
        lock(&self.scheduler)
    }

    pub(crate) fn net(&self) -> MutexGuard<'_, Net> {
        lock(&self.net)
    }

    pub(crate) fn nodes(&self) -> MutexGuard<'_, Nodes> {
        lock(&self.nodes)
    }

    pub(crate) fn places(&self) -> MutexGuard<'_, Places> {
        lock(&self.places)
    }

    pub(crate) fn agenda(&self) -> MutexGuard<'_, Agenda> {
        lock(&self.agenda)
    }

    /// Adds a node.
    ///
    /// # Panics
    /// Panics if a node of that name exists.
    pub(crate) fn add_node(&self, name: &str) -> Arc<NodeState> {
        let clock = Arc::new(Clock::new(self.base));
        let mut nodes = self.nodes();
        let node = nodes.add(name, Arc::clone(&clock));
        self.agenda().add(clock);
        node
    }

    // ---- The clock -----------------------------------------------------------------------------

    pub(crate) fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::SeqCst)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }

    /// Returns the instant at which the clock stood at zero.
    pub(crate) fn base(&self) -> Instant {
        self.base
    }

    /// Advances the time: only for the thread that has the turn.
    pub(crate) fn spend(&self, nanos: u64) {
        self.nanos.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Jumps to a later time.
    pub(crate) fn jump(&self, nanos: u64) {
        self.nanos.fetch_max(nanos, Ordering::SeqCst);
    }

    /// Returns the time at which the next timer fires, the next packet arrives or a disk executes
    /// the next operation.
    pub(crate) fn next_event(&self) -> Option<u64> {
        let timer = self.agenda().next();
        let packet = self.net().next_event();
        let disk = Some(self.disk_due.load(Ordering::SeqCst)).filter(|due| *due < u64::MAX);
        timer.into_iter().chain(packet).chain(disk).min()
    }

    /// Fires the timers, delivers the packets and executes the disk operations that are due.
    pub(crate) fn fire_due(&self) {
        let nanos = self.nanos();
        let mut woken = Vec::new();
        self.agenda().fire(nanos, &mut woken);
        if !woken.is_empty() {
            let mut scheduler = self.scheduler();
            scheduler.random.shuffle(&mut woken);
            scheduler.note(nanos, Event::Timers(woken.len() as u64));
        }
        let events = if self.rules.any() {
            self.deliver_by_rules(nanos, &mut woken)
        } else {
            self.net().deliver_due(nanos, &mut woken)
        };
        if !events.is_empty() {
            let mut scheduler = self.scheduler();
            for event in events {
                scheduler.note(nanos, event);
            }
        }
        self.use_disks(nanos, &mut woken);
        wake(woken);
    }

    /// Called when something was planned, possibly for a time before the one for which an idle
    /// world waits.
    pub(crate) fn nudge(&self) {
        self.scheduler().ring();
    }

    /// Called when a packet was sent. Only a thread from outside can send one while the world is
    /// idle.
    pub(crate) fn planned(&self) {
        if self.options.open {
            self.nudge();
        }
    }

    /// Records an event.
    pub(crate) fn note(&self, event: Event) {
        self.scheduler().note(self.nanos(), event);
    }

    /// Returns a random number for the application.
    pub(crate) fn draw(&self) -> u64 {
        let number = lock(&self.application).next();
        self.note(Event::Draw(number));
        number
    }

    /// Returns a random number in place of the system's.
    pub(crate) fn draw_for_system(&self) -> u64 {
        lock(&self.system).next()
    }

    /// Returns the number of the branch that a `select!` polls first.
    pub(crate) fn first_branch(&self, branches: u32) -> u32 {
        lock(&self.branches).index(branches as usize) as u32
    }

    // ---- The end -------------------------------------------------------------------------------

    /// Fails the simulation; the first reason is kept.
    pub(crate) fn fail(&self, kind: FailureKind, message: impl Into<String>) -> Arc<Failure> {
        let nanos = self.nanos();
        self.scheduler()
            .fail(self.options.seed, nanos, kind, message.into())
    }

    /// Called when the main future of a node has panicked.
    pub(crate) fn panicked(&self, message: String, place: Option<String>) {
        let (seed, nanos) = (self.options.seed, self.nanos());
        let mut scheduler = self.scheduler();
        scheduler.fail_at(seed, nanos, FailureKind::Panic, message, place);
    }

    /// Ends all waiting for timers, sockets and disks.
    pub(crate) fn end_waiting(&self) {
        let clocks = self.agenda().all();
        for clock in clocks {
            clock.timers().close();
        }
        let mut woken = Vec::new();
        self.net().end(&mut woken);
        wake(woken);
        self.end_disks();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn wake(woken: Vec<Waker>) {
    for waker in woken {
        waker.wake();
    }
}

/// On a full millisecond, as timers are; otherwise they would fire at different times in each
/// execution.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant can only be had from the system; what counts are the differences, which are virtual"
)]
fn base(open: bool) -> Instant {
    let start = ticks_begin();
    match open {
        true => next_millisecond(start, Instant::now()).0,
        false => next_millisecond(start, system::at_start(Instant::now)).0,
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.options.seed)
            .field("elapsed", &self.elapsed())
            .finish_non_exhaustive()
    }
}
