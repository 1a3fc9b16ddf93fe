//! The runtime: its handle, its owner, and the context of a thread.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyrt_core::context::{self, Kind};
use anyrt_core::error::{BuildError, NoRuntime};
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, Owner, WorkerStats};
use anyrt_core::task::{LocalSpawner, Spawner};
use tokio::runtime::Handle;

use crate::task::{self, LocalScope, RunUntil};

/// The kind of this backend.
///
/// Its blocking threads are marked like its workers, because Tokio starts both in the same way.
pub static KIND: Kind = Kind::new("tokio").may_block_if(is_blocking_thread);

/// Configures and builds a [`Runtime`].
pub type Builder = anyrt_core::runtime::Builder<Runtime>;

/// A handle to a Tokio runtime, started by anyrt or by the application.
///
/// It does not keep the runtime alive.
///
/// # Examples
/// ```
/// use anyrt_core::{JoinHandle, Spawner};
/// use anyrt_tokio::TokioRuntime;
///
/// // An application that starts Tokio by itself.
/// let tokio = tokio::runtime::Runtime::new()?;
/// tokio.block_on(async {
///     let rt = TokioRuntime::current();
///     assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
/// });
/// // Or from anywhere, by its handle.
/// let rt = TokioRuntime::from(tokio.handle().clone());
/// rt.spawn(async { println!("on the application's workers") }).detach();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct TokioRuntime {
    handle: Handle,
}

impl TokioRuntime {
    /// Returns the runtime that is current on this thread, including one that the application
    /// started by itself.
    ///
    /// # Panics
    /// Panics if there is none.
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Some(current) => current,
            None => panic!(
                "{}",
                NoRuntime::new("call it inside `block_on`, a task, or `enter`")
            ),
        }
    }

    /// Returns the runtime that is current on this thread, if any, including one that the
    /// application started by itself.
    ///
    /// # Examples
    /// ```
    /// assert!(anyrt_tokio::TokioRuntime::try_current().is_none());
    /// let tokio = tokio::runtime::Runtime::new()?;
    /// let _entered = tokio.enter();
    /// assert!(anyrt_tokio::TokioRuntime::try_current().is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_current() -> Option<Self> {
        Handle::try_current().ok().map(Self::from)
    }

    /// Calls `f` with the current runtime. Returns `None` if there is none.
    pub fn with_current<T>(f: impl FnOnce(&Self) -> T) -> Option<T> {
        Self::try_current().map(|current| f(&current))
    }

    /// Returns Tokio's handle.
    pub fn as_inner(&self) -> &Handle {
        &self.handle
    }

    /// Returns the name of the runtime.
    pub fn name(&self) -> Option<&str> {
        self.handle.name()
    }

    /// Makes the runtime the current one on this thread until the guard is dropped.
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard {
            _tokio: self.handle.enter(),
            _anyrt: context::enter(&KIND),
        }
    }

    /// Runs `future` on this thread until it completes, with this runtime as the current one.
    ///
    /// On a current-thread runtime this does not run spawned tasks, timers and sockets; only the
    /// `block_on` of the [`Runtime`] does, on its thread.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, of whatever kind, or if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.drive(future, |future| self.handle.block_on(future))
    }

    #[track_caller]
    fn drive<F: Future>(
        &self,
        future: F,
        block_on: impl FnOnce(RunUntil<F>) -> F::Output,
    ) -> F::Output {
        let _driving = context::drive(&KIND);
        let scope = LocalScope::open(&self.handle);
        block_on(scope.run_until(future))
    }

    /// Makes the runtime current, if it is not, until the guard is dropped.
    #[inline]
    pub(crate) fn within_context(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        // It usually is, and checking costs half as much as entering and leaving.
        let is_current =
            Handle::try_current().is_ok_and(|current| current.id() == self.handle.id());
        (!is_current).then(|| self.handle.enter())
    }
}

/// Returns `true` if this is a thread of Tokio that runs neither tasks nor a `block_on` of anyrt.
fn is_blocking_thread() -> bool {
    tokio::runtime::worker_index().is_none() && !task::is_local_scope_open()
}

impl Spawner for TokioRuntime {
    type JoinHandle<T: Send + 'static> = task::JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(&self, future: F) -> task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::JoinHandle::new(self.as_inner().spawn(future))
    }
}

impl LocalSpawner for TokioRuntime {
    type LocalJoinHandle<T: 'static> = task::JoinHandle<T>;

    #[track_caller]
    fn spawn_local<F>(&self, future: F) -> task::JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        task::spawn_local(future)
    }
}

impl Metrics for TokioRuntime {
    fn id(&self) -> Id {
        Id::from_raw(task::number_in(&self.handle.id()))
    }

    fn flavor(&self) -> Flavor {
        match self.handle.runtime_flavor() {
            tokio::runtime::RuntimeFlavor::CurrentThread => Flavor::CurrentThread,
            _ => Flavor::MultiThread,
        }
    }

    fn num_workers(&self) -> usize {
        self.handle.metrics().num_workers()
    }

    fn worker_index(&self) -> Option<usize> {
        let current = Handle::try_current().is_ok_and(|current| current.id() == self.handle.id());
        tokio::runtime::worker_index().filter(|_| current)
    }

    fn num_alive_tasks(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }

    fn global_queue_depth(&self) -> usize {
        self.handle.metrics().global_queue_depth()
    }

    fn worker(&self, index: usize) -> WorkerStats {
        let metrics = self.handle.metrics();
        WorkerStats {
            park_count: metrics.worker_park_count(index),
            park_unpark_count: metrics.worker_park_unpark_count(index),
            busy_duration: metrics.worker_total_busy_duration(index),
        }
    }

    /// Returns `None` without `--cfg tokio_unstable`, which Tokio requires for it.
    fn blocking(&self) -> Option<BlockingStats> {
        #[cfg(tokio_unstable)]
        {
            let metrics = self.handle.metrics();
            Some(BlockingStats {
                threads: metrics.num_blocking_threads(),
                idle_threads: metrics.num_idle_blocking_threads(),
                queue_depth: metrics.blocking_queue_depth(),
            })
        }
        #[cfg(not(tokio_unstable))]
        {
            None
        }
    }
}

impl From<Handle> for TokioRuntime {
    fn from(handle: Handle) -> Self {
        Self { handle }
    }
}

impl fmt::Debug for TokioRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokioRuntime")
            .field("id", &self.handle.id())
            .field("flavor", &self.handle.runtime_flavor())
            .finish_non_exhaustive()
    }
}

/// Restores the previous current runtime on drop; see [`TokioRuntime::enter`].
#[derive(Debug)]
#[must_use = "the runtime is current only while the guard lives"]
pub struct EnterGuard<'a> {
    _tokio: tokio::runtime::EnterGuard<'a>,
    _anyrt: context::Entered,
}

/// A Tokio runtime that anyrt started.
pub struct Runtime {
    // `None` only during shutdown.
    runtime: Option<tokio::runtime::Runtime>,
    handle: TokioRuntime,
}

/// Checks resources without which Tokio would panic.
///
/// # Errors
/// Fails if the system cannot provide a thread with such a stack, or descriptors.
fn find_what_panics(config: &Config) -> io::Result<()> {
    if let (Some(bytes), Flavor::MultiThread) = (config.thread_stack_size, config.flavor) {
        let trial = thread::Builder::new().stack_size(bytes).spawn(|| ())?;
        let _ = trial.join();
    }
    #[cfg(unix)]
    if !HAS_STARTED.load(Ordering::Acquire) {
        // The first runtime creates the signal pipe of the process, after it has taken three or
        // four descriptors.
        let pair = || std::os::unix::net::UnixStream::pair();
        drop((pair()?, pair()?, pair()?));
    }
    Ok(())
}

/// Whether a runtime was built, and with it the state that Tokio keeps once per process.
static HAS_STARTED: AtomicBool = AtomicBool::new(false);

fn start(builder: &mut tokio::runtime::Builder) -> io::Result<tokio::runtime::Runtime> {
    // Other code may have taken the descriptor or the last thread since.
    match catch_unwind(AssertUnwindSafe(|| builder.build())) {
        Ok(built) => {
            HAS_STARTED.fetch_or(built.is_ok(), Ordering::AcqRel);
            built
        }
        Err(payload) => Err(io::Error::other(match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(_) => "Tokio panicked".to_owned(),
        })),
    }
}

impl Owner for Runtime {
    type Handle = TokioRuntime;

    const KIND: &'static Kind = &KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        config.validate()?;
        if config.pin_workers {
            return Err(BuildError::Unsupported {
                backend: KIND.name(),
                option: "pin_workers",
                why: "its workers move between threads, which `block_in_place` makes them do; bind the whole process \
                      instead, or choose a backend whose workers stay",
            });
        }
        let mut builder = match config.flavor {
            Flavor::CurrentThread => tokio::runtime::Builder::new_current_thread(),
            Flavor::MultiThread => tokio::runtime::Builder::new_multi_thread(),
        };
        builder
            .enable_all()
            .thread_name(config.name_or("anyrt-tokio"));
        let started = config.hooks.on_start.clone();
        builder.on_thread_start(move || {
            // For the lifetime of the thread, so never undone.
            std::mem::forget(context::drive(&KIND));
            if let Some(started) = &started {
                started();
            }
        });
        // Otherwise Tokio counts the cores; the code for that is in the program once.
        if let Some(threads) = config.worker_threads {
            builder.worker_threads(threads.get());
        }
        if let Some(hook) = config.hooks.on_stop.clone() {
            builder.on_thread_stop(move || hook());
        }
        if let Some(hook) = config.hooks.on_park.clone() {
            builder.on_thread_park(move || hook());
        }
        if let Some(hook) = config.hooks.on_unpark.clone() {
            builder.on_thread_unpark(move || hook());
        }
        if let Some(name) = config.thread_name_fn.clone() {
            builder.thread_name_fn(move || name());
        }
        if let Some(tasks) = config.event_interval {
            builder.event_interval(tasks.get());
        }
        if let Some(tasks) = config.global_queue_interval {
            builder.global_queue_interval(tasks.get());
        }
        if let Some(events) = config.max_io_events_per_tick {
            builder.max_io_events_per_tick(events.get());
        }
        if let Some(events) = config.max_io_events_per_busy_tick {
            builder.max_io_events_per_busy_tick(events.get());
        }
        if let Some(name) = &config.name {
            builder.name(name);
        }
        if let Some(threads) = config.max_blocking_threads {
            builder.max_blocking_threads(threads.get());
        }
        if let Some(duration) = config.thread_keep_alive {
            builder.thread_keep_alive(duration);
        }
        if let Some(bytes) = config.thread_stack_size {
            builder.thread_stack_size(bytes);
        }
        if config.start_paused {
            start_paused(&mut builder)?;
        }
        let runtime = find_what_panics(config)
            .and_then(|()| start(&mut builder))
            .map_err(|source| BuildError::Io {
                backend: KIND.name(),
                source,
            })?;
        Ok(Self {
            handle: TokioRuntime::from(runtime.handle().clone()),
            runtime: Some(runtime),
        })
    }

    fn handle(&self) -> &TokioRuntime {
        &self.handle
    }

    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let Some(runtime) = &self.runtime else {
            unreachable!("the runtime is taken only when its owner ends")
        };
        self.handle.drive(future, |future| runtime.block_on(future))
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        scope()
    }

    fn shutdown_timeout(mut self, timeout: Duration) {
        if let Some(runtime) = self.runtime.take() {
            end(runtime, |runtime| runtime.shutdown_timeout(timeout));
        }
    }

    fn shutdown_background(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            end(runtime, drop);
        }
    }
}

#[cfg(feature = "test-util")]
fn start_paused(builder: &mut tokio::runtime::Builder) -> Result<(), BuildError> {
    builder.start_paused(true);
    Ok(())
}

#[cfg(not(feature = "test-util"))]
fn start_paused(_: &mut tokio::runtime::Builder) -> Result<(), BuildError> {
    Err(BuildError::Unsupported {
        backend: KIND.name(),
        option: "start_paused",
        why: "it needs the feature `test-util`",
    })
}

/// Shuts down as requested, or in the background if the thread must not wait. The latter panics
/// unless the thread is already panicking.
fn end(runtime: tokio::runtime::Runtime, how: impl FnOnce(tokio::runtime::Runtime)) {
    let elsewhere = context::driving().is_some_and(|kind| !kind.is(&KIND));
    if elsewhere {
        runtime.shutdown_background();
    // Tokio decides whether its own threads may wait. If not, it panics after it has told the
    // workers to end.
    } else if catch_unwind(AssertUnwindSafe(|| how(runtime))).is_ok() {
        return;
    }
    if !thread::panicking() {
        context::panic_cannot_drop_here();
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runtime").field(&self.handle).finish()
    }
}
