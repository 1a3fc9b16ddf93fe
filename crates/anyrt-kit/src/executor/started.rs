//! The join side of a task that a foreign executor has started.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyrt_core::waiters::wake_all;
use pin_project_lite::pin_project;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// For runtime authors: a task that an [`Executor`](super::Executor) has started.
pub struct Started<T>(Kind<T>);

enum Kind<T> {
    Task(async_task::FallibleTask<T>),
    Slot(Arc<Slot<T>>),
    Joined,
}

impl<T> Started<T> {
    /// Wraps a task of `async-task`, which all executors of the Smol family return.
    pub fn task(task: async_task::Task<T>) -> Self {
        // Fallible, because dropping the executor cancels, and a `Task` would panic then.
        Self(Kind::Task(task.fallible()))
    }

    /// For an executor that does not know the type of the result: returns the future to start there,
    /// and the join side that gets the result. Costs an allocation.
    pub fn slot<F>(task: F) -> (impl Future<Output = ()> + use<F, T>, Self)
    where
        F: Future<Output = T>,
    {
        let slot = Arc::new(Slot {
            state: Mutex::new(SlotState::Open(None)),
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
            Kind::Slot(slot) => !matches!(*slot.lock(), SlotState::Open(_)),
            Kind::Joined => true,
        }
    }

    /// Polls for the result. Returns `None` if the future was dropped.
    ///
    /// # Panics
    /// Panics if it has returned a result already: a second one would be that of a dropped future.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let polled = match &mut self.0 {
            Kind::Task(task) => Pin::new(task).poll(cx),
            Kind::Slot(slot) => slot.poll(cx),
            Kind::Joined => polled_after_completion(),
        };
        if polled.is_ready() {
            std::mem::replace(self, Self::joined()).detach();
        }
        polled
    }

    /// Returns the join side of a task that was joined.
    pub(super) fn joined() -> Self {
        Self(Kind::Joined)
    }

    pub(super) fn detach(self) {
        match self.0 {
            Kind::Task(task) => task.detach(),
            Kind::Slot(slot) => slot.detach(),
            Kind::Joined => {}
        }
    }
}

#[cold]
fn polled_after_completion() -> ! {
    panic!("JoinHandle polled after completion")
}

impl<T> fmt::Debug for Started<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// The slot of a result until it is joined.
struct Slot<T> {
    state: Mutex<SlotState<T>>,
}

enum SlotState<T> {
    /// No result yet, and the waker of the joining task.
    Open(Option<Waker>),
    /// The result, or `None` if the future was dropped or the result was taken.
    Closed(Option<T>),
    /// The handle was dropped.
    Detached,
}

impl<T> Slot<T> {
    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.lock();
        match &mut *state {
            SlotState::Open(waker) => {
                let former = waker.replace(cx.waker().clone());
                // Outside the lock: a waker's destructor is foreign code.
                drop(state);
                drop(former);
                Poll::Pending
            }
            SlotState::Closed(result) => Poll::Ready(result.take()),
            SlotState::Detached => unreachable!("the handle is gone"),
        }
    }

    fn close(&self, result: Option<T>) {
        let mut state = self.lock();
        let former = match &*state {
            SlotState::Open(_) => std::mem::replace(&mut *state, SlotState::Closed(result)),
            // The result is dropped here, outside the lock.
            SlotState::Detached => {
                drop(state);
                return drop(result);
            }
            SlotState::Closed(_) => return,
        };
        drop(state);
        if let SlotState::Open(Some(waker)) = former {
            wake_all([waker]);
        }
    }

    fn detach(&self) {
        let former = std::mem::replace(&mut *self.lock(), SlotState::Detached);
        drop(former);
    }

    fn lock(&self) -> MutexGuard<'_, SlotState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the slot on drop, so that joining a dropped future ends.
struct Filler<T>(Arc<Slot<T>>);

impl<T> Drop for Filler<T> {
    fn drop(&mut self) {
        self.0.close(None);
    }
}

pin_project! {
    /// A future that stores its result in a slot.
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
