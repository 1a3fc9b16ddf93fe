//! Tasks, which are Tokio's own, and a `LocalSet` for each `block_on` that needs one.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use anyrt_core::coop;
use anyrt_core::error::JoinError;
use anyrt_core::task::Id;
use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::LocalSet;

/// Spawns `future` as a task of the current runtime.
///
/// # Panics
/// Panics if no Tokio runtime is current.
#[inline]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    JoinHandle::new(tokio::spawn(future))
}

/// Spawns `future` as a task on this thread.
///
/// # Panics
/// Panics if the thread is not inside `block_on`. The message says what to do.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    JoinHandle::new(local_set().as_set().spawn_local(future))
}

/// Returns the set of this thread's `block_on`, which the first local task creates.
#[track_caller]
pub(crate) fn local_set() -> Rc<dyn LocalTasks> {
    match SCOPE.get() {
        Scope::Closed => panic!(
            "`spawn_local` needs a thread that is inside `block_on`: a worker thread shares its tasks with others, \
             so a future that is not `Send` cannot live there. Use `spawn`, or call `spawn_local` from the future \
             given to `block_on` (or from one of its local tasks)."
        ),
        scope @ (Scope::Open | Scope::Waiting) => {
            let set: Rc<dyn LocalTasks> = Rc::new(LocalSet::new());
            if scope == Scope::Waiting
                && let Some(root) = ROOTS.with_borrow_mut(Vec::pop)
            {
                set.turn(&mut Context::from_waker(&root));
            }
            SETS.with_borrow_mut(|sets| sets.push(Rc::clone(&set)));
            SCOPE.set(Scope::Filled);
            set
        }
        Scope::Filled => current_set(),
        // A destructor spawns while its `block_on` ends: this set ends at once, and the task with
        // it.
        Scope::Closing => Rc::new(LocalSet::new()),
    }
}

fn current_set() -> Rc<dyn LocalTasks> {
    SETS.with_borrow(|sets| match sets.last() {
        Some(set) => Rc::clone(set),
        None => unreachable!("a scope that is filled has put its set here"),
    })
}

/// Returns the id of the task that this thread is polling or dropping.
pub fn try_id() -> Option<Id> {
    tokio::task::try_id().map(id)
}

/// A handle to a task, one word in size. Dropping it detaches the task.
pub struct JoinHandle<T> {
    inner: tokio::task::JoinHandle<T>,
}

impl<T> JoinHandle<T> {
    #[inline]
    pub(crate) fn new(inner: tokio::task::JoinHandle<T>) -> Self {
        Self { inner }
    }

    /// Returns Tokio's handle.
    pub fn as_inner(&self) -> &tokio::task::JoinHandle<T> {
        &self.inner
    }

    /// Returns Tokio's handle to the task.
    pub fn into_inner(self) -> tokio::task::JoinHandle<T> {
        self.inner
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.inner)
            .poll(cx)
            .map(|result| result.map_err(join_error))
    }
}

impl<T> anyrt_core::JoinHandle<T> for JoinHandle<T> {
    type AbortHandle = AbortHandle;

    fn abort(&self) {
        self.inner.abort();
    }

    fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    fn id(&self) -> Id {
        id(self.inner.id())
    }

    fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(self.inner.abort_handle())
    }

    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        pin!(tokio::task::unconstrained(self)).poll(cx)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &id(self.inner.id()))
            .field("finished", &self.inner.is_finished())
            .finish()
    }
}

/// A handle that can abort a task.
#[derive(Clone)]
pub struct AbortHandle {
    inner: tokio::task::AbortHandle,
}

impl AbortHandle {
    #[inline]
    pub(crate) fn new(inner: tokio::task::AbortHandle) -> Self {
        Self { inner }
    }
}

impl anyrt_core::AbortHandle for AbortHandle {
    fn abort(&self) {
        self.inner.abort();
    }

    fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    fn id(&self) -> Id {
        id(self.inner.id())
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &id(self.inner.id()))
            .finish_non_exhaustive()
    }
}

#[cold]
pub(crate) fn join_error(error: tokio::task::JoinError) -> JoinError {
    let id = id(error.id());
    match error.try_into_panic() {
        Ok(payload) => JoinError::panicked(id, payload),
        Err(_) => JoinError::cancelled(id),
    }
}

pub(crate) fn id(id: tokio::task::Id) -> Id {
    Id::from_raw(number_in(&id))
}

/// Returns the number inside an id of Tokio, which Tokio reveals to a hasher only.
pub(crate) fn number_in(id: &impl Hash) -> u64 {
    struct Capture(u64);

    impl Hasher for Capture {
        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.0 = (self.0 << 8) | u64::from(byte);
            }
        }

        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }

        fn finish(&self) -> u64 {
            self.0
        }
    }

    let mut capture = Capture(0);
    id.hash(&mut capture);
    capture.finish()
}

thread_local! {
    /// The only state that a `block_on` without local tasks reads.
    static SCOPE: Cell<Scope> = const { Cell::new(Scope::Closed) };
    /// The sets of the scopes that have one; the innermost is the last.
    static SETS: RefCell<Vec<Rc<dyn LocalTasks>>> = const { RefCell::new(Vec::new()) };
    /// The wakers of the scopes that wait; that of the innermost one is the last.
    static ROOTS: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// A [`LocalSet`] behind a trait, so that a program without local tasks contains no code for them.
pub(crate) trait LocalTasks {
    fn as_set(&self) -> &LocalSet;

    /// Runs a turn, and leaves the waker with them.
    fn turn(&self, cx: &mut Context<'_>);
}

impl LocalTasks for LocalSet {
    fn as_set(&self) -> &LocalSet {
        self
    }

    fn turn(&self, cx: &mut Context<'_>) {
        let turn = self.run_until(std::future::pending::<()>());
        let _pending = pin!(turn).poll(cx);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Outside `block_on`.
    Closed,
    /// No local task has been spawned.
    Open,
    /// The same, and `block_on` waits. It has left its waker, since a task that this thread runs
    /// meanwhile may spawn the first local task.
    Waiting,
    Filled,
    /// The local tasks are being dropped.
    Closing,
}

pub(crate) fn is_local_scope_open() -> bool {
    SCOPE.get() != Scope::Closed
}

/// While it is open, this thread accepts local tasks. Closing it drops the remaining ones.
pub(crate) struct LocalScope<'a> {
    outer: Scope,
    runtime: &'a Handle,
    // Tied to its thread: `!Send`.
    thread: PhantomData<*const ()>,
}

impl<'a> LocalScope<'a> {
    #[inline]
    pub(crate) fn open(runtime: &'a Handle) -> Self {
        Self {
            outer: SCOPE.replace(Scope::Open),
            runtime,
            thread: PhantomData,
        }
    }

    pub(crate) fn run_until<F: Future>(&self, future: F) -> RunUntil<F> {
        RunUntil { future }
    }

    #[cold]
    #[inline(never)]
    fn close(&self) {
        if SCOPE.get() == Scope::Waiting {
            ROOTS.with_borrow_mut(Vec::pop);
            return;
        }
        SCOPE.set(Scope::Closing);
        let set = SETS.with_borrow_mut(Vec::pop);
        // Destructors see their runtime, as they do when Tokio drops a task.
        let _entered = self.runtime.enter();
        drop(set);
    }
}

impl Drop for LocalScope<'_> {
    #[inline]
    fn drop(&mut self) {
        if SCOPE.get() != Scope::Open {
            self.close();
        }
        SCOPE.set(self.outer);
    }
}

pin_project! {
    /// Polls the future of a `block_on` and the local tasks.
    pub(crate) struct RunUntil<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for RunUntil<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        // In addition to Tokio's own budget, for operations that charge the core's.
        if let Poll::Ready(value) = coop::with_budget(|| future.poll(cx)) {
            return Poll::Ready(value);
        }
        match SCOPE.get() {
            Scope::Open => leave_waker(cx),
            Scope::Filled => run_local_tasks(cx),
            // Tokio polls a `block_on` with one waker from its beginning to its end.
            _ => {}
        }
        Poll::Pending
    }
}

#[cold]
#[inline(never)]
fn leave_waker(cx: &Context<'_>) {
    // Inside the destructor of a thread-local the list may be gone; nor are there tasks then.
    let leave = |roots: &RefCell<Vec<Waker>>| roots.borrow_mut().push(cx.waker().clone());
    if ROOTS.try_with(leave).is_ok() {
        SCOPE.set(Scope::Waiting);
    }
}

#[cold]
#[inline(never)]
fn run_local_tasks(cx: &mut Context<'_>) {
    current_set().turn(cx);
}
