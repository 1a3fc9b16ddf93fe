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

/// Tasks that are joined as they end, whichever ends first.
///
/// `T` is what they give, `H` the join handle of the runtime that they run on, `R::JoinHandle<T>` for a generic
/// one; both are inferred from the first spawn. Each task that ends costs the same, however many there are.
///
/// # Dropping it
/// Aborts all tasks in the set, without waiting for them. [`shutdown`](Self::shutdown) waits,
/// [`detach_all`](Self::detach_all) lets them go on.
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
    ready: Arc<Ready>,
}

impl<T, H: JoinHandle<T>> JoinSet<T, H> {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            members: Slab::new(),
            ready: Arc::default(),
        }
    }

    /// The number of tasks in the set: those that run, and those that ended but were not joined.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no task in the set.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Spawns `future` on `rt` as a member of the set.
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
    /// On a thread that accepts no local tasks; see [`LocalSpawner::spawn_local`].
    pub fn spawn_local_on<R, F>(&mut self, rt: &R, future: F) -> H::AbortHandle
    where
        R: LocalSpawner<LocalJoinHandle<T> = H>,
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        self.insert(rt.spawn_local(future))
    }

    /// Runs `job` on a blocking thread of `rt` as a member of the set.
    ///
    /// Once it runs it cannot be aborted; see [`Blocking`].
    pub fn spawn_blocking_on<R, F>(&mut self, rt: &R, job: F) -> H::AbortHandle
    where
        R: Blocking<JoinHandle<T> = H>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.insert(rt.spawn_blocking(job))
    }

    /// Makes the task that `handle` joins a member of the set.
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
            state: State::Running(handle),
            id,
            signal: Waker::from(signal),
        });
        // From now on the task signals its end, so tasks are joined in the order in which they end, even if nobody
        // looks at the set meanwhile.
        if let Poll::Ready(result) = member.poll(H::poll_unconstrained) {
            member.state = State::Ended(Box::new(Mutex::new(result)));
            member.signal.wake_by_ref();
        }
        abort
    }

    /// Waits until a task ends and takes its result; `None` when the set is empty.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        std::future::poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the id of the task; that of a failed one is in its error.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        std::future::poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Takes the result of a task that has ended; `None` when there is none, or no task at all.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// As [`try_join_next`](Self::try_join_next), with the id of the task.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        // Nobody can be made to wait here, so there is no budget to keep to; and whoever is polling the set is still
        // the one who is woken. Not more often than there are signals now: a task may signal without having ended.
        let signals = self.ready.lock().signals.len();
        for _ in 0..signals {
            let (key, id) = self.ready.lock().signals.pop_front()?;
            if let Some(Poll::Ready(result)) = self.poll_member(key, id, H::poll_unconstrained) {
                return Some(result);
            }
        }
        None
    }

    /// Polls for a task that has ended; the caller who polled last is woken.
    ///
    /// `Pending` when none has, or when the [budget](crate::coop) is used up; `None` when the set is empty.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|next| next.map(without_id))
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the id of the task.
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
                // Outside the lock: a waker's destructor is not ours.
                drop(former);
                return Poll::Pending;
            };
            drop(ready);
            match self.poll_member(key, id, |handle, cx| Pin::new(handle).poll(cx)) {
                Some(Poll::Ready(result)) => return Poll::Ready(Some(result)),
                // A task that signals without having ended has met the end of the budget, and will signal again.
                Some(Poll::Pending) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // A late signal of a task that was joined already.
                None => {}
            }
        }
    }

    /// Polls a member that has signalled and takes it out if it has ended; `None` if it is not there any more.
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

    /// Aborts all tasks in the set. They stay in it until they are joined.
    pub fn abort_all(&mut self) {
        for (_, member) in &self.members {
            if let State::Running(handle) = &member.state {
                handle.abort();
            }
        }
    }

    /// Empties the set; its tasks go on, and nobody hears of their results.
    pub fn detach_all(&mut self) {
        self.members.clear();
    }

    /// Aborts all tasks and waits until they have ended. Their results are dropped, panics too.
    ///
    /// # Cancel safety
    /// When it is dropped, all tasks are aborted already; what was not joined is still in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and gives their results, in the order in which they ended.
    ///
    /// # Panics
    /// With the panic of the first task that panicked, or when a task was aborted; the other tasks are aborted.
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

/// Spawned tasks become a set by their handles.
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
    state: State<T, H>,
    id: Id,
    /// Its [`Signal`].
    signal: Waker,
}

enum State<T, H> {
    Running(H),
    /// Ended before it became a member. Boxed since that is rare; `Mutex` only makes it `Sync`.
    Ended(Box<Mutex<Result<T, JoinError>>>),
    Joined,
}

impl<T, H: JoinHandle<T>> Member<T, H> {
    fn poll(
        &mut self,
        poll: impl FnOnce(&mut H, &mut Context<'_>) -> Poll<Result<T, JoinError>>,
    ) -> Poll<Result<T, JoinError>> {
        match &mut self.state {
            State::Running(handle) => poll(handle, &mut Context::from_waker(&self.signal)),
            _ => match std::mem::replace(&mut self.state, State::Joined) {
                State::Ended(result) => {
                    Poll::Ready(result.into_inner().unwrap_or_else(PoisonError::into_inner))
                }
                _ => unreachable!("a member leaves the set when it is joined"),
            },
        }
    }
}

/// The members that have ended, and who wants to know.
#[derive(Default)]
struct Ready {
    state: Mutex<Signals>,
}

#[derive(Default)]
struct Signals {
    signals: VecDeque<(usize, Id)>,
    waker: Option<Waker>,
}

impl Ready {
    fn lock(&self) -> MutexGuard<'_, Signals> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the set when a member has ended; one allocation per member.
struct Signal {
    key: usize,
    id: Id,
    ready: Arc<Ready>,
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
