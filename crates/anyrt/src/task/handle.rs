//! Handles of tasks: to join and to abort them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::error::JoinError;
use anyrt_core::task::{AbortHandle as _, Cancel, Id, JoinHandle as _};

/// A handle to a task, and a future of its result. Dropping it detaches the task and does not
/// cancel it.
///
/// # Cancel safety
/// Awaiting `&mut handle` is cancel-safe: the result is kept until it is taken.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let task = anyrt::spawn(async { panic!("oops") });
/// let error = task.await.unwrap_err();
/// assert!(error.is_panic());
///
/// let task = anyrt::spawn(std::future::pending::<()>());
/// task.abort();
/// assert!(task.await.unwrap_err().is_cancelled());
/// # Ok(()) });
/// ```
pub struct JoinHandle<T> {
    pub(crate) inner: one_of!(T; task::JoinHandle<T>),
}

impl<T> JoinHandle<T> {
    forward! {
        /// Asks the task to end at its next `.await`. Idempotent; may be called from any thread.
        ///
        /// Joining then returns an error for which [`JoinError::is_cancelled`] is `true`, after the
        /// future was dropped. A task that has already finished keeps its result.
        pub fn abort(&self);

        /// Returns `true` if the task has ended. A task that was aborted may still be running.
        pub fn is_finished(&self) -> bool;

        /// Returns the id of the task, unique among all tasks of the process.
        pub fn id(&self) -> Id;
    }

    /// Returns a handle that can only abort the task.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            inner: map_each!(&self.inner, handle => handle.abort_handle()),
        }
    }

    /// Aborts the task and waits until it has ended.
    ///
    /// # Errors
    /// Returns the error of joining the task, or `Ok` if it finished first.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// let task = anyrt::spawn(std::future::pending::<()>());
    /// let error = task.cancel().await.unwrap_err();
    /// assert!(error.is_cancelled()); // and its future was dropped
    /// # Ok(()) });
    /// ```
    pub fn cancel(self) -> Cancel<Self> {
        anyrt_core::JoinHandle::cancel(self)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        each!(&mut self.inner, backend, handle => backend::task::poll_join(handle, cx))
    }
}

impl<T> anyrt_core::JoinHandle<T> for JoinHandle<T> {
    type AbortHandle = AbortHandle;

    forward! {
        fn abort(&self);
        fn is_finished(&self) -> bool;
        fn id(&self) -> Id;
        fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>>;
    }

    fn abort_handle(&self) -> AbortHandle {
        self.abort_handle()
    }
}

unwind_safe!(AbortHandle; T: JoinHandle<T>);

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// A handle that can abort a task. Dropping it has no effect.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let task = anyrt::spawn(std::future::pending::<()>());
/// let stop = task.abort_handle();
/// anyrt::spawn(async move { stop.abort() });
/// assert!(task.await.unwrap_err().is_cancelled());
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    pub(crate) inner: one_of!(task::AbortHandle),
}

impl AbortHandle {
    forward! {
        /// See [`JoinHandle::abort`].
        pub fn abort(&self);

        /// See [`JoinHandle::is_finished`].
        pub fn is_finished(&self) -> bool;

        /// See [`JoinHandle::id`].
        pub fn id(&self) -> Id;
    }
}

impl anyrt_core::AbortHandle for AbortHandle {
    forward! {
        fn abort(&self);
        fn is_finished(&self) -> bool;
        fn id(&self) -> Id;
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
