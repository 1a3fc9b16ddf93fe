//! The wrapper of a task's future: it never unwinds, ends when the task is aborted, and has a
//! budget.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use anyrt_core::coop;
use anyrt_core::error::JoinError;
use anyrt_core::task::{Id, enter_task};
use pin_project_lite::pin_project;

use super::registry::Tasks;

pin_project! {
    /// A future that never unwinds, ends when its task is aborted, and has a budget.
    pub(super) struct Isolated<F> {
        #[pin]
        future: Option<F>,
        tasks: Arc<Tasks>,
        key: usize,
        id: Id,
    }

    impl<F> PinnedDrop for Isolated<F> {
        fn drop(this: Pin<&mut Self>) {
            this.cancel();
        }
    }
}

impl<F> Isolated<F> {
    pub(super) fn new(future: F, tasks: Arc<Tasks>, key: usize, id: Id) -> Self {
        Self {
            future: Some(future),
            tasks,
            key,
            id,
        }
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }

    pub(super) fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    pub(super) fn is_finished(&self) -> bool {
        self.future.is_none()
    }

    /// Stores the waker of a task that is pending after its first poll.
    pub(super) fn leave_waker(&self, waker: &Waker) {
        self.tasks.leave_waker(self.key, waker);
    }

    /// Drops a future that will not be polled to its end. Joining reports the cancellation, not a
    /// panic of the destructor.
    pub(super) fn cancel(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.future.is_some() {
            drop_quietly(|| this.future.set(None));
            this.tasks.remove(*this.key);
        }
    }
}

impl<F: Future> Future for Isolated<F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let id = *this.id;
        let result = if this.tasks.must_end(*this.key) {
            match catch(|| this.future.set(None)) {
                Ok(()) => Err(JoinError::cancelled(id)),
                Err(payload) => Err(JoinError::panicked(id, payload)),
            }
        } else {
            let polled = catch(|| {
                let Some(future) = this.future.as_mut().as_pin_mut() else {
                    return Poll::Pending;
                };
                let polled = coop::with_budget(|| future.poll(cx));
                if polled.is_ready() {
                    this.future.set(None);
                }
                polled
            });
            match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(value)) => Ok(value),
                Err(payload) => {
                    // The first panic is reported.
                    drop_quietly(|| this.future.set(None));
                    Err(JoinError::panicked(id, payload))
                }
            }
        };
        this.tasks.remove(*this.key);
        Poll::Ready(Outcome {
            id,
            result: Some(result),
        })
    }
}

fn catch<T>(f: impl FnOnce() -> T) -> thread::Result<T> {
    // After unwinding the future is only dropped, so its broken state is not observed.
    catch_unwind(AssertUnwindSafe(f))
}

/// Runs a destructor and ignores its panic.
fn drop_quietly(destructor: impl FnOnce()) {
    if let Err(payload) = catch(destructor)
        && let Err(payload) = catch(|| drop(payload))
    {
        // The payload panics when it is dropped, and so may the new payload. Leaking it ends the
        // sequence.
        std::mem::forget(payload);
    }
}

/// A task's result, on its way to the join handle. If it is not joined, its destructor does not
/// unwind either.
pub struct Outcome<T> {
    id: Id,
    result: Option<Result<T, JoinError>>,
}

impl<T> Outcome<T> {
    pub(super) fn take(&mut self) -> Result<T, JoinError> {
        match self.result.take() {
            Some(result) => result,
            None => unreachable!("an outcome is emptied only here"),
        }
    }
}

impl<T> Drop for Outcome<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(result) = self.result.take() {
            let _task = enter_task(self.id);
            drop_quietly(|| drop(result));
        }
    }
}

impl<T> fmt::Debug for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
