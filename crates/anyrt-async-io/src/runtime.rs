//! The handle and the owner of a runtime whose threads wait in this reactor.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyrt_core::channel::Channel;
use anyrt_core::context::{Kind, Slot, SlotGuard};
use anyrt_core::error::BuildError;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, Owner, WorkerStats};
use anyrt_kit::executor::{self, Engine, Owned};
use anyrt_kit::queue;
use anyrt_kit::time::clock::Clock;

use crate::reactor::Reactor;

/// What differs between the runtimes that share this reactor.
pub trait Host: executor::Host<Handle = Handle<Self>, Reactor = Arc<Reactor>> {}

impl<H: executor::Host<Handle = Handle<H>, Reactor = Arc<Reactor>>> Host for H {}

/// A handle to a runtime. It does not keep the runtime alive; its [`Runtime`] does.
pub struct Handle<H: executor::Host> {
    engine: Arc<Engine<H>>,
}

impl<H: Host> Handle<H> {
    /// The runtime that is current on this thread, if it is one of these.
    pub fn try_current() -> Option<Self> {
        Self::with_current(Clone::clone)
    }

    /// Calls `f` with the current runtime, if it is one of these.
    #[inline]
    pub fn with_current<T>(f: impl FnOnce(&Self) -> T) -> Option<T> {
        Slot::with(H::slot(), f)
    }

    /// Makes the runtime current on this thread until the guard is dropped.
    #[must_use = "the runtime is current only while the guard lives"]
    pub fn enter(&self) -> SlotGuard<Self> {
        self.engine.enter()
    }

    /// Runs `future` on this thread until it is ready.
    ///
    /// # Panics
    /// When the thread is driving a runtime already. When `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.engine.block_on(future)
    }

    /// The name that the runtime was given.
    pub fn name(&self) -> Option<&str> {
        self.engine.name()
    }

    /// See [`Engine::block_in_place`].
    ///
    /// # Panics
    /// On the thread of a current-thread runtime, and in a `LocalSet`: nobody can take over there.
    #[track_caller]
    pub fn block_in_place<T>(&self, job: impl FnOnce() -> T) -> T {
        self.engine.block_in_place(job)
    }

    /// The clock that the timers follow, on a runtime where it can be paused.
    pub fn clock(&self) -> Option<&Arc<Clock>> {
        self.engine.clock()
    }

    /// What its workers wait in.
    #[inline]
    pub fn reactor(&self) -> &Arc<Reactor> {
        self.engine.reactor()
    }

    /// The executor behind it: its queue, its flavor, its blocking pool.
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

/// Owns a runtime: its threads and its tasks. Dropping it drops every task first.
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
        for (option, value) in [
            ("max_io_events_per_tick", config.max_io_events_per_tick),
            (
                "max_io_events_per_busy_tick",
                config.max_io_events_per_busy_tick,
            ),
        ] {
            if value.is_some() {
                return Err(BuildError::Unsupported {
                    backend: H::KIND.name(),
                    option,
                    why: "its reactor takes all the events that there are; leave it out",
                });
            }
        }
        let owned = Engine::start(config)?;
        let handle = Arc::clone(owned.engine()).into();
        Ok(Self { owned, handle })
    }

    fn handle(&self) -> &Handle<H> {
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
    type Sender<T: Send + 'static> = queue::Sender<T>;
    type Receiver<T: Send + 'static> = queue::Receiver<T>;
    type UnboundedSender<T: Send + 'static> = queue::UnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static> = queue::Receiver<T>;

    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        queue::bounded(capacity)
    }

    fn unbounded<T: Send + 'static>(
        &self,
    ) -> (Self::UnboundedSender<T>, Self::UnboundedReceiver<T>) {
        queue::unbounded()
    }
}
