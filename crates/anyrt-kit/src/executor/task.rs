//! Tasks with Tokio's semantics over `async-task`: abort, panic isolation, ids, the budget.
//!
//! A task is one allocation of `async-task`, whose wakers are sound on every thread. This file adds
//! the rest of the contract:
//!
//! - *Panics stay inside.* `Isolated` catches them in polls and in destructors, so `async-task`
//!   never sees one (it would abort the process in a destructor).
//! - *Abort is a poll.* The task is marked in [`Tasks`] and woken; the following poll drops the
//!   future and returns the cancelled result. So abort works from any thread, on tasks that are
//!   queued, waiting or running, and "finished" is never reported before the destructor has run.
//! - *A dropped [`Runnable`] is an abort*, so dropping a queue cancels its tasks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use anyrt_core::boxed_if_large;
use anyrt_core::coop;
use anyrt_core::error::JoinError;
use anyrt_core::task::{AbortHandle, Id, JoinHandle, enter_task};

use super::awaited;
use super::hosted::{Hosted, Scope};
use super::isolated::{Isolated, Outcome};
use super::registry::Tasks;
use super::started::Started;

impl Tasks {
    /// Creates a task of `future` and passes it to `schedule`, now and whenever it is woken.
    ///
    /// `future` is not polled inside the call. After [`close`](Self::close) it is dropped at once,
    /// and joining it returns a cancelled error.
    pub fn spawn<F, S>(self: &Arc<Self>, future: F, schedule: S) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        S: Fn(Runnable) + Send + Sync + 'static,
    {
        boxed_if_large!(future: F = Box::pin(future) => self.start(future, schedule))
    }

    fn start<F, S>(self: &Arc<Self>, future: F, schedule: S) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        S: Fn(Runnable) + Send + Sync + 'static,
    {
        self.register(None, |meta| {
            let future = isolated(future, &meta);
            async_task::Builder::new().metadata(meta).spawn(
                |_| future,
                move |runnable| schedule(Runnable::new(runnable)),
            )
        })
    }

    /// Like [`spawn`](Self::spawn), for a future that stays on this thread: `schedule` may be
    /// called on any thread, but must pass the runnable back to this one.
    pub fn spawn_local<F, S>(self: &Arc<Self>, future: F, schedule: S) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
        S: Fn(Runnable) + Send + Sync + 'static,
    {
        boxed_if_large!(future: F = Box::pin(future) => self.start_local(future, schedule))
    }

    fn start_local<F, S>(self: &Arc<Self>, future: F, schedule: S) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
        S: Fn(Runnable) + Send + Sync + 'static,
    {
        self.register(Some(thread::current().id()), |meta| {
            let future = isolated(future, &meta);
            async_task::Builder::new().metadata(meta).spawn_local(
                |_| future,
                move |runnable| schedule(Runnable::new(runnable)),
            )
        })
    }

    fn register<T>(
        self: &Arc<Self>,
        home: Option<ThreadId>,
        build: impl FnOnce(
            Meta,
        ) -> (
            async_task::Runnable<Meta>,
            async_task::Task<Outcome<T>, Meta>,
        ),
    ) -> TaskHandle<T> {
        let id = Id::next();
        let (runnable, task) = self.enter(id, |key| {
            let (runnable, task) = build(Meta {
                id,
                key,
                home,
                tasks: Arc::clone(self),
            });
            let waker = runnable.waker();
            ((runnable, task), Some(waker))
        });
        if self.is_closed() {
            // Polls nothing: `Isolated` sees the close and drops the future.
            let _task = enter_task(id);
            runnable.run();
        } else {
            runnable.schedule();
        }
        TaskHandle {
            join: Join::Own(Some(task)),
        }
    }

    /// Creates a task of `future` in a foreign executor: `start` spawns its argument there, and
    /// returns `None` if that executor is gone.
    ///
    /// `scope`, if any, wraps each poll and the destructor of `future`. After
    /// [`close`](Self::close) the future is dropped at once, and joining it returns a cancelled
    /// error.
    pub fn spawn_hosted<F>(
        self: &Arc<Self>,
        future: F,
        scope: Option<Arc<dyn Scope>>,
        start: impl FnOnce(Hosted<F>) -> Option<Started<Outcome<F::Output>>>,
    ) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let id = Id::next();
        // It stores its waker when it waits for the first time.
        let key = self.enter(id, |key| (key, None));
        let tasks = Arc::clone(self);
        let hosted = Hosted::new(Isolated::new(future, Arc::clone(self), key, id), scope);
        let started = if self.is_closed() {
            drop(hosted);
            None
        } else {
            start(hosted)
        };
        TaskHandle {
            join: Join::Hosted {
                started,
                tasks,
                key,
                id,
            },
        }
    }
}

fn isolated<F>(future: F, meta: &Meta) -> Isolated<F> {
    Isolated::new(future, Arc::clone(&meta.tasks), meta.key, meta.id)
}

/// The part of a task's allocation besides the future.
struct Meta {
    id: Id,
    key: usize,
    /// The only thread that may touch the future, if it is not `Send`.
    home: Option<ThreadId>,
    tasks: Arc<Tasks>,
}

/// A task that is ready to be polled once. Queue it, then [`run`](Self::run) it.
///
/// Dropping it aborts the task.
pub struct Runnable {
    inner: Option<async_task::Runnable<Meta>>,
}

impl Runnable {
    fn new(inner: async_task::Runnable<Meta>) -> Self {
        Self { inner: Some(inner) }
    }

    /// Polls the task. Never unwinds. Returns whether it was woken during the poll, as a task that
    /// yields does itself; then it is queued again.
    ///
    /// # Panics
    /// Panics if a task of [`Tasks::spawn_local`] is run on another thread than its own.
    #[inline]
    pub fn run(mut self) -> bool {
        match self.inner.take() {
            Some(runnable) => {
                let _task = enter_task(runnable.metadata().id);
                runnable.run()
            }
            None => false,
        }
    }

    #[cold]
    fn abort(runnable: async_task::Runnable<Meta>) {
        let meta = runnable.metadata();
        if meta.home.is_some_and(|home| home != thread::current().id()) {
            // Its thread has ended without running its queue. Leaking the task is the only sound
            // option.
            std::mem::forget(runnable);
            return;
        }
        meta.tasks.abort(meta.key, meta.id);
        let _task = enter_task(meta.id);
        runnable.run();
    }
}

impl Drop for Runnable {
    // A polled task leaves nothing behind, which the caller of `run` sees at once.
    #[inline]
    fn drop(&mut self) {
        if let Some(runnable) = self.inner.take() {
            Self::abort(runnable);
        }
    }
}

impl fmt::Debug for Runnable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.inner.as_ref().map(|runnable| runnable.metadata().id);
        f.debug_tuple("Runnable").field(&id).finish()
    }
}

/// Joins a task of [`Tasks`].
///
/// Dropping it detaches the task.
pub struct TaskHandle<T> {
    join: Join<T>,
}

enum Join<T> {
    /// `None` only inside `drop`.
    Own(Option<async_task::Task<Outcome<T>, Meta>>),
    Hosted {
        /// `None` if the executor was gone or the runtime had ended, so that the task is cancelled.
        started: Option<Started<Outcome<T>>>,
        tasks: Arc<Tasks>,
        key: usize,
        id: Id,
    },
}

impl<T> TaskHandle<T> {
    fn entry(&self) -> (&Arc<Tasks>, usize, Id) {
        match &self.join {
            Join::Own(task) => {
                let meta = own(task.as_ref()).metadata();
                (&meta.tasks, meta.key, meta.id)
            }
            Join::Hosted { tasks, key, id, .. } => (tasks, *key, *id),
        }
    }
}

fn own<T>(task: Option<T>) -> T {
    match task {
        Some(task) => task,
        None => unreachable!("the task leaves its handle only in drop"),
    }
}

impl<T> JoinHandle<T> for TaskHandle<T> {
    type AbortHandle = TaskAbortHandle;

    fn abort(&self) {
        let (tasks, key, id) = self.entry();
        tasks.abort(key, id);
    }

    fn is_finished(&self) -> bool {
        match &self.join {
            Join::Own(task) => own(task.as_ref()).is_finished(),
            Join::Hosted { started, .. } => started.as_ref().is_none_or(Started::is_finished),
        }
    }

    fn id(&self) -> Id {
        self.entry().2
    }

    fn abort_handle(&self) -> TaskAbortHandle {
        let (tasks, key, id) = self.entry();
        TaskAbortHandle {
            tasks: Arc::clone(tasks),
            key,
            id,
        }
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        coop::charged(cx, |cx| match &mut self.join {
            Join::Own(task) => {
                let task = own(task.as_mut());
                let polled = Pin::new(&mut *task).poll(cx);
                if polled.is_pending() {
                    awaited::note(task.metadata().id);
                }
                polled.map(|mut outcome| outcome.take())
            }
            Join::Hosted { started, id, .. } => match started {
                Some(started) => started.poll(cx).map(|outcome| match outcome {
                    Some(mut outcome) => outcome.take(),
                    // Its executor was dropped together with the future.
                    None => Err(JoinError::cancelled(*id)),
                }),
                None => {
                    *started = Some(Started::joined());
                    Poll::Ready(Err(JoinError::cancelled(*id)))
                }
            },
        })
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        // An unjoined value is dropped here.
        match &mut self.join {
            Join::Own(task) => {
                if let Some(task) = task.take() {
                    task.detach();
                }
            }
            Join::Hosted { started, .. } => {
                if let Some(started) = started.take() {
                    started.detach();
                }
            }
        }
    }
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Aborts a task of [`Tasks`], from any thread.
#[derive(Clone)]
pub struct TaskAbortHandle {
    tasks: Arc<Tasks>,
    key: usize,
    id: Id,
}

impl AbortHandle for TaskAbortHandle {
    fn abort(&self) {
        self.tasks.abort(self.key, self.id);
    }

    fn is_finished(&self) -> bool {
        !self.tasks.is_alive(self.key, self.id)
    }

    fn id(&self) -> Id {
        self.id
    }
}

impl fmt::Debug for TaskAbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskAbortHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
