//! A runtime whose tasks need not be `Send`.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use super::{Builder, EnterGuard, Handle, Runtime};
use crate::task::JoinHandle;

/// Options of a [`LocalRuntime`]; there are none yet.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    // Some options of tomorrow may belong to one thread: `!Send`.
    thread: PhantomData<*const ()>,
}

/// Owns a current-thread runtime that stays on its thread, so that its tasks need not be `Send`.
///
/// It is made by [`Builder::build_local`].
#[derive(Debug)]
pub struct LocalRuntime {
    runtime: Runtime,
    thread: PhantomData<*const ()>,
}

impl LocalRuntime {
    /// A runtime of this thread; see [`Builder`] for options.
    ///
    /// # Errors
    /// See [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    }

    pub(super) fn from_runtime(runtime: Runtime) -> Self {
        Self {
            runtime,
            thread: PhantomData,
        }
    }

    /// The handle to the runtime.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Starts `job` on a thread where blocking harms nobody.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.runtime.spawn_blocking(job)
    }

    /// Runs `future`, and the tasks beside it, until it is ready.
    ///
    /// # Panics
    /// When the thread is driving a runtime already, of whatever kind. When `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Makes the runtime current on this thread until the guard is dropped.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Ends the runtime, but waits for running blocking jobs no longer than `timeout`.
    ///
    /// # Panics
    /// Inside a task, where waiting is not allowed.
    #[track_caller]
    pub fn shutdown_timeout(self, timeout: Duration) {
        self.runtime.shutdown_timeout(timeout);
    }

    /// Ends the runtime without waiting; may be called anywhere.
    pub fn shutdown_background(self) {
        self.runtime.shutdown_background();
    }
}
