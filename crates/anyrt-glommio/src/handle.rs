//! The handle to a runtime, the current runtime, and the placement of tasks.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use anyrt_core::blocking::CANNOT_BLOCK_IN_PLACE;
use anyrt_core::boxed_if_large;
use anyrt_core::channel::Channel;
use anyrt_core::context::{self, Entered, Slot, SlotGuard};
use anyrt_core::coop;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, WorkerStats};
use anyrt_kit::affinity;
use anyrt_kit::executor::{BlockingPool, TaskHandle, local, local_set};
use anyrt_kit::readiness::gone;
use anyrt_kit::time::pausable::Pausable;

use crate::caller;
use crate::drive;
use crate::kind::KIND;
use crate::shard::{self, Shard};
use crate::sys::RingOptions;

pub(crate) const THREAD_NAME: &str = "anyrt-glommio";

static DEFAULT: OnceLock<GlommioRuntime> = OnceLock::new();

thread_local! {
    static CURRENT: Slot<GlommioRuntime> = const { Slot::new() };
    /// The runtime that was adopted on this thread.
    static ADOPTED: RefCell<Option<GlommioRuntime>> = const { RefCell::new(None) };
}

/// A handle to the runtime. It does not keep the runtime alive; its
/// [`Runtime`](crate::runtime::Runtime) does.
#[derive(Clone)]
pub struct GlommioRuntime {
    pub(crate) inner: Arc<Inner>,
}

/// The state that all handles to a runtime share.
pub(crate) struct Inner {
    id: Id,
    name: Option<String>,
    whose: Whose,
    pub(crate) shards: Box<[Arc<Shard>]>,
    next: AtomicUsize,
    pub(crate) blocking: BlockingPool,
    clock: Pausable,
    ring: RingOptions,
}

/// Which threads drive the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The threads of the runtime.
    Own,
    /// The threads that call `block_on`.
    Callers,
    /// The thread that runs a Glommio executor of the application.
    Adopted,
}

impl Whose {
    pub(crate) fn of(flavor: Flavor) -> Self {
        match flavor {
            Flavor::CurrentThread => Self::Callers,
            Flavor::MultiThread => Self::Own,
        }
    }
}

impl Inner {
    pub(crate) fn is_driven_by_callers(&self) -> bool {
        self.whose == Whose::Callers
    }
}

impl GlommioRuntime {
    /// Creates a runtime with these shards, which no thread drives yet.
    pub(crate) fn new(
        config: &Config,
        whose: Whose,
        shards: Box<[Arc<Shard>]>,
        clock: Pausable,
        ring: RingOptions,
    ) -> Self {
        let inner = Arc::new_cyclic(|weak: &Weak<Inner>| {
            let weak = weak.clone();
            let blocking = BlockingPool::new(config, THREAD_NAME, clock.clone(), move |work| {
                let runtime = weak.upgrade().map(|inner| Self { inner });
                let _current = runtime.as_ref().map(Self::enter);
                drop(runtime);
                work();
            });
            Inner {
                id: Id::next(),
                name: config.name.clone(),
                whose,
                shards,
                next: AtomicUsize::new(0),
                blocking,
                clock,
                ring,
            }
        });
        for shard in &inner.shards {
            let runtime = Arc::downgrade(&inner);
            shard.set_stand_in(move |shard| {
                if let Some(inner) = runtime.upgrade() {
                    Self { inner }.start_stand_in(shard);
                }
            });
        }
        Self { inner }
    }

    /// Lets a thread of the pool drive `shard` until its home returns.
    fn start_stand_in(&self, shard: Arc<Shard>) {
        let (runtime, cores) = (self.clone(), affinity::bound());
        drive::start_stand_in(&self.inner.blocking, shard, move |drive| {
            let _bound = cores.map(|cores| cores.share());
            let _current = runtime.make_current(context::drive(&KIND));
            drive();
        });
    }

    /// Returns the runtime that is current on this thread, if it is one of these.
    pub fn try_current() -> Option<Self> {
        Self::with_current(Clone::clone)
    }

    /// Calls `f` with the current runtime, if it is one of these.
    #[inline]
    pub fn with_current<T>(f: impl FnOnce(&Self) -> T) -> Option<T> {
        let mut f = Some(f);
        let entered = Slot::with(&CURRENT, |handle| f.take().map(|f| f(handle)));
        match (entered.flatten(), f) {
            (Some(value), _) => Some(value),
            (None, Some(f)) => match Self::adopted() {
                Some(runtime) => Some(f(&runtime)),
                None => DEFAULT.get().map(f),
            },
            (None, None) => None,
        }
    }

    /// Makes this the current runtime on all threads that have no other one.
    ///
    /// # Errors
    /// Returns the existing default runtime if there is one.
    pub fn make_default(&self) -> Result<(), Self> {
        match DEFAULT.set(self.clone()) {
            Ok(()) => Ok(()),
            Err(_) => Err(DEFAULT.get_or_init(|| self.clone()).clone()),
        }
    }

    /// Returns the runtime that was adopted on this thread. It is current unless another one was
    /// entered.
    #[cold]
    pub(crate) fn adopted() -> Option<Self> {
        ADOPTED
            .try_with(|adopted| adopted.borrow().clone())
            .ok()
            .flatten()
    }

    /// Sets the result of [`adopted`](Self::adopted).
    pub(crate) fn set_adopted(runtime: Option<Self>) {
        let former = ADOPTED.try_with(|adopted| adopted.replace(runtime));
        drop(former);
    }

    /// Makes the runtime the current one on this thread until the guard is dropped.
    pub fn enter(&self) -> SlotGuard<Self> {
        self.make_current(context::enter(&KIND))
    }

    pub(crate) fn make_current(&self, entered: Entered) -> SlotGuard<Self> {
        Slot::enter(&CURRENT, self.clone(), entered)
    }

    /// Runs `future` on this thread until it completes.
    ///
    /// On a current-thread runtime this thread also runs the spawned tasks. On others the thread
    /// only waits, and the shards watch its sockets and timers.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, or if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        boxed_if_large!(future: F = Box::pin(future) => self.drive(future))
    }

    #[track_caller]
    fn drive<F: Future>(&self, future: F) -> F::Output {
        // Also panics in a native task of the executor in which this was adopted, which nothing
        // would drive meanwhile.
        let native =
            shard::has_seat() && self.current_shard().is_some() && context::driving().is_none();
        let _native = native.then(|| self.make_current(context::drive(&KIND)));
        let _current = self.make_current(context::drive(&KIND));
        let scope = local::LocalScope::open(self.flavor());
        let root = scope.run_until(future);
        match (self.inner.whose, &*self.inner.shards) {
            (Whose::Callers, [shard]) => caller::drive(shard, &self.inner.ring, root),
            _ => caller::park_until_ready(root),
        }
    }

    /// Returns the clock of the timers, if it can be paused.
    pub(crate) fn pausable(&self) -> &Pausable {
        &self.inner.clock
    }

    /// Returns the name of the runtime.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Runs `job`, which may block, on this thread. Another thread takes over the tasks of this one
    /// meanwhile.
    ///
    /// `job` may call `block_on`. Local tasks of the shard and Glommio's own futures stay on this
    /// thread and wait until `job` is done.
    ///
    /// # Panics
    /// Panics on the thread of a current-thread runtime and in a `LocalSet`, as on every backend.
    #[track_caller]
    pub fn block_in_place<T>(&self, job: impl FnOnce() -> T) -> T {
        let alone = self.flavor() == Flavor::CurrentThread && context::driving().is_some();
        if alone || local_set::is_polling() {
            panic!("{}", CANNOT_BLOCK_IN_PLACE);
        }
        let _blocked = shard::block_in_place();
        let _blocking = context::allow_blocking();
        coop::with_unconstrained(job)
    }

    /// Returns the number of shards.
    pub fn shards(&self) -> usize {
        self.inner.shards.len()
    }

    /// Returns the index of the current shard, or `None` on a thread that is not a shard of this
    /// runtime.
    pub fn current_shard_index(&self) -> Option<usize> {
        let first = self.inner.shards[0].id();
        let index = usize::try_from(shard::current_id().checked_sub(first)?).ok()?;
        (index < self.shards()).then_some(index)
    }

    /// Spawns `future` as a task on shard number `index`, instead of the shard that `spawn` would
    /// choose.
    ///
    /// # Panics
    /// Panics if there is no such shard.
    ///
    /// # Examples
    /// ```
    /// use anyrt_core::runtime::Owner;
    /// use anyrt_glommio::runtime::Builder;
    ///
    /// # if let Err(reason) = anyrt_glommio::is_available() { println!("skipped: {reason}"); return Ok(()); }
    /// let runtime = Builder::new().shards(2).build()?;
    /// let rt = runtime.handle().clone();
    /// let here = rt.clone();
    /// let task = rt.spawn_on(1, async move { here.current_shard_index() });
    /// assert_eq!(runtime.block_on(task).unwrap(), Some(1));
    /// # Ok::<(), anyrt_core::BuildError>(())
    /// ```
    pub fn spawn_on<F>(&self, index: usize, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.inner.shards.get(index) {
            Some(shard) => shard.spawn(future),
            None => panic!("there is no shard {index}, only {}", self.shards()),
        }
    }

    /// Returns the number of live tasks on each shard.
    pub fn tasks_per_shard(&self) -> Vec<usize> {
        self.inner.shards.iter().map(|s| s.load()).collect()
    }

    /// Returns the shard of this thread, if it belongs to this runtime.
    pub(crate) fn current_shard(&self) -> Option<&Arc<Shard>> {
        self.current_shard_index()
            .map(|index| &self.inner.shards[index])
    }

    /// Returns the next shard, in turn.
    pub(crate) fn any_shard(&self) -> &Arc<Shard> {
        &self.inner.shards[self.next_index()]
    }

    /// Returns this thread's shard, or else the next one in turn.
    pub(crate) fn near_shard(&self) -> &Arc<Shard> {
        self.current_shard().unwrap_or_else(|| self.any_shard())
    }

    /// Checks that its shards still watch sockets.
    ///
    /// # Errors
    /// Fails if it has ended.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self.inner.shards[0].ending().is_over() {
            true => Err(gone()),
            false => Ok(()),
        }
    }

    fn next_index(&self) -> usize {
        self.inner.next.fetch_add(1, Ordering::Relaxed) % self.shards()
    }

    /// Returns the shard for a new task: the one of two shards that has fewer live tasks. The two
    /// are this shard and another one in turn, or two in turn on a thread that is no shard. The
    /// spawning task does not count, and the first of the two wins a tie.
    pub(crate) fn place(&self) -> &Arc<Shard> {
        let shards = &self.inner.shards;
        if let [only] = &**shards {
            return only;
        }
        let next = self.next_index();
        let (first, spawner) = match self.current_shard_index() {
            Some(home) => (home, 1),
            None => (next, 0),
        };
        // Any shard but the first one.
        let second = (first + 1 + next % (shards.len() - 1)) % shards.len();
        let (first, second) = (&shards[first], &shards[second]);
        if second.load() < first.load().saturating_sub(spawner) {
            second
        } else {
            first
        }
    }

    /// Returns `true` if the application ends it.
    pub(crate) fn is_adopted(&self) -> bool {
        self.inner.whose == Whose::Adopted
    }

    pub(crate) fn blocking(&self) -> &BlockingPool {
        &self.inner.blocking
    }

    /// Returns `true` if files may keep a service in an executor: it must live as long as the
    /// shard.
    pub(crate) fn has_own_rings(&self) -> bool {
        self.inner.whose == Whose::Own
    }
}

impl fmt::Debug for GlommioRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlommioRuntime")
            .field("shards", &self.inner.shards)
            .field("blocking", &self.inner.blocking)
            .finish_non_exhaustive()
    }
}

impl Metrics for GlommioRuntime {
    fn id(&self) -> Id {
        self.inner.id
    }

    fn flavor(&self) -> Flavor {
        match self.inner.whose {
            Whose::Callers => Flavor::CurrentThread,
            Whose::Own | Whose::Adopted => Flavor::MultiThread,
        }
    }

    fn num_workers(&self) -> usize {
        self.shards()
    }

    fn worker_index(&self) -> Option<usize> {
        self.current_shard_index()
    }

    fn num_alive_tasks(&self) -> usize {
        self.inner.shards.iter().map(|shard| shard.load()).sum()
    }

    fn global_queue_depth(&self) -> usize {
        let shards = self.inner.shards.iter();
        shards.map(|shard| shard.inbox_depth()).sum()
    }

    fn worker(&self, index: usize) -> WorkerStats {
        self.inner.shards[index].stats()
    }

    fn blocking(&self) -> Option<BlockingStats> {
        Some(self.inner.blocking.stats())
    }
}

impl Channel for GlommioRuntime {
    anyrt_kit::queue_channels!();
}
