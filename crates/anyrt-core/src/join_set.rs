//! A set of tasks that are joined in the order in which they end.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use slab::Slab;

use crate::blocking::Blocking;
use crate::error::JoinError;
use crate::task::{AbortHandle, Id, JoinHandle, LocalSpawner, Spawner};

/// A set of tasks that are joined in the order in which they end.
///
/// `T` is the result of the tasks, `H` the join handle of their runtime, `R::JoinHandle<T>` in
/// generic code; both are inferred from the first spawn. The cost per task does not depend on the
/// number of tasks.
///
/// # Dropping it
/// Aborts all tasks in the set without waiting for them. [`shutdown`](Self::shutdown) waits;
/// [`detach_all`](Self::detach_all) lets them continue.
///
/// # Examples
/// ```
/// use anyrt_core::{JoinSet, Runtime};
///
/// /// Hashes all files at once and gives the sum.
/// async fn sum<R: Runtime>(rt: R, files: Vec<std::path::PathBuf>) -> u64 {
///     let mut set = JoinSet::new();
///     for file in files {
///         set.spawn_blocking_on(&rt, move || file.metadata().map_or(0, |meta| meta.len()));
///     }
///     let mut sum = 0;
///     while let Some(size) = set.join_next().await {
///         sum += size.expect("no task panics");
///     }
///     sum
/// }
/// ```
#[must_use = "dropping the set aborts its tasks"]
pub struct JoinSet<T, H: JoinHandle<T>> {
    members: Slab<Member<T, H>>,
    ready: Arc<Finished>,
}

impl<T, H: JoinHandle<T>> JoinSet<T, H> {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self {
            members: Slab::new(),
            ready: Arc::default(),
        }
    }

    /// Returns the number of tasks in the set: running ones, and ended ones that were not joined
    /// yet.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns `true` if the set is empty.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Spawns `future` on `rt` as a member of the set.
    #[track_caller]
    pub fn spawn_on<R, F>(&mut self, rt: &R, future: F) -> H::AbortHandle
    where
        R: Spawner<JoinHandle<T> = H>,
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.insert(rt.spawn(future))
    }

    /// Spawns `future` on this thread as a member of the set.
    ///
    /// # Panics
    /// Panics on a thread that accepts no local tasks; see [`LocalSpawner::spawn_local`].
    #[track_caller]
    pub fn spawn_local_on<R, F>(&mut self, rt: &R, future: F) -> H::AbortHandle
    where
        R: LocalSpawner<LocalJoinHandle<T> = H>,
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        self.insert(rt.spawn_local(future))
    }

    /// Runs `job` on the blocking thread pool of `rt` as a member of the set.
    ///
    /// A running job cannot be aborted; see [`Blocking`].
    #[track_caller]
    pub fn spawn_blocking_on<R, F>(&mut self, rt: &R, job: F) -> H::AbortHandle
    where
        R: Blocking<JoinHandle<T> = H>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.insert(rt.spawn_blocking(job))
    }

    /// Adds the task of `handle` to the set.
    pub fn insert(&mut self, handle: H) -> H::AbortHandle {
        let abort = handle.abort_handle();
        let id = abort.id();
        let entry = self.members.vacant_entry();
        let signal = Arc::new(Signal {
            key: entry.key(),
            id,
            ready: Arc::clone(&self.ready),
        });
        let member = entry.insert(Member {
            state: Progress::Running(handle),
            id,
            signal: Waker::from(signal),
        });
        // From now on the task signals its end, so tasks are joined in the order in which they end,
        // even if the set is not polled meanwhile.
        if let Poll::Ready(result) = member.poll(H::poll_unconstrained) {
            member.state = Progress::Ended(Box::new(Mutex::new(result)));
            member.signal.wake_by_ref();
        }
        abort
    }

    /// Waits for the next task to end. Returns `None` if the set is empty.
    ///
    /// # Errors
    /// Returns the [`JoinError`] of a task that panicked or was aborted.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no task was removed from the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        std::future::poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// Like [`join_next`](Self::join_next), with the id of the task. The error of a failed task
    /// contains its id.
    ///
    /// # Errors
    /// Returns the [`JoinError`] of a task that panicked or was aborted.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no task was removed from the set.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        std::future::poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Returns the result of a task that has already ended, if there is one.
    ///
    /// # Errors
    /// Returns the [`JoinError`] of a task that panicked or was aborted.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// Like [`try_join_next`](Self::try_join_next), with the id of the task.
    ///
    /// # Errors
    /// Returns the [`JoinError`] of a task that panicked or was aborted.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        // The caller does not wait, so the budget does not apply, and the registered waker stays.
        // At most as many attempts as there are signals now: a task may signal without having
        // ended.
        let signals = self.ready.lock().signals.len();
        for _ in 0..signals {
            let (key, id) = self.ready.lock().signals.pop_front()?;
            if let Some(Poll::Ready(result)) = self.poll_member(key, id, H::poll_unconstrained) {
                return Some(result);
            }
        }
        None
    }

    /// Polls for a task that has ended. Only the task that polled last is woken.
    ///
    /// Returns `Pending` if none has ended or the [budget](crate::coop) is used up, and `None` if
    /// the set is empty.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|next| next.map(without_id))
    }

    /// Like [`poll_join_next`](Self::poll_join_next), with the id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        loop {
            let mut ready = self.ready.lock();
            let Some((key, id)) = ready.signals.pop_front() else {
                if self.members.is_empty() {
                    return Poll::Ready(None);
                }
                let former = ready.waker.replace(cx.waker().clone());
                drop(ready);
                // Outside the lock: the destructor of a waker is foreign code.
                drop(former);
                return Poll::Pending;
            };
            drop(ready);
            match self.poll_member(key, id, |handle, cx| Pin::new(handle).poll(cx)) {
                Some(Poll::Ready(result)) => return Poll::Ready(Some(result)),
                // A task that signals without having ended has used up the budget and will signal
                // again.
                Some(Poll::Pending) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // A late signal of a task that was joined already.
                None => {}
            }
        }
    }

    /// Polls a member that has signalled and removes it if it has ended. Returns `None` if it is no
    /// longer in the set.
    fn poll_member(
        &mut self,
        key: usize,
        id: Id,
        poll: impl FnOnce(&mut H, &mut Context<'_>) -> Poll<Result<T, JoinError>>,
    ) -> Option<Poll<Result<(Id, T), JoinError>>> {
        let member = self.members.get_mut(key).filter(|m| m.id == id)?;
        let polled = member.poll(poll);
        if polled.is_ready() {
            self.members.remove(key);
        }
        Some(polled.map(|result| result.map(|value| (id, value))))
    }

    /// Aborts all tasks. They stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        for (_, member) in &self.members {
            if let Progress::Running(handle) = &member.state {
                handle.abort();
            }
        }
    }

    /// Removes all tasks from the set without aborting them. Their results are discarded.
    pub fn detach_all(&mut self) {
        self.members.clear();
    }

    /// Aborts all tasks and waits until they have ended. Their results and panics are discarded.
    ///
    /// # Cancel safety
    /// If the future is dropped, all tasks have been aborted, and those that were not joined yet
    /// stay in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and returns their results in the order in which they ended.
    ///
    /// # Panics
    /// Panics with the panic of the first task that panicked, or if a task was aborted. The other
    /// tasks are then aborted.
    ///
    /// # Cancel safety
    /// Not cancel-safe: dropping the future aborts all tasks and discards their results.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            match result {
                Ok(value) => values.push(value),
                Err(error) => error.resume(),
            }
        }
        values
    }
}

fn without_id<T>(result: Result<(Id, T), JoinError>) -> Result<T, JoinError> {
    result.map(|(_, value)| value)
}

impl<T, H: JoinHandle<T>> Drop for JoinSet<T, H> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T, H: JoinHandle<T>> Default for JoinSet<T, H> {
    fn default() -> Self {
        Self::new()
    }
}

/// Collects the handles of spawned tasks into a set.
impl<T, H: JoinHandle<T>> FromIterator<H> for JoinSet<T, H> {
    fn from_iter<I: IntoIterator<Item = H>>(handles: I) -> Self {
        let mut set = Self::new();
        set.extend(handles);
        set
    }
}

impl<T, H: JoinHandle<T>> Extend<H> for JoinSet<T, H> {
    fn extend<I: IntoIterator<Item = H>>(&mut self, handles: I) {
        for handle in handles {
            self.insert(handle);
        }
    }
}

impl<T, H: JoinHandle<T>> fmt::Debug for JoinSet<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

struct Member<T, H> {
    state: Progress<T, H>,
    id: Id,
    /// Its [`Signal`].
    signal: Waker,
}

enum Progress<T, H> {
    Running(H),
    /// Ended before it was added. Boxed because that is rare; the `Mutex` only makes it `Sync`.
    Ended(Box<Mutex<Result<T, JoinError>>>),
    Joined,
}

impl<T, H: JoinHandle<T>> Member<T, H> {
    fn poll(
        &mut self,
        poll: impl FnOnce(&mut H, &mut Context<'_>) -> Poll<Result<T, JoinError>>,
    ) -> Poll<Result<T, JoinError>> {
        match &mut self.state {
            Progress::Running(handle) => poll(handle, &mut Context::from_waker(&self.signal)),
            _ => match std::mem::replace(&mut self.state, Progress::Joined) {
                Progress::Ended(result) => {
                    Poll::Ready(result.into_inner().unwrap_or_else(PoisonError::into_inner))
                }
                _ => unreachable!("a member leaves the set when it is joined"),
            },
        }
    }
}

/// The members that have ended, and the waker to notify.
#[derive(Default)]
struct Finished {
    state: Mutex<Signals>,
}

#[derive(Default)]
struct Signals {
    signals: VecDeque<(usize, Id)>,
    waker: Option<Waker>,
}

impl Finished {
    fn lock(&self) -> MutexGuard<'_, Signals> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the set when a member has ended. One allocation per member.
struct Signal {
    key: usize,
    id: Id,
    ready: Arc<Finished>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = self.ready.lock();
        ready.signals.push_back((self.key, self.id));
        let waker = ready.waker.take();
        drop(ready);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
