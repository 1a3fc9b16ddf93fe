//! The owner of a simulation, and its handle.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyrt_core::channel::Channel;
use anyrt_core::context::{self, Kind, Slot, SlotGuard};
use anyrt_core::error::BuildError;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, Owner, WorkerStats};

use crate::blocking;
use crate::drive::Driver;
use crate::failure::Failure;
use crate::local::Scope;
use crate::node::{self, Clients, Life, Node, NodeState};
use crate::perfetto;
use crate::seat::seat;
use crate::system::{self, View};
use crate::task;
use crate::trace::Step;
use crate::world::{Options, World};

pub use crate::builder::Builder;

/// The name of the simulator in features and in `ANYRT_BACKEND`.
pub static KIND: Kind = Kind::new("sim");

/// The environment variable for the seed; [`Builder::seed`] takes precedence over it.
pub const SEED_VARIABLE: &str = "ANYRT_SIM_SEED";

/// Owns a simulation; the name that all backends use.
pub type Runtime = Sim;

static DEFAULT: OnceLock<SimRuntime> = OnceLock::new();

thread_local! {
    static CURRENT: Slot<SimRuntime> = const { Slot::new() };
}

/// A handle to a node of a simulation. It does not keep the simulation alive; its [`Sim`] does.
#[derive(Clone)]
pub struct SimRuntime {
    inner: Arc<OnNode>,
}

/// In one allocation, so that a handle is one word.
struct OnNode {
    world: Arc<World>,
    node: Arc<NodeState>,
    life: Arc<Life>,
}

impl SimRuntime {
    /// Returns a handle to the present life of a node.
    pub(crate) fn of(world: &Arc<World>, node: &Arc<NodeState>) -> Self {
        let inner = OnNode {
            world: Arc::clone(world),
            life: node.life(),
            node: Arc::clone(node),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns the current node of this thread, or the [default](Self::make_default).
    pub fn try_current() -> Option<Self> {
        Self::with_current(Clone::clone)
    }

    /// Calls `f` with the node that is current on this thread, if there is one.
    pub fn with_current<T>(f: impl FnOnce(&Self) -> T) -> Option<T> {
        let mut f = Some(f);
        match Slot::with(&CURRENT, |current| f.take().map(|f| f(current))) {
            Some(value) => value,
            None => f.and_then(|f| DEFAULT.get().map(f)),
        }
    }

    /// Makes this the current node of all threads without another one, until the process ends.
    ///
    /// # Errors
    /// Returns the existing default if there is one.
    pub fn make_default(&self) -> Result<(), Self> {
        match DEFAULT.set(self.clone()) {
            Ok(()) => Ok(()),
            Err(_) => Err(DEFAULT.get_or_init(|| self.clone()).clone()),
        }
    }

    /// Returns the node's name.
    pub fn name(&self) -> Option<&str> {
        Some(self.inner.node.name())
    }

    /// Runs `job`, which may call `block_on`, inside of a task. Other tasks run only during its
    /// `block_on`.
    pub fn block_in_place<T>(&self, job: impl FnOnce() -> T) -> T {
        let _allowed = context::allow_blocking();
        job()
    }

    /// Makes the node current on this thread until the guard is dropped.
    #[must_use = "the node is current only while the guard lives"]
    pub fn enter(&self) -> SlotGuard<Self> {
        Slot::enter(&CURRENT, self.clone(), context::enter(&KIND))
    }

    /// Runs `future` on this thread until it is ready, together with all other ready tasks. Inside
    /// a blocking job it passes the turn to the tasks.
    ///
    /// # Panics
    /// Panics if the thread is driving a runtime already, if `future` panics, or if the simulation
    /// fails, with the report.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.try_block_on(future, Location::caller()) {
            Ok(value) => value,
            Err(failure) => panic!("{failure}"),
        }
    }

    #[track_caller]
    fn try_block_on<F: Future>(
        &self,
        future: F,
        location: &'static Location<'static>,
    ) -> Result<F::Output, Arc<Failure>> {
        let driving = context::drive(&KIND);
        // In a job, its thread now also does the work of the simulator.
        let _seeing = system::see(View::Real);
        let _current = Slot::enter(&CURRENT, self.clone(), driving);
        let driver = Driver::sit(self, location)?;
        let _scope = Scope::open(&self.inner.world, driver.seat());
        // Local tasks end before the thread passes its turn on.
        self.inner.world.drive(&driver, future)
    }

    /// Returns the node of this handle.
    pub fn node(&self) -> Node {
        Node::new(&self.inner.world, &self.inner.node)
    }

    /// As [`Sim::host`], while the simulation runs.
    ///
    /// # Panics
    /// Panics if a node of that name exists.
    #[track_caller]
    pub fn host<P, F>(&self, name: &str, program: P) -> Node
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        node::host(&self.inner.world, name, program, Location::caller())
    }

    /// As [`Sim::client`], while the simulation runs.
    ///
    /// # Panics
    /// Panics if a node of that name exists.
    #[track_caller]
    pub fn client<F>(&self, name: &str, future: F) -> Node
    where
        F: Future<Output = ()> + Send + 'static,
    {
        node::client(&self.inner.world, name, future, Location::caller())
    }

    /// Returns all nodes, in the order in which they were added. The first one is `main`, on which
    /// `block_on` runs.
    pub fn nodes(&self) -> Vec<Node> {
        let all = self.inner.world.nodes().all();
        all.iter()
            .map(|state| Node::new(&self.inner.world, state))
            .collect()
    }

    /// Returns the number of the branch that a `select!` with `branches` branches polls first; the
    /// facade's does.
    ///
    /// # Panics
    /// Panics if there are no branches.
    pub fn first_branch(&self, branches: u32) -> u32 {
        assert!(branches > 0, "there is no branch");
        self.inner.world.first_branch(branches)
    }

    /// Returns the node of that name.
    pub fn find_node(&self, name: &str) -> Option<Node> {
        let state = self.inner.world.nodes().named(name)?;
        Some(Node::new(&self.inner.world, &state))
    }

    /// Returns a random number from the seed. Drawing it changes neither the order of tasks nor the
    /// network.
    pub fn random(&self) -> u64 {
        self.inner.world.draw()
    }

    /// Returns the virtual time since the simulation began, independent of the node's clock.
    pub fn elapsed(&self) -> Duration {
        self.inner.world.elapsed()
    }

    /// As [`Sim::hash`], which is not available after the simulation has ended.
    pub fn hash(&self) -> u64 {
        self.inner.world.scheduler().trace().hash()
    }

    /// As [`Sim::foreign_wakes`].
    pub fn foreign_wakes(&self) -> u64 {
        self.inner.world.scheduler().foreign_wakes()
    }

    /// Returns the seed of the simulation.
    pub fn seed(&self) -> u64 {
        self.inner.world.options.seed
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.inner.world
    }

    pub(crate) fn node_state(&self) -> &Arc<NodeState> {
        &self.inner.node
    }

    pub(crate) fn life(&self) -> &Arc<Life> {
        &self.inner.life
    }

    /// Returns `true` if both are handles to the same life of a node.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner.life, &other.inner.life)
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRuntime")
            .field("seed", &self.seed())
            .field("node", &self.inner.node.name())
            .finish()
    }
}

/// Tasks run on one thread at a time, regardless of the requested number of workers.
impl Metrics for SimRuntime {
    fn id(&self) -> Id {
        self.inner.world.id
    }

    fn flavor(&self) -> Flavor {
        self.inner.world.options.config.flavor
    }

    fn num_workers(&self) -> usize {
        1
    }

    fn worker_index(&self) -> Option<usize> {
        seat(&self.inner.world).map(|_| 0)
    }

    fn num_alive_tasks(&self) -> usize {
        self.inner.life.tasks().len()
    }

    fn global_queue_depth(&self) -> usize {
        self.inner.world.scheduler().ready_of(self)
    }

    fn worker(&self, index: usize) -> WorkerStats {
        assert!(index == 0, "a simulation has one worker");
        WorkerStats::default()
    }

    fn blocking(&self) -> Option<BlockingStats> {
        None
    }
}

impl Channel for SimRuntime {
    anyrt_kit::queue_channels!();
}

/// Owns a simulation: its nodes, its tasks, its network and its clock.
pub struct Sim {
    handle: SimRuntime,
    ended: bool,
}

impl Sim {
    pub(crate) fn start(options: Options) -> Self {
        let world = World::new(options);
        let main = world.add_node(node::MAIN);
        Self {
            handle: SimRuntime::of(&world, &main),
            ended: false,
        }
    }

    /// Returns a builder of a simulation.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Returns a simulation with that seed.
    pub fn new(seed: u64) -> Self {
        match Self::builder().seed(seed).build() {
            Ok(sim) => sim,
            Err(_) => unreachable!("the defaults are valid"),
        }
    }

    /// Adds a node that runs `program`, and runs it again after [`Node::restart`]. When its future
    /// ends, the tasks of the node end, too.
    ///
    /// # Panics
    /// Panics if a node of that name exists.
    #[track_caller]
    pub fn host<P, F>(&self, name: &str, program: P) -> Node
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        node::host(&self.handle.inner.world, name, program, Location::caller())
    }

    /// Adds a node that runs `future` once; [`run`](Self::run) waits for it.
    ///
    /// # Panics
    /// Panics if a node of that name exists.
    #[track_caller]
    pub fn client<F>(&self, name: &str, future: F) -> Node
    where
        F: Future<Output = ()> + Send + 'static,
    {
        node::client(&self.handle.inner.world, name, future, Location::caller())
    }

    /// Runs until all clients have ended.
    ///
    /// # Errors
    /// Returns the [`Failure`] if the main future of a node panics, if all tasks are deadlocked, or
    /// if the time limit passes.
    ///
    /// # Panics
    /// Panics if the thread is driving a runtime already.
    #[track_caller]
    pub fn run(&self) -> Result<(), Failure> {
        let clients = Clients {
            world: Arc::clone(&self.handle.inner.world),
        };
        self.try_block_on(clients)
    }

    /// As [`Owner::block_on`], but returns the failure of the simulation as an error.
    ///
    /// # Errors
    /// Returns the [`Failure`] if the simulation fails.
    ///
    /// # Panics
    /// Panics if the thread is driving a runtime already, or if `future` panics.
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, Failure> {
        let result = self.handle.try_block_on(future, Location::caller());
        let result = result.map_err(|failure| (*failure).clone());
        match self.handle.inner.world.scheduler().failure() {
            // The future became ready in the same poll in which something else failed.
            Some(failure) if result.is_ok() => Err((*failure).clone()),
            _ => result,
        }
    }

    /// Returns the node of that name.
    pub fn node(&self, name: &str) -> Option<Node> {
        self.handle.find_node(name)
    }

    /// Returns the hash of everything that has happened so far: equal for two executions of one
    /// seed.
    pub fn hash(&self) -> u64 {
        self.handle.hash()
    }

    /// Returns the number of steps so far.
    pub fn step_count(&self) -> u64 {
        self.handle.inner.world.scheduler().trace().steps()
    }

    /// Returns all steps so far, if [`Builder::record`] was called. The first step that differs
    /// between two executions of one seed shows where something outside of the simulation
    /// influenced them.
    pub fn steps(&self) -> Vec<Step> {
        let scheduler = self.handle.inner.world.scheduler();
        let recorded = scheduler.trace().recorded();
        recorded.map_or_else(Vec::new, |recorded| recorded.steps.clone())
    }

    /// Writes all steps so far, if [`Builder::record`] was called, in the JSON format that
    /// [Perfetto] and Chrome's `about:tracing` open: a process for each node, a thread for each of
    /// its tasks, and one process for timers, packets and faults.
    ///
    /// [Perfetto]: https://ui.perfetto.dev
    ///
    /// # Errors
    /// Fails if writing to `to` fails.
    pub fn write_trace(&self, to: &mut dyn io::Write) -> io::Result<()> {
        let nodes = self.handle.nodes();
        let names: Vec<_> = nodes.iter().map(Node::name).collect();
        let mut told = self.handle.inner.world.net().told(&names);
        told.extend(self.faults().iter().map(perfetto::Told::from));
        told.sort_by_key(|told| told.time);
        let scheduler = self.handle.inner.world.scheduler();
        perfetto::write(to, &names, scheduler.trace().recorded(), &told)
    }

    /// Returns the events recorded by [`SimRuntime::sometimes`], and whether each happened.
    pub fn sometimes(&self) -> BTreeMap<String, bool> {
        let places = self.handle.inner.world.places();
        let noted = places.sometimes().iter();
        noted
            .map(|(name, happened)| ((*name).to_owned(), *happened))
            .collect()
    }

    /// Returns the number of wake-ups from threads that are not part of the simulation. If there
    /// are any, the seed alone does not replay the execution.
    pub fn foreign_wakes(&self) -> u64 {
        self.handle.foreign_wakes()
    }

    fn shutdown(&self, timeout: Option<Duration>) {
        let deadline = timeout.and_then(|timeout| real_now().checked_add(timeout));
        let left = || deadline.map(|at| at.saturating_duration_since(real_now()));
        let world = &self.handle.inner.world;
        let _current = self.handle.enter();
        let nodes = world.nodes().all();
        for node in nodes {
            let rt = SimRuntime::of(world, &node);
            task::end_life(&rt);
            // A task that another thread is polling, or has woken and is about to queue.
            while !rt.inner.life.tasks().is_empty() && left() != Some(Duration::ZERO) {
                std::thread::yield_now();
                task::end_life(&rt);
            }
        }
        world.end_waiting();
        if world.options.open {
            world.pool().shutdown(left());
        } else if seat(world).is_none() {
            self.finish_jobs();
        } else {
            // The `block_on` of this thread runs the remaining jobs.
            world.scheduler().close_jobs();
        }
    }

    /// Runs the remaining jobs, and joins their threads.
    fn finish_jobs(&self) {
        let world = &self.handle.inner.world;
        let mut scheduler = world.scheduler();
        let seat = scheduler.sit(true);
        scheduler.turn = Some(seat);
        while scheduler.failure().is_none()
            && let Some(work) = scheduler.pick()
        {
            if work.kind != crate::scheduler::Kind::Job {
                continue;
            }
            if let Some(work) = blocking::hand_over(world, &mut scheduler, work) {
                drop(scheduler);
                world.run(work);
                scheduler = world.scheduler();
                continue;
            }
            scheduler = match world.wait_turn(scheduler, seat) {
                Ok(scheduler) => scheduler,
                Err(_) => world.scheduler(),
            };
        }
        scheduler.close_jobs();
        drop(scheduler);
        // None is left; future ones are cancelled.
        world.nodes().jobs().close();
        let mut scheduler = world.scheduler();
        // A job of a simulation that failed may never end.
        let joins = scheduler.failure().is_none();
        let threads = std::mem::take(&mut scheduler.jobs.threads);
        scheduler.stand_up(seat);
        scheduler.turn = None;
        scheduler.notify_all();
        drop(scheduler);
        if joins {
            for thread in threads {
                // A panic outside of the jobs was reported already.
                let _ = thread.join();
            }
        }
    }
}

impl Owner for Sim {
    type Handle = SimRuntime;

    const KIND: &'static Kind = &KIND;

    /// Builds an [open](Builder::open) simulation with the seed of `ANYRT_SIM_SEED`. Tasks run only
    /// inside `block_on`, whatever the flavour and the number of workers.
    fn build(config: &Config) -> Result<Self, BuildError> {
        Self::builder().config(config).open().build()
    }

    fn handle(&self) -> &SimRuntime {
        &self.handle
    }

    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let _current = self.handle.enter();
        scope()
    }

    #[track_caller]
    fn shutdown_timeout(mut self, timeout: Duration) {
        self.ended = true;
        context::end_owner(Some(timeout), |timeout| self.shutdown(timeout));
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if !self.ended {
            context::end_owner(None, |timeout| self.shutdown(timeout));
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sim").field(&self.handle).finish()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real threads are waited for in real time"
)]
fn real_now() -> Instant {
    Instant::now()
}
