//! Runtimes that an application has started by itself, as owners for the suite: one line each.

#![cfg(any(
    feature = "tokio",
    feature = "smol",
    feature = "async-std",
    feature = "glommio"
))]

use std::fmt;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use anyrt::runtime::{Handle, Runtime};
use anyrt_core::BuildError;
use anyrt_core::context::Kind;
use anyrt_core::runtime::{Config, Owner};
use anyrt_testkit::Suite;

/// Registers all of them.
pub(crate) fn add_to(mut suite: Suite) -> Suite {
    #[cfg(feature = "tokio")]
    {
        suite = suite.native("tokio_current", 2, FOUND_BY_TOKIO, tokio_current);
    }
    #[cfg(feature = "smol")]
    {
        suite = suite.native("smol_executor", 2, &[], smol_executor);
        suite = suite.native("smol_global", 1, &[], |_| {
            Native::start(anyrt_smol::SmolRuntime::global(), || {})
        });
    }
    #[cfg(feature = "async-std")]
    {
        suite = suite.native("async_std_global", 1, &[], |_| {
            Native::start(anyrt_async_std::AsyncStdRuntime::global(), || {})
        });
    }
    #[cfg(feature = "glommio")]
    {
        suite = match anyrt_glommio::is_available() {
            Ok(()) => suite.native("glommio_adopted", 1, &[], glommio_adopted),
            Err(reason) => suite.skipped("glommio_adopted", &reason.to_string()),
        };
    }
    suite
}

/// A task in a runtime that the application built is Tokio's own and does not enter anyrt's
/// context. The facade and `TokioRuntime::try_current` find the runtime through Tokio's.
#[cfg(feature = "tokio")]
const FOUND_BY_TOKIO: &[(&str, &str)] = &[
    (
        "nesting::block_on_inside_a_task_panics_and_says_so",
        OWN_CONTEXT,
    ),
    (
        "context::tasks_and_their_children_see_the_runtime",
        OWN_CONTEXT,
    ),
    ("context::local_tasks_see_the_runtime", OWN_CONTEXT),
    (
        "context::blocking_jobs_and_their_tasks_see_the_runtime",
        OWN_CONTEXT,
    ),
    (
        "context::destructors_of_aborted_tasks_see_the_runtime",
        OWN_CONTEXT,
    ),
    ("context::block_on_is_driving_and_so_is_a_task", OWN_CONTEXT),
];

#[cfg(feature = "tokio")]
const OWN_CONTEXT: &str = "it asks anyrt's context, and this runtime is found by Tokio's own";

#[cfg(feature = "tokio")]
fn tokio_current(config: &Config) -> Result<Native, BuildError> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers())
        .enable_all()
        .build();
    let tokio = tokio.expect("the system has threads");
    let current = tokio.block_on(async { anyrt_tokio::TokioRuntime::current() });
    Native::start(current, move || drop(tokio))
}

#[cfg(feature = "smol")]
fn smol_executor(config: &Config) -> Result<Native, BuildError> {
    use std::sync::Arc;
    use std::thread;

    let executor = Arc::new(async_executor::Executor::new());
    let (end, ended) = async_channel::bounded::<()>(1);
    let threads: Vec<_> = (0..config.workers())
        .map(|_| {
            let (executor, ended) = (Arc::clone(&executor), ended.clone());
            thread::spawn(move || {
                let _ = async_io::block_on(executor.run(ended.recv()));
            })
        })
        .collect();
    Native::start(anyrt_smol::SmolRuntime::on(executor), move || {
        drop(end);
        for thread in threads {
            thread.join().expect("no task unwinds");
        }
    })
}

#[cfg(feature = "glommio")]
fn glommio_adopted(_: &Config) -> Result<Native, BuildError> {
    use std::sync::mpsc;
    use std::thread;

    use anyrt_core::Spawner;
    use anyrt_glommio::GlommioRuntime;

    let (give, handle) = mpsc::channel();
    let (end, ended) = async_channel::bounded::<()>(1);
    let thread = thread::spawn(move || {
        glommio::LocalExecutor::default().run(async move {
            let rt = GlommioRuntime::adopt().expect("the system has descriptors");
            // In a task of anyrt, whose waker may be used on every thread. It wakes the native task
            // on this thread.
            let ended = rt.spawn(async move { ended.recv().await });
            give.send(rt).expect("the test waits for it");
            let _ = ended.await;
        });
    });
    let handle = handle.recv().expect("the executor runs");
    Native::start(handle, move || {
        drop(end);
        thread.join().expect("no task unwinds");
    })
}

/// A runtime that the application ends.
pub(crate) struct Native {
    handle: Handle,
    end: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Native {
    /// Creates an owner from a handle. Dropping it calls `end`, which does the part of the
    /// application.
    fn start(
        handle: impl Into<Handle>,
        end: impl FnOnce() + Send + 'static,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            handle: handle.into(),
            end: Mutex::new(Some(Box::new(end))),
        })
    }
}

impl Owner for Native {
    type Handle = Handle;

    const KIND: &'static Kind = Runtime::KIND;

    fn build(_: &Config) -> Result<Self, BuildError> {
        Err(BuildError::Unavailable {
            backend: "native",
            why: "which application is it?".to_owned(),
        })
    }

    fn handle(&self) -> &Handle {
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

    fn shutdown_timeout(self, _: Duration) {}
}

impl Drop for Native {
    fn drop(&mut self) {
        if let Ok(mut end) = self.end.lock()
            && let Some(end) = end.take()
        {
            end();
        }
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Native").field(&self.handle).finish()
    }
}
