//! Tasks in a foreign executor.
//!
//! Every task is one task of that executor, and one allocation there. The rest of the contract is
//! in the future for the executor ([`Hosted`]) and in the handle:
//!
//! - *Abort needs no waker at first.* A new task is queued, so its first poll sees the mark. Only a
//!   task that waits stores its waker in [`Tasks`]; a task that ends in its first poll avoids this
//!   cost.
//! - *Dropping the executor cancels.* It drops the futures, and joining them then reports the
//!   cancellation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyrt_core::task::enter_task;
use pin_project_lite::pin_project;

use super::isolated::{Isolated, Outcome};
use super::registry::Tasks;
use super::started::Started;
use super::workers::InTask;

/// For runtime authors: an executor that runs the tasks of an [`Engine`](super::Engine).
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Starts `task`, which never unwinds and must not be polled inside the call. Returns `None` if
    /// the executor is gone, and drops `task`.
    fn spawn<F>(&self, task: F) -> Option<Started<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Runs tasks on this thread until `until` is ready. If the application runs them, only waits
    /// for `until`.
    fn run(&self, until: Pin<&mut dyn Future<Output = ()>>) -> impl Future<Output = ()>;

    /// Like [`run`](Self::run), for a current-thread runtime: usually no other thread runs tasks.
    fn run_alone(&self, until: Pin<&mut dyn Future<Output = ()>>) -> impl Future<Output = ()> {
        self.run(until)
    }

    /// Runs one queued task, if any. Returns whether there was one.
    fn try_tick(&self) -> bool;

    /// Returns the number of queued tasks that no worker has taken yet, as far as it is known.
    fn depth(&self) -> usize;

    /// Called when no thread runs the executor any more. If it outlives the engine, ends the
    /// remaining `tasks`.
    fn retire(&self, tasks: &Tasks) {
        let _ = tasks;
    }
}

/// For runtime authors: wraps each poll and the destructor of a task, on threads that do not know
/// the task's runtime.
pub trait Scope: Send + Sync {
    /// Calls `poll` once, with the runtime current.
    fn run(&self, poll: &mut dyn FnMut());
}

pin_project! {
    /// For runtime authors: the future of one task, for an [`Executor`]. It never unwinds.
    pub struct Hosted<F> {
        #[pin]
        task: Isolated<F>,
        scope: Option<Arc<dyn Scope>>,
        has_left_waker: bool,
    }

    impl<F> PinnedDrop for Hosted<F> {
        fn drop(this: Pin<&mut Self>) {
            if !this.task.is_finished() {
                let this = this.project();
                let mut task = this.task;
                let _task = enter_task(task.id());
                within(this.scope.as_deref(), || task.as_mut().cancel());
            }
        }
    }
}

impl<F> Hosted<F> {
    pub(super) fn new(task: Isolated<F>, scope: Option<Arc<dyn Scope>>) -> Self {
        Self {
            task,
            scope,
            has_left_waker: false,
        }
    }
}

impl<F: Future> Future for Hosted<F> {
    type Output = Outcome<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut task = this.task;
        let _task = enter_task(task.id());
        let _of = InTask::of(task.tasks().number());
        let polled = within(this.scope.as_deref(), || task.as_mut().poll(cx));
        if polled.is_pending() && !*this.has_left_waker {
            *this.has_left_waker = true;
            task.leave_waker(cx.waker());
        }
        polled
    }
}

#[inline]
fn within<T>(scope: Option<&dyn Scope>, poll: impl FnOnce() -> T) -> T {
    match scope {
        None => poll(),
        Some(scope) => within_scope(scope, poll),
    }
}

#[cold]
fn within_scope<T>(scope: &dyn Scope, poll: impl FnOnce() -> T) -> T {
    let (mut poll, mut polled) = (Some(poll), None);
    scope.run(&mut || polled = poll.take().map(|poll| poll()));
    match polled {
        Some(polled) => polled,
        None => unreachable!("a scope calls what it is given"),
    }
}

impl<F> fmt::Debug for Hosted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hosted").field(&self.task.id()).finish()
    }
}
