//! The handle and the owner of a runtime on this reactor.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyrt_core::channel::Channel;
use anyrt_core::context::{self, Kind, Slot, SlotGuard};
use anyrt_core::error::BuildError;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, Owner, WorkerStats};
use anyrt_kit::executor::{self, Engine, Owned};

use crate::executor::{Executor, Foreign};
use crate::reactor::Reactor;

/// The differences between the runtimes that share this reactor.
pub trait Host:
    executor::Host<Handle = Handle<Self>, Reactor = Arc<Reactor>, Executor = Executor>
{
    /// Returns the default runtime of the process.
    fn process_default() -> &'static OnceLock<Handle<Self>>;

    /// Returns the runtime of this thread that the application started by itself, if any.
    fn of_application() -> Option<Handle<Self>> {
        None
    }
}

/// A host with an executor of the process.
#[diagnostic::on_unimplemented(
    message = "there is no executor of the process here",
    note = "for `SmolRuntime::global`, enable the feature `global` of `anyrt-smol`"
)]
pub trait HasGlobal: Host {
    /// Returns the executor of the process, which never ends.
    fn global_executor() -> Box<dyn Foreign>;

    /// Returns the handle, which is created once.
    fn global_runtime() -> &'static OnceLock<Handle<Self>>;
}

/// A handle to a runtime. It does not keep the runtime alive; its [`Runtime`] does.
pub struct Handle<H: executor::Host> {
    engine: Arc<Engine<H>>,
}

impl<H: Host> Handle<H> {
    /// Returns the runtime that is current on this thread, if it is of this kind: entered by anyrt,
    /// started by the application, or the default of the process.
    pub fn try_current() -> Option<Self> {
        Self::with_current(Clone::clone)
    }

    /// Calls `f` with the current runtime, if it is one of these.
    #[inline]
    pub fn with_current<T>(f: impl FnOnce(&Self) -> T) -> Option<T> {
        let mut f = Some(f);
        match Slot::with(H::slot(), |current| f.take().map(|f| f(current))) {
            Some(value) => value,
            None => f.and_then(Self::with_fallback),
        }
    }

    #[cold]
    fn with_fallback<T>(f: impl FnOnce(&Self) -> T) -> Option<T> {
        match H::of_application() {
            Some(runtime) => Some(f(&runtime)),
            None => H::process_default().get().map(f),
        }
    }

    /// Returns a handle to a runtime in `executor`, which the application runs on its own threads.
    ///
    /// The contract holds except for threads, options and shutdown, which the application controls.
    /// The handle does not keep `executor` alive. Dropping its last `Arc` drops the tasks, whose
    /// handles then report the cancellation; later spawns return cancelled tasks. Blocking jobs are
    /// not waited for. A task takes three allocations, where one of a [`Runtime`] takes one.
    ///
    /// # Panics
    /// Panics if async-io cannot be started, for lack of descriptors.
    #[must_use]
    pub fn on(executor: Arc<async_executor::Executor<'static>>) -> Self {
        Self::embed(Box::new(Arc::downgrade(&executor)))
    }

    /// Returns a handle to a runtime in the executor of the process: that of `smol::spawn` or
    /// `async_std::task::spawn`.
    ///
    /// Like [`on`](Self::on), but that executor never ends.
    ///
    /// While a task is in `block_in_place`, async-std's executor gets an additional thread, up to
    /// four times the initial number; the thread is kept for the next one. The number of threads of
    /// Smol's executor is fixed, and is one unless `SMOL_THREADS` is set in the environment. A job
    /// there that waits for another task may wait forever; timers, sockets and blocking jobs make
    /// progress.
    ///
    /// # Panics
    /// Panics if async-io cannot be started, for lack of descriptors.
    #[must_use]
    pub fn global() -> Self
    where
        H: HasGlobal,
    {
        let embed = || Self::embed(H::global_executor());
        H::global_runtime().get_or_init(embed).clone()
    }

    fn embed(executor: Box<dyn Foreign>) -> Self {
        match Engine::embed(Executor::Foreign(executor)) {
            Ok(engine) => engine.into(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns the runtime of this thread that the application started by itself, if any.
    pub fn of_application() -> Option<Self> {
        H::of_application()
    }

    /// Makes this the current runtime on all threads that have no other one.
    ///
    /// # Errors
    /// Returns the existing default runtime if there is one.
    pub fn make_default(&self) -> Result<(), Self> {
        match H::process_default().set(self.clone()) {
            Ok(()) => Ok(()),
            Err(_) => Err(H::process_default().get_or_init(|| self.clone()).clone()),
        }
    }

    /// Makes the runtime the current one on this thread until the guard is dropped.
    #[must_use = "the runtime is current only while the guard lives"]
    pub fn enter(&self) -> SlotGuard<Self> {
        self.engine.enter()
    }

    /// Runs `future` on this thread until it completes.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, also inside a task that the application
    /// has started and that [`of_application`](Self::of_application) finds, or if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let native = context::current().is_none() && H::of_application().is_some();
        let _native = native.then(|| context::drive_within(H::KIND));
        self.engine.block_on(future)
    }

    /// Returns the name of the runtime.
    pub fn name(&self) -> Option<&str> {
        self.engine.name()
    }

    /// See [`Engine::block_in_place`].
    ///
    /// # Panics
    /// Panics on the thread of a current-thread runtime and in a `LocalSet`, where no other thread
    /// can take over.
    #[track_caller]
    pub fn block_in_place<T>(&self, job: impl FnOnce() -> T) -> T {
        self.engine.block_in_place(job)
    }

    /// Returns the reactor that its sockets and timers share.
    #[inline]
    pub fn reactor(&self) -> &Arc<Reactor> {
        self.engine.reactor()
    }

    /// Returns its engine: tasks, flavor and blocking pool.
    pub fn engine(&self) -> &Arc<Engine<H>> {
        &self.engine
    }
}

impl<H: executor::Host> From<Arc<Engine<H>>> for Handle<H> {
    fn from(engine: Arc<Engine<H>>) -> Self {
        Self { engine }
    }
}

impl<H: executor::Host> Clone for Handle<H> {
    fn clone(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
        }
    }
}

impl<H: executor::Host> fmt::Debug for Handle<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.engine).finish()
    }
}

/// An owned runtime: its threads and its tasks. Dropping it drops every task first.
pub struct Runtime<H: Host> {
    owned: Owned<H>,
    handle: Handle<H>,
}

impl<H: Host> fmt::Debug for Runtime<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runtime").field(&self.owned).finish()
    }
}

impl<H: Host> Owner for Runtime<H> {
    type Handle = Handle<H>;

    const KIND: &'static Kind = H::KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        let owned = Engine::start(config)?;
        let handle = Arc::clone(owned.engine()).into();
        Ok(Self { owned, handle })
    }

    fn handle(&self) -> &Handle<H> {
        &self.handle
    }

    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.owned.block_on(future)
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let _current = self.handle.enter();
        scope()
    }

    #[track_caller]
    fn shutdown_timeout(self, timeout: Duration) {
        self.owned.shutdown_timeout(timeout);
    }
}

impl<H: Host> Metrics for Handle<H> {
    fn id(&self) -> Id {
        self.engine.id()
    }

    fn flavor(&self) -> Flavor {
        self.engine.flavor()
    }

    fn num_workers(&self) -> usize {
        self.engine.num_workers()
    }

    fn worker_index(&self) -> Option<usize> {
        self.engine.worker_index()
    }

    fn num_alive_tasks(&self) -> usize {
        self.engine.num_alive_tasks()
    }

    fn global_queue_depth(&self) -> usize {
        self.engine.global_queue_depth()
    }

    fn worker(&self, index: usize) -> WorkerStats {
        self.engine.worker(index)
    }

    fn blocking(&self) -> Option<BlockingStats> {
        self.engine.blocking()
    }
}

impl<H: Host> Channel for Handle<H> {
    anyrt_kit::queue_channels!();
}
