//! Tasks with Tokio's semantics over `async-task`: abort, panic isolation, ids, the budget.
//!
//! A task is one allocation, made by `async-task`, whose wakers are sound on every thread. This file adds what
//! the contract asks for beyond it:
//!
//! - *Panics stay inside.* [`Isolated`] catches them in polls and in destructors, so `async-task` never sees one
//!   (it would abort the process in a destructor).
//! - *Abort is a poll.* The task is marked in [`Tasks`] and woken; the poll that follows drops the future and
//!   gives the cancelled result. So abort works from any thread, on tasks that are queued, waiting or running,
//!   and "finished" is never reported before the destructor ran.
//! - *A dropped [`Runnable`] is an abort*, so a queue that goes away cancels what is in it.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use anyrt_core::boxed_if_large;
use anyrt_core::coop;
use anyrt_core::error::JoinError;
use anyrt_core::task::{AbortHandle, Id, JoinHandle, enter_task};
use anyrt_core::waiters::{Waiters, wake_all};
use pin_project_lite::pin_project;

use super::hosted::{Hosted, Scope, Started};
use super::workers::InTask;
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};
use crate::table::Table;

/// The live tasks of a runtime.
///
/// ```
/// use std::sync::{Arc, Mutex, mpsc};
/// use anyrt_kit::executor::Tasks;
///
/// // The simplest run queue there is.
/// let (queue, runnables) = mpsc::channel();
/// let tasks = Tasks::new();
/// let queue = Mutex::new(queue);
/// let handle = tasks.spawn(async { 7 }, move |runnable| {
///     queue.lock().unwrap().send(runnable).unwrap();
/// });
/// runnables.recv().unwrap().run();
/// assert_eq!(futures_util::FutureExt::now_or_never(handle).unwrap().unwrap(), 7);
/// ```
#[derive(Default)]
pub struct Tasks {
    live: Mutex<Table<Entry>>,
    /// The number of entries; written under the lock.
    alive: AtomicUsize,
    /// [`CLOSED`], plus the number of aborts that no poll has seen yet: zero means "just run it".
    signals: AtomicUsize,
    /// How many of them are inside `block_in_place`.
    blocking: AtomicUsize,
    /// Tells those who wait in [`drained`](Tasks::drained) and [`settled`](Tasks::settled).
    drained: Waiters,
}

struct Entry {
    id: Id,
    /// `None` until the first poll of a task of a [hosted](super::hosted) executor has returned; until then the task
    /// is queued or running, and looks at its entry by itself.
    waker: Option<Waker>,
    aborted: bool,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Makes a task of `future` and hands it to `schedule`, now and whenever it is woken.
    ///
    /// `future` is not polled inside the call. After [`close`](Self::close) it is dropped at once, and the
    /// handle gives a cancelled error.
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
            let future = Isolated::new(future, &meta);
            async_task::Builder::new().metadata(meta).spawn(
                |_| future,
                move |runnable| schedule(Runnable::new(runnable)),
            )
        })
    }

    /// As [`spawn`](Self::spawn), for a future that stays on this thread: `schedule` may be called on any thread
    /// but must bring the runnable back here.
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
            let future = Isolated::new(future, &meta);
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
        let mut live = self.lock();
        let entry = live.vacant_entry();
        let meta = Meta {
            id,
            key: entry.key(),
            home,
            tasks: Arc::clone(self),
        };
        let (runnable, task) = build(meta);
        entry.insert(Entry {
            id,
            waker: Some(runnable.waker()),
            aborted: false,
        });
        self.alive.store(live.len(), Ordering::SeqCst);
        drop(live);
        if self.is_closed() {
            // Polls nothing: `Isolated` sees that the door is closed and drops the future.
            let _task = enter_task(id);
            runnable.run();
        } else {
            runnable.schedule();
        }
        TaskHandle {
            join: Join::Own(Some(task)),
        }
    }

    /// Makes a task of `future` that an executor of another crate runs: `start` spawns what it is given there, and gives
    /// `None` if that executor is gone.
    ///
    /// `scope`, if there is one, is around each poll and around the destructor of `future`. After [`close`](Self::close)
    /// the future is dropped at once, and the handle gives a cancelled error.
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
        let key = {
            let mut live = self.lock();
            let key = live.insert(Entry {
                id,
                waker: None,
                aborted: false,
            });
            self.alive.store(live.len(), Ordering::SeqCst);
            key
        };
        let tasks = Arc::clone(self);
        let hosted = Hosted::new(
            Isolated {
                future: Some(future),
                tasks: Arc::clone(self),
                key,
                id,
            },
            scope,
        );
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

    /// A task of a hosted executor waits for the first time.
    pub(super) fn leave_waker(&self, key: usize, waker: &Waker) {
        let aborted = {
            let mut live = self.lock();
            live.get_mut(key).is_some_and(|entry| {
                entry.waker = Some(waker.clone());
                entry.aborted
            })
        };
        // Who aborted or closed before saw no waker.
        if aborted || self.is_closed() {
            waker.wake_by_ref();
        }
    }

    /// Aborts every task, those to come included. They end as soon as their runnables are run.
    pub fn close(&self) {
        self.signals.fetch_or(CLOSED, Ordering::SeqCst);
        let wakers: Vec<Waker> = {
            let live = self.lock();
            live.iter().filter_map(|e| e.waker.clone()).collect()
        };
        if self.is_settled() {
            self.drained.notify_all();
        }
        wake_all(wakers);
    }

    /// Waits until the tasks were closed and all of them have ended.
    pub async fn drained(&self) {
        loop {
            let event = self.drained.wait();
            if self.is_closed() && self.is_empty() {
                return;
            }
            event.await;
        }
    }

    /// As [`drained`](Self::drained), but tasks inside `block_in_place` may be left: they may wait for what ends with the
    /// runtime.
    pub async fn settled(&self) {
        loop {
            let event = self.drained.wait();
            if self.is_settled() {
                return;
            }
            event.await;
        }
    }

    fn is_settled(&self) -> bool {
        self.is_closed() && self.len() <= self.blocking.load(Ordering::SeqCst)
    }

    /// The task that is being polled on this thread blocks it until the guard is dropped.
    pub(super) fn block(&self) -> impl Drop {
        struct Blocks<'a>(&'a Tasks);
        impl Drop for Blocks<'_> {
            fn drop(&mut self) {
                self.0.blocking.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.blocking.fetch_add(1, Ordering::SeqCst);
        if self.is_settled() {
            self.drained.notify_all();
        }
        Blocks(self)
    }

    /// Whether this thread is polling one of these, in an executor of another crate. What that task waits for need not be
    /// told of the end of the runtime: the task is dropped then.
    #[inline]
    pub fn is_polling(self: &Arc<Self>) -> bool {
        InTask::is_of(self)
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.signals.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// The number of tasks whose future was not dropped yet.
    pub fn len(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    /// Whether no task is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn abort(&self, key: usize, id: Id) {
        let waker = {
            let mut live = self.lock();
            match live.get_mut(key) {
                Some(entry) if entry.id == id => {
                    if !std::mem::replace(&mut entry.aborted, true) {
                        self.signals.fetch_add(1, Ordering::SeqCst);
                    }
                    entry.waker.clone()
                }
                _ => return,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn is_alive(&self, key: usize, id: Id) -> bool {
        self.lock().get(key).is_some_and(|e| e.id == id)
    }

    #[inline]
    fn must_end(&self, key: usize) -> bool {
        let signals = self.signals.load(Ordering::Acquire);
        signals != 0 && self.is_signalled(signals, key)
    }

    #[cold]
    fn is_signalled(&self, signals: usize, key: usize) -> bool {
        signals & CLOSED != 0 || self.lock().get(key).is_some_and(|e| e.aborted)
    }

    fn remove(&self, key: usize) {
        let entry = {
            let mut live = self.lock();
            let entry = live.try_remove(key);
            if entry.as_ref().is_some_and(|entry| entry.aborted) {
                self.signals.fetch_sub(1, Ordering::SeqCst);
            }
            self.alive.store(live.len(), Ordering::SeqCst);
            entry
        };
        // Outside the lock: a waker's destructor is not ours.
        drop(entry);
        if self.is_settled() {
            self.drained.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table<Entry>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("alive", &self.len())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// What a task's allocation carries beside the future.
struct Meta {
    id: Id,
    key: usize,
    /// The only thread that may touch the future, if it is not `Send`.
    home: Option<ThreadId>,
    tasks: Arc<Tasks>,
}

/// A task that is ready to be polled once. Put it in a queue, then [`run`](Self::run) it.
///
/// Dropping it aborts the task.
pub struct Runnable {
    inner: Option<async_task::Runnable<Meta>>,
}

impl Runnable {
    fn new(inner: async_task::Runnable<Meta>) -> Self {
        Self { inner: Some(inner) }
    }

    /// Polls the task. Never unwinds. Gives whether it was woken meanwhile, as a task that yields does itself; it is
    /// queued again then.
    ///
    /// # Panics
    /// When a task of [`Tasks::spawn_local`] is run on a thread that is not its own.
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
            // Its thread is gone without having run its queue. To leak the task is the only sound thing left.
            std::mem::forget(runnable);
            return;
        }
        meta.tasks.abort(meta.key, meta.id);
        let _task = enter_task(meta.id);
        runnable.run();
    }
}

impl Drop for Runnable {
    // What was run leaves nothing, which the caller of `run` sees at once.
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
    fn new(future: F, meta: &Meta) -> Self {
        Self {
            future: Some(future),
            tasks: Arc::clone(&meta.tasks),
            key: meta.key,
            id: meta.id,
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

    /// Leaves the waker of a task whose first poll has returned without a result.
    pub(super) fn leave_waker(&self, waker: &Waker) {
        self.tasks.leave_waker(self.key, waker);
    }

    /// Ends a future that will not be polled to its end; who joins hears of the cancellation, not of the destructor.
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
                    // The panic that came first is the one to report.
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
    // Whatever unwound is dropped or handed to the one who joins; nobody looks at it half done.
    catch_unwind(AssertUnwindSafe(f))
}

/// Runs a destructor whose panic nobody will hear of.
fn drop_quietly(destructor: impl FnOnce()) {
    if let Err(payload) = catch(destructor)
        && let Err(payload) = catch(|| drop(payload))
    {
        // A payload that panics as it is dropped, with one that may do so, too. To leak it ends that.
        std::mem::forget(payload);
    }
}

/// A task's result, on its way to whoever joins. If nobody does, its destructor does not unwind either.
pub struct Outcome<T> {
    id: Id,
    result: Option<Result<T, JoinError>>,
}

impl<T> Outcome<T> {
    fn take(&mut self) -> Result<T, JoinError> {
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
        /// `None` if the executor was gone or the runtime had ended: the task is cancelled.
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
            Join::Own(task) => Pin::new(own(task.as_mut()))
                .poll(cx)
                .map(|mut outcome| outcome.take()),
            Join::Hosted { started, id, .. } => match started {
                Some(started) => started.poll(cx).map(|outcome| match outcome {
                    Some(mut outcome) => outcome.take(),
                    // Its executor was dropped, and the future with it.
                    None => Err(JoinError::cancelled(*id)),
                }),
                None => Poll::Ready(Err(JoinError::cancelled(*id))),
            },
        })
    }
}

impl<T> Drop for TaskHandle<T> {
    fn drop(&mut self) {
        // A value that nobody took is dropped here.
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

/// Aborts a task of [`Tasks`] from elsewhere.
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
