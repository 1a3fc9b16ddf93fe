//! Runtimes: which one, how it is built, and which one is current.
//!
//! # Which backend
//! Features are additive: a dependency may enable a backend besides the application's own. The
//! backend of a runtime is decided by the first of these that is present:
//!
//! 1. [`Builder::backend`], or `backend = "smol"` in [`#[anyrt::main]`](macro@crate::main), which
//!    pins the backend;
//! 2. the environment variable `ANYRT_BACKEND` when the program starts;
//! 3. `--cfg anyrt_backend="smol"` among the compiler's flags (`RUSTFLAGS`, or `build.rustflags` in
//!    `.cargo/config.toml`), for the whole program;
//! 4. the first enabled backend in the order Tokio, Smol, async-std, Glommio.
//!
//! Naming a backend that is not enabled is an error: at compile time for the attribute and the
//! flag, from [`build`](Builder::build) for the others.
//!
//! # Which runtime is current
//! [`spawn`](crate::spawn), [`sleep`](crate::time::sleep) and the sockets use the runtime that is
//! current where they are called:
//!
//! 1. the runtime that anyrt entered last on this thread: inside `block_on`, in tasks and blocking
//!    jobs, and within [`Handle::enter`];
//! 2. a Tokio runtime or an async-std task that the application started by itself;
//! 3. the Glommio executor of this thread that the application adopted (`GlommioRuntime::adopt`),
//!    then the runtime that it passed to [`Handle::make_default`];
//! 4. none: [`Handle::try_current`] returns an error that names the options, and `spawn` panics
//!    with it. No hidden runtime is ever started.

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use anyrt_core::context::Kind;
use anyrt_core::runtime::{Metrics as _, Owner};
use anyrt_core::task::{LocalSpawner, Spawner};
use anyrt_core::{Blocking, BuildError};

use crate::backend::Current;
use crate::task::JoinHandle;

mod current;
mod local;
mod metrics;
mod native;
mod options;

pub use crate::backend::Backend;
pub use anyrt_core::runtime::{Config, Flavor, Id};
pub use current::{TryCurrentError, is_rt_shutdown_err, worker_index};
pub use local::{LocalOptions, LocalRuntime};
pub use metrics::{RuntimeFlavor, RuntimeMetrics};
pub use native::{DefaultIsSet, Wrapped};

/// Runs `future` on a new multi-threaded runtime. [The module](self) describes which backend it
/// uses.
///
/// Use [`Builder`] to set options or to keep the runtime.
///
/// # Panics
/// Panics if the runtime cannot be built: no backend is enabled, `ANYRT_BACKEND` does not name an
/// enabled one, or the system lacks resources. Panics if the thread is already driving a runtime,
/// or if `future` panics.
///
/// # Examples
/// ```
/// # anyrt::__if_any! {{
/// let sum = anyrt::block_on(async { 1 + 2 });
/// assert_eq!(sum, 3);
/// # } {}}
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    match Runtime::new() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("{error}"),
    }
}

/// Configures and builds a [`Runtime`].
///
/// No option is silently ignored: [`build`](Self::build) fails and names the option and the backend
/// that cannot honour it. Only the tuning hints [`event_interval`](Self::event_interval),
/// [`global_queue_interval`](Self::global_queue_interval) and `max_io_events_*`, which never change
/// what a program does, have no effect on some backends.
///
/// # Examples
/// ```
/// # anyrt::__if_any! {{
/// use std::time::Duration;
/// use anyrt::runtime::Builder;
///
/// let runtime = Builder::new_multi_thread()
///     .worker_threads(2)
///     .max_blocking_threads(16)
///     .thread_name("ingest")
///     .thread_keep_alive(Duration::from_secs(60))
///     .build()?;
/// let name = runtime.block_on(runtime.spawn(async {
///     std::thread::current().name().map(str::to_owned)
/// }));
/// assert_eq!(name.unwrap().as_deref(), Some("ingest"));
/// # } {}}
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Builder {
    options: anyrt_core::runtime::Builder<Runtime>,
    backend: Option<Backend>,
}

impl Builder {
    /// Creates a builder for a runtime with worker threads, one per core by default.
    pub fn new_multi_thread() -> Self {
        Self {
            options: anyrt_core::runtime::Builder::new_multi_thread(),
            backend: None,
        }
    }

    /// Creates a builder for a runtime that runs on the thread that calls `block_on`.
    pub fn new_current_thread() -> Self {
        let mut options = anyrt_core::runtime::Builder::new_current_thread();
        options.pausable(cfg!(feature = "test-util"));
        Self {
            options,
            backend: None,
        }
    }

    /// Sets the backend. By default [the module](self) describes which one is used; this takes
    /// precedence over all of it.
    ///
    /// # Examples
    /// ```
    /// use anyrt::runtime::{Backend, Builder};
    ///
    /// for &backend in Backend::enabled() {
    ///     let runtime = Builder::new_current_thread().backend(backend).build()?;
    ///     assert_eq!(runtime.handle().backend(), backend);
    /// }
    /// # std::io::Result::Ok(())
    /// ```
    pub fn backend(&mut self, backend: Backend) -> &mut Self {
        self.backend = Some(backend);
        self
    }

    /// Sets whether worker thread `i` is bound to core `i`, modulo the number of cores; `false` by
    /// default.
    ///
    /// Blocking threads and child processes may run on all cores of the process. A thread that runs
    /// the tasks of a worker inside [`block_in_place`](crate::task::block_in_place) shares the core
    /// of that worker.
    pub fn pin_workers(&mut self, pin: bool) -> &mut Self {
        self.options.pin_workers(pin);
        self
    }

    /// Sets whether the clock is paused at the start; `false` by default. A paused clock advances
    /// to the next deadline whenever the runtime is idle.
    ///
    /// Needs a current-thread runtime.
    #[cfg(feature = "test-util")]
    pub fn start_paused(&mut self, paused: bool) -> &mut Self {
        self.options.start_paused(paused);
        self
    }

    /// Does nothing: sockets and timers are always enabled. It exists for code that was written for
    /// Tokio.
    pub fn enable_all(&mut self) -> &mut Self {
        self
    }

    /// Does nothing: sockets are always enabled. It exists for code that was written for Tokio.
    pub fn enable_io(&mut self) -> &mut Self {
        self
    }

    /// Does nothing: timers are always enabled. It exists for code that was written for Tokio.
    pub fn enable_time(&mut self) -> &mut Self {
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// Returns a [`BuildError`] inside an [`io::Error`] if the backend cannot honour an option, if
    /// a value is invalid, if the backend is unknown or not available on this system, or if a
    /// system call fails.
    pub fn build(&mut self) -> io::Result<Runtime> {
        let backend = match self.backend {
            Some(backend) => backend,
            None => Backend::preferred()?,
        };
        self.workers_of_environment()?;
        Ok(Runtime::build_on(backend, self.options.config())?)
    }
}

/// Sets the option, or fails to compile and names the missing feature. The attributes expand to it.
#[cfg(feature = "test-util")]
#[doc(hidden)]
#[macro_export]
macro_rules! __start_paused {
    ($builder:ident, $paused:expr) => {
        $builder.start_paused($paused)
    };
}
#[cfg(not(feature = "test-util"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __start_paused {
    ($builder:ident, $paused:expr) => {
        ::core::compile_error!("`start_paused` needs the feature `test-util`")
    };
}

/// An owned runtime: its threads, its tasks and its reactor.
///
/// # Dropping it
/// Drops the future of every task before `drop` returns, and waits for all blocking jobs, including
/// queued ones. Panics inside a task, where waiting is not allowed; use
/// [`shutdown_background`](Self::shutdown_background) there.
///
/// # Examples
/// ```
/// # anyrt::__if_any! {{
/// let runtime = anyrt::runtime::Runtime::new()?;
/// let task = runtime.spawn(async { 7 });
/// assert_eq!(runtime.block_on(task).unwrap(), 7);
/// drop(runtime); // every task has ended now
/// # } {}}
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Runtime {
    inner: one_of!(Runtime),
    handle: Handle,
}

impl Runtime {
    /// Starts a multi-threaded runtime with default options; see [`Builder`] for others.
    ///
    /// # Errors
    /// See [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().build()
    }

    /// Starts a runtime on `backend` with the given options. [`Builder::build`] calls it.
    ///
    /// # Errors
    /// Fails if [`Owner::build`] of the backend does, or with [`BuildError::UnknownBackend`] if the
    /// backend is not enabled.
    pub fn build_on(backend: Backend, config: &Config) -> Result<Self, BuildError> {
        let inner = map_each!(backend.require()?, backend, () => backend::Runtime::build(config)?);
        let handle = Handle {
            inner: map_each!(&inner, runtime => runtime.handle().clone()),
        };
        Ok(Self { inner, handle })
    }

    /// Returns a handle to the runtime.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns `future` as a task and returns at once. Dropping the handle detaches the task.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs `job` on the blocking thread pool.
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle.spawn_blocking(job)
    }

    /// Runs `future` on this thread until it completes, with this runtime as the current one.
    ///
    /// On a current-thread runtime, spawned tasks run only within this call.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, of whatever kind, or if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        boxed_for_match!(future: F = Box::pin(future) => {
            each!(&self.inner, backend, runtime => runtime.block_on(backend::task::budgeted(future)))
        })
    }

    /// Makes the runtime the current one on this thread until the guard is dropped.
    ///
    /// The runtime may be shut down or dropped while the guard lives. It stays the current one, and
    /// what is spawned on it is cancelled.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__if_any! {{
    /// let runtime = anyrt::runtime::Runtime::new()?;
    /// let task = {
    ///     let _entered = runtime.enter();
    ///     anyrt::spawn(async { 7 }) // finds the runtime
    /// };
    /// assert_eq!(runtime.block_on(task).unwrap(), 7);
    /// # } {}}
    /// # std::io::Result::Ok(())
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Returns metrics of the runtime.
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }

    /// Shuts down the runtime. Waits at most `timeout` for blocking jobs and for tasks that are
    /// being polled.
    ///
    /// # Panics
    /// Panics inside a task, where waiting is not allowed.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__if_any! {{
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    ///
    /// let runtime = anyrt::runtime::Runtime::new()?;
    /// let (release, blocked) = mpsc::channel::<()>();
    /// runtime.spawn_blocking(move || blocked.recv());
    /// runtime.shutdown_timeout(Duration::from_millis(10)); // does not wait for the job to end
    /// drop(release);
    /// # } {}}
    /// # std::io::Result::Ok(())
    /// ```
    pub fn shutdown_timeout(self, timeout: Duration) {
        each!(self.inner, runtime => runtime.shutdown_timeout(timeout));
    }

    /// Shuts down the runtime without waiting. May be called anywhere. Futures may be dropped after
    /// it has returned.
    pub fn shutdown_background(self) {
        each!(self.inner, runtime => runtime.shutdown_background());
    }
}

unwind_safe!(Runtime, Handle, RuntimeMetrics);
opaque_debug!(EnterGuard<'_>);

/// Required by [`Owner`], which expects one kind of runtime. The facade is never current as such.
static KIND: Kind = Kind::new("anyrt");

impl Owner for Runtime {
    type Handle = Handle;

    const KIND: &'static Kind = &KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        Self::build_on(Backend::preferred()?, config)
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.block_on(future)
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        scope()
    }

    fn shutdown_timeout(self, timeout: Duration) {
        self.shutdown_timeout(timeout);
    }

    fn shutdown_background(self) {
        self.shutdown_background();
    }
}

/// A handle to a runtime. It is cheap to clone and does not keep the runtime alive.
///
/// It implements all traits of [`anyrt_core`], so it can be passed to code that is generic over the
/// runtime.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::runtime::Handle;
///
/// let handle = Handle::current();
/// let thread = std::thread::spawn(move || {
///     // A thread that the runtime does not know.
///     handle.spawn(async { 7 })
/// });
/// let task = thread.join().unwrap();
/// assert_eq!(task.await?, 7);
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(crate) inner: one_of!(Handle),
}

impl Handle {
    pub(crate) fn kind(&self) -> Current {
        map_each!(&self.inner, _ => ())
    }

    forward! {
        /// Returns the name that was set by [`Builder::name`].
        pub fn name(&self) -> Option<&str>;

        /// Returns the id of the runtime, unique among all live runtimes.
        pub fn id(&self) -> Id;
    }

    /// Returns the flavor of the runtime.
    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        let flavor: Flavor = each!(&self.inner, rt => rt.flavor());
        flavor.into()
    }

    /// Returns metrics of the runtime.
    pub fn metrics(&self) -> RuntimeMetrics {
        RuntimeMetrics::of(self.clone().inner)
    }

    /// Returns the backend of the runtime.
    pub fn backend(&self) -> Backend {
        self.kind().backend()
    }

    /// Spawns `future` as a task and returns at once. Dropping the handle detaches the task.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        JoinHandle {
            inner: boxed_for_match!(future: F = Box::pin(future) => {
                map_each!(&self.inner, backend, rt => rt.spawn(backend::task::budgeted(future)))
            }),
        }
    }

    /// Runs `job` on the blocking thread pool.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        JoinHandle {
            inner: boxed_for_match!(job: F = Box::new(job) => {
                map_each!(&self.inner, rt => rt.spawn_blocking(job))
            }),
        }
    }

    /// Runs `future` on this thread until it completes, with this runtime as the current one.
    ///
    /// On a current-thread runtime prefer [`Runtime::block_on`]: on some backends this call does
    /// not run spawned tasks, timers and sockets.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, of whatever kind, or if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        boxed_for_match!(future: F = Box::pin(future) => {
            each!(&self.inner, backend, rt => rt.block_on(backend::task::budgeted(future)))
        })
    }

    /// Makes the runtime the current one on this thread until the guard is dropped; see
    /// [`Runtime::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard {
            _inner: map_each!(&self.inner, rt => rt.enter()),
            _borrowed: PhantomData,
            _of_thread: PhantomData,
        }
    }
}

impl Spawner for Handle {
    type JoinHandle<T: Send + 'static> = JoinHandle<T>;

    #[track_caller]
    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(future)
    }
}

impl LocalSpawner for Handle {
    type LocalJoinHandle<T: 'static> = JoinHandle<T>;

    #[track_caller]
    fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        JoinHandle {
            inner: boxed_for_match!(future: F = Box::pin(future) => {
                map_each!(&self.inner, backend, rt => rt.spawn_local(backend::task::budgeted(future)))
            }),
        }
    }
}

impl Blocking for Handle {
    fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_blocking(job)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, rt => f.debug_tuple("Handle").field(rt).finish())
    }
}

/// Restores the previous current runtime on drop. Guards must be dropped in reverse order of their
/// creation.
#[must_use = "the runtime is current only while the guard lives"]
pub struct EnterGuard<'a> {
    _inner: one_of!(&'a (); EnterGuard<'a>),
    // The guards of some backends do not borrow. The borrow must end before the guard does, as in
    // Tokio: a runtime can be shut down while its guard lives.
    _borrowed: PhantomData<&'a ()>,
    // Without a backend it is not `Send` either.
    _of_thread: PhantomData<std::sync::MutexGuard<'static, ()>>,
}
