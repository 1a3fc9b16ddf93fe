//! Tasks in an executor of another crate.
//!
//! Every task is one task of that executor, and one allocation there. What the contract asks for beyond it is in the
//! future that the executor is given ([`Hosted`]) and in the handle:
//!
//! - *Abort needs no waker at the beginning.* A new task is queued, so its first poll sees the mark by itself. Only a task
//!   that waits leaves its waker with [`Tasks`](super::Tasks); one that ends in its first poll never pays for it.
//! - *An executor that goes away cancels.* It drops the futures, which tells those who join.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyrt_core::task::enter_task;
use anyrt_core::waiters::wake_all;
use pin_project_lite::pin_project;

use super::task::{Isolated, Outcome};
use super::workers::{InTask, count_poll};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// For runtime authors: an executor that runs the tasks of an [`Engine`](super::Engine).
pub trait Executor: fmt::Debug + Send + Sync + 'static {
    /// Starts `task`, which never unwinds. It is not polled inside the call. `None` if the executor is gone; then `task`
    /// was dropped.
    fn spawn<F>(&self, task: F) -> Option<Started<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Runs tasks on this thread until `until` is ready. Where somebody else runs them, waits for `until` alone.
    fn run<F: Future>(&self, until: F) -> impl Future<Output = F::Output>;

    /// Runs one task, if one is queued. Returns whether there was one.
    fn try_tick(&self) -> bool;

    /// The number of queued tasks that no worker has taken yet, as far as it is known.
    fn depth(&self) -> usize;
}

/// For runtime authors: what is around each poll of a task, and around its destructor, on threads that know nothing of
/// the task's runtime.
pub trait Scope: Send + Sync {
    /// Calls `poll` once, with the runtime current.
    fn run(&self, poll: &mut dyn FnMut());
}

pin_project! {
    /// For runtime authors: the future of one task, to be given to an [`Executor`]. It never unwinds.
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
        count_poll();
        let _task = enter_task(task.id());
        let _of = InTask::of(task.tasks());
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

/// For runtime authors: a task that an [`Executor`] has started.
pub struct Started<T>(Kind<T>);

enum Kind<T> {
    Task(async_task::FallibleTask<T>),
    Slot(Arc<Slot<T>>),
}

impl<T> Started<T> {
    /// A task of `async-task`, which all executors of the smol family give.
    pub fn task(task: async_task::Task<T>) -> Self {
        // Fallible: an executor that is dropped cancels, where a `Task` would panic.
        Self(Kind::Task(task.fallible()))
    }

    /// For an executor whose handle cannot tell whether a task is finished: the future to start there, whose result comes
    /// to the other one. Costs an allocation.
    pub fn slot<F>(task: F) -> (impl Future<Output = ()> + use<F, T>, Self)
    where
        F: Future<Output = T>,
    {
        let slot = Arc::new(Slot {
            state: Mutex::new(State::Open(None)),
        });
        let filled = Filled {
            task,
            slot: Filler(Arc::clone(&slot)),
        };
        (filled, Self(Kind::Slot(slot)))
    }

    pub(super) fn is_finished(&self) -> bool {
        match &self.0 {
            Kind::Task(task) => task.is_finished(),
            Kind::Slot(slot) => !matches!(*slot.lock(), State::Open(_)),
        }
    }

    /// The result; `None` if the future was dropped.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match &mut self.0 {
            Kind::Task(task) => Pin::new(task).poll(cx),
            Kind::Slot(slot) => slot.poll(cx),
        }
    }

    pub(super) fn detach(self) {
        match self.0 {
            Kind::Task(task) => task.detach(),
            Kind::Slot(slot) => slot.detach(),
        }
    }
}

impl<T> fmt::Debug for Started<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Where a result waits for whoever joins.
struct Slot<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    /// Nothing yet, and the waker of whoever waits.
    Open(Option<Waker>),
    /// The result; `None` if the future was dropped or the result was taken.
    Closed(Option<T>),
    /// Nobody will join.
    Detached,
}

impl<T> Slot<T> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        match &mut *state {
            State::Open(waker) => {
                let former = waker.replace(cx.waker().clone());
                // Outside the lock: a waker's destructor is not ours.
                drop(state);
                drop(former);
                Poll::Pending
            }
            State::Closed(result) => Poll::Ready(result.take()),
            State::Detached => unreachable!("the handle is gone"),
        }
    }

    fn close(&self, result: Option<T>) {
        let mut state = self.lock();
        let former = match &*state {
            State::Open(_) => std::mem::replace(&mut *state, State::Closed(result)),
            // The result is dropped here, outside the lock.
            State::Detached => {
                drop(state);
                return drop(result);
            }
            State::Closed(_) => return,
        };
        drop(state);
        if let State::Open(Some(waker)) = former {
            wake_all([waker]);
        }
    }

    fn detach(&self) {
        let former = std::mem::replace(&mut *self.lock(), State::Detached);
        drop(former);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the slot when it goes, so that nobody waits for a future that was dropped.
struct Filler<T>(Arc<Slot<T>>);

impl<T> Drop for Filler<T> {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

pin_project! {
    /// A future that leaves its result in a slot.
    struct Filled<F, T> {
        #[pin]
        task: F,
        slot: Filler<T>,
    }
}

impl<T, F: Future<Output = T>> Future for Filled<F, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.task
            .poll(cx)
            .map(|result| this.slot.0.close(Some(result)))
    }
}
