//! The runtime as a whole: the umbrella trait, its owner, its configuration and its metrics.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::blocking::Blocking;
use crate::channel::Channel;
use crate::context::Kind;
use crate::error::BuildError;
use crate::net::Net;
use crate::task::{LocalSpawner, Spawner};
use crate::time::Timer;

mod builder;
mod config;
mod hooks;
mod metrics;

pub use builder::Builder;
pub use config::{Config, Flavor, MAX_BLOCKING_THREADS, THREAD_KEEP_ALIVE};
pub use hooks::{NameFn, ThreadEntered, ThreadHook, ThreadHooks};
pub use metrics::{BlockingStats, Metrics, WorkerStats};

pub use crate::id::RuntimeId as Id;

/// All capabilities of a runtime: a handle that is cheap to clone and pass on.
///
/// The handle does not keep the runtime alive; its [`Owner`] does.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use anyrt_core::{JoinHandle, Runtime};
///
/// /// A field of type `R`, and no word about which runtime it is.
/// #[derive(Clone)]
/// struct Reporter<R> {
///     rt: R,
/// }
///
/// impl<R: Runtime> Reporter<R> {
///     fn start(&self) {
///         let rt = self.rt.clone();
///         self.rt.spawn(async move {
///             let mut ticks = rt.interval(Duration::from_secs(10));
///             loop {
///                 ticks.tick().await;
///                 println!("still running on {rt:?}");
///             }
///         })
///         .detach();
///     }
/// }
/// ```
pub trait Runtime: Spawner + LocalSpawner + Blocking + Timer + Net + Channel + fmt::Debug {}

impl<R> Runtime for R where R: Spawner + LocalSpawner + Blocking + Timer + Net + Channel + fmt::Debug
{}

/// An owned runtime: its threads, its tasks and its reactor.
///
/// # Dropping it
/// Drops the future of every task before `drop` returns, `!Send` futures on their own thread, and
/// waits for all blocking jobs, including queued ones. [`shutdown_timeout`](Self::shutdown_timeout)
/// limits the wait; [`shutdown_background`](Self::shutdown_background) does not wait.
///
/// A runtime may end while it is current on a thread, and inside [`enter`](Self::enter) of another
/// one. It stays the current one there; what is spawned on it then is cancelled.
///
/// # For implementors
/// Dropping the owner inside a runtime, where waiting is not allowed, must panic with a message
/// that names `shutdown_background`, and must not hang.
///
/// # Examples
/// ```
/// use anyrt_core::Spawner;
/// use anyrt_core::runtime::{Builder, Owner};
///
/// /// Runs on whatever backend the caller names: `answer::<anyrt_smol::runtime::Runtime>()`.
/// fn answer<O: Owner>() -> Result<u32, Box<dyn std::error::Error>> {
///     let runtime: O = Builder::new_multi_thread().worker_threads(2).build()?;
///     let task = runtime.handle().spawn(async { 7 });
///     Ok(runtime.block_on(task)?)
/// }
/// ```
pub trait Owner: Sized + Send + Sync + fmt::Debug + 'static {
    /// The type of the handle.
    type Handle: Runtime;

    /// The kind of runtime. Its name is that of the feature and of `ANYRT_BACKEND`.
    const KIND: &'static Kind;

    /// Starts a runtime with the given options.
    ///
    /// # Errors
    /// Returns [`BuildError::Unsupported`] for an option that this backend cannot honour,
    /// [`BuildError::Invalid`] for an invalid value, and [`BuildError::Unavailable`] or
    /// [`BuildError::Io`] if the system cannot provide what is needed.
    fn build(config: &Config) -> Result<Self, BuildError>;

    /// Returns a handle to the runtime.
    fn handle(&self) -> &Self::Handle;

    /// Runs `future` on this thread until it completes, with this runtime as the current one.
    ///
    /// On a current-thread runtime, spawned tasks run only within this call.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, of whatever kind, or if `future` panics.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Makes the runtime the current one on this thread while `scope` runs.
    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T;

    /// Shuts down the runtime. Waits at most `timeout` for blocking jobs and for tasks that are
    /// being polled.
    ///
    /// # Panics
    /// Panics on a thread that is driving a runtime, of whatever kind, unless `timeout` is zero.
    /// The runtime is then shut down in the background.
    fn shutdown_timeout(self, timeout: Duration);

    /// Shuts down the runtime without waiting. May be called anywhere.
    ///
    /// Futures may be dropped after it has returned.
    fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }
}
