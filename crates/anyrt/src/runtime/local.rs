//! A runtime whose tasks need not be `Send`.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use super::{Builder, EnterGuard, Flavor, Handle, Runtime, RuntimeMetrics};
use crate::task::{JoinHandle, LocalSet};

/// Options of a [`LocalRuntime`]. There are none yet.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    // Future options may be tied to a thread: `!Send`.
    thread: PhantomData<*const ()>,
}

/// An owned current-thread runtime that stays on its thread, so that its tasks need not be `Send`.
///
/// Created by [`Builder::build_local`] or [`new`](Self::new).
///
/// # Examples
/// ```
/// # anyrt::__if_any! {{
/// use std::rc::Rc;
/// use anyrt::runtime::LocalRuntime;
///
/// let runtime = LocalRuntime::new()?;
/// let name = Rc::new("not Send");
/// let length = runtime.block_on(async {
///     anyrt::task::spawn_local(async move { name.len() }).await.unwrap()
/// });
/// assert_eq!(length, 8);
/// # } {}}
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct LocalRuntime {
    // The tasks end first.
    tasks: Tasks,
    runtime: Runtime,
}

unwind_safe!(LocalRuntime);

#[derive(Debug)]
struct Tasks {
    /// `None` only while it is dropped.
    set: Option<LocalSet>,
    runtime: Handle,
}

/// Drops the tasks with their runtime as the current one.
impl Drop for Tasks {
    fn drop(&mut self) {
        let _current = self.runtime.enter();
        drop(self.set.take());
    }
}

impl LocalRuntime {
    /// Starts a runtime on this thread with default options; see [`Builder`] for others.
    ///
    /// # Errors
    /// See [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    }

    fn tasks(&self) -> &LocalSet {
        match &self.tasks.set {
            Some(tasks) => tasks,
            None => unreachable!("it is taken only when the tasks are dropped"),
        }
    }

    /// Returns a handle to the runtime.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Spawns `future` as a task on this thread. It runs within [`block_on`](Self::block_on) only.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.tasks().spawn_local(future)
    }

    /// Runs `job` on the blocking thread pool.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.runtime.spawn_blocking(job)
    }

    /// Runs `future` and the spawned tasks until `future` completes.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, of whatever kind, or if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.tasks().block_on(&self.runtime, future)
    }

    /// Returns metrics of the runtime. Local tasks are not counted.
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle().metrics()
    }

    /// Makes the runtime the current one on this thread until the guard is dropped.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Shuts down the runtime. Waits at most `timeout` for blocking jobs.
    ///
    /// # Panics
    /// Panics inside a task, where waiting is not allowed.
    #[track_caller]
    pub fn shutdown_timeout(self, timeout: Duration) {
        drop(self.tasks);
        self.runtime.shutdown_timeout(timeout);
    }

    /// Shuts down the runtime without waiting. May be called anywhere.
    pub fn shutdown_background(self) {
        drop(self.tasks);
        self.runtime.shutdown_background();
    }
}

impl Builder {
    /// Starts a current-thread runtime whose tasks need not be `Send`.
    ///
    /// # Errors
    /// See [`build`](Self::build).
    ///
    /// # Panics
    /// Panics if the builder is for a multi-threaded runtime.
    #[track_caller]
    pub fn build_local(&mut self, _options: LocalOptions) -> io::Result<LocalRuntime> {
        if self.options.config().flavor == Flavor::MultiThread {
            panic!("multi_thread is not supported for LocalRuntime");
        }
        let runtime = self.build()?;
        let tasks = Tasks {
            set: Some(LocalSet::new()),
            runtime: runtime.handle().clone(),
        };
        Ok(LocalRuntime { tasks, runtime })
    }
}
