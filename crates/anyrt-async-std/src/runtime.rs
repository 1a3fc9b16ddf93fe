//! The executor that runs the tasks, and how a thread waits. The rest is in [`anyrt_async_io`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::LocalKey;
use std::time::Instant;

use anyrt_async_io::executor::{ErasedEnd, ErasedTask, Executor, Foreign};
use anyrt_async_io::reactor::{self, Reactor};
use anyrt_async_io::runtime;
use anyrt_core::context::{Kind, Slot};
use anyrt_core::runtime::Config;
use anyrt_kit::executor::{Host, Tasks};

/// The name of the backend in features and `ANYRT_BACKEND`.
pub static KIND: Kind = Kind::new("async-std");

/// A handle to the runtime. It does not keep the runtime alive; its [`Runtime`] does.
///
/// # Examples
/// ```
/// use anyrt_async_std::AsyncStdRuntime;
/// use anyrt_core::{Spawner, Timer};
/// use std::time::Duration;
///
/// // The executor of `async_std::task::spawn`.
/// let rt = AsyncStdRuntime::global();
/// let answer = async_std::task::block_on(async {
///     rt.sleep(Duration::from_millis(1)).await;
///     rt.spawn(async { 7 }).await
/// });
/// assert_eq!(answer.unwrap(), 7);
/// ```
pub type AsyncStdRuntime = runtime::Handle<AsyncStd>;

/// An owned runtime: its threads and its tasks.
pub type Runtime = runtime::Runtime<AsyncStd>;

/// Configures and builds a [`Runtime`].
pub type Builder = anyrt_core::runtime::Builder<Runtime>;

/// Threads that run an executor of async-std's kind inside [`async_std::task::block_on`].
#[derive(Debug)]
pub struct AsyncStd;

impl Host for AsyncStd {
    const KIND: &'static Kind = &KIND;

    type Handle = AsyncStdRuntime;

    fn slot() -> &'static LocalKey<Slot<AsyncStdRuntime>> {
        thread_local! {
            static CURRENT: Slot<AsyncStdRuntime> = const { Slot::new() };
        }
        &CURRENT
    }

    type Executor = Executor;

    fn executor() -> Executor {
        Executor::own()
    }

    type Reactor = Arc<Reactor>;

    fn reactor(_: &Config, tasks: &Arc<Tasks>) -> io::Result<Arc<Reactor>> {
        Reactor::new(tasks)
    }

    fn end(reactor: &Arc<Reactor>) {
        reactor.end();
    }

    const PAUSABLE: bool = true;

    fn alarm(at: Instant) -> impl Future<Output = ()> {
        reactor::alarm(at)
    }

    fn delivered() -> impl Future<Output = ()> {
        reactor::delivered()
    }

    fn block_on(future: Pin<&mut dyn Future<Output = ()>>) {
        async_std::task::block_on(future);
    }
}

/// Starts tasks by [`async_std::task::spawn`].
struct ByAsyncStd;

impl Foreign for ByAsyncStd {
    fn spawn(&self, task: ErasedTask) {
        async_std::task::spawn(task);
    }

    fn relieve<'a>(&'a self, until: ErasedEnd<'a>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(Self::with_one_more_thread(until))
    }
}

impl ByAsyncStd {
    async fn with_one_more_thread(until: ErasedEnd<'_>) {
        /// The number of threads that block in place now, and of additional threads, which are kept
        /// for later use.
        static BLOCKED: AtomicUsize = AtomicUsize::new(0);
        static MORE: AtomicUsize = AtomicUsize::new(0);

        let blocked = BLOCKED.fetch_add(1, Ordering::Relaxed) + 1;
        let one_more = |more| (more < blocked).then_some(more + 1);
        let needs_one = MORE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        if needs_one.is_ok() {
            let started = async_global_executor::spawn_more_threads(1).await;
            // The limit of the system or of async-std is reached.
            if !matches!(started, Ok(1..)) {
                MORE.fetch_sub(1, Ordering::Relaxed);
            }
        }
        until.await;
        BLOCKED.fetch_sub(1, Ordering::Relaxed);
    }
}

impl runtime::Host for AsyncStd {
    fn process_default() -> &'static OnceLock<AsyncStdRuntime> {
        static DEFAULT: OnceLock<AsyncStdRuntime> = OnceLock::new();
        &DEFAULT
    }

    // In a task of async-std, on a thread that this crate did not start.
    fn of_application() -> Option<AsyncStdRuntime> {
        async_std::task::try_current().map(|_| AsyncStdRuntime::global())
    }
}

impl runtime::HasGlobal for AsyncStd {
    fn global_executor() -> Box<dyn Foreign> {
        Box::new(ByAsyncStd)
    }

    fn global_runtime() -> &'static OnceLock<AsyncStdRuntime> {
        static GLOBAL: OnceLock<AsyncStdRuntime> = OnceLock::new();
        &GLOBAL
    }
}
