//! Which runtime is current on this thread.
//!
//! Each backend keeps its own handle in a thread local; this module keeps the one fact that they share: which
//! of them was entered last, and whether the thread is *driving* a runtime, so that a nested `block_on` can be
//! refused whatever the two runtimes are.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::MutexGuard;
use std::thread::LocalKey;

/// Names a kind of runtime; each backend has one static of it. Compared by address.
#[derive(Debug)]
pub struct Kind {
    name: &'static str,
    may_block: fn() -> bool,
}

impl Kind {
    /// A kind of that name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            may_block: || false,
        }
    }

    /// For a runtime whose threads are all marked as driving it: `probe` tells of the one that asks whether it may
    /// block after all, such as a thread for blocking jobs.
    #[must_use]
    pub const fn may_block_if(mut self, probe: fn() -> bool) -> Self {
        self.may_block = probe;
        self
    }

    /// The name, as in features and in `ANYRT_BACKEND`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether both are the same static.
    #[inline]
    pub fn is(&'static self, other: &'static Kind) -> bool {
        std::ptr::eq(self, other)
    }
}

thread_local! {
    static CURRENT: Cell<Option<&'static Kind>> = const { Cell::new(None) };
    static DRIVING: Cell<Option<&'static Kind>> = const { Cell::new(None) };
}

/// The kind of runtime that was entered last on this thread.
#[inline]
pub fn current() -> Option<&'static Kind> {
    CURRENT.get()
}

/// The kind of runtime that this thread is driving: it is inside `block_on` or it is a worker.
#[inline]
pub fn driving() -> Option<&'static Kind> {
    DRIVING.get().filter(|kind| !(kind.may_block)())
}

/// Makes `kind` current until the guard is dropped. Guards end in the reverse order of their start.
#[must_use = "the runtime is current only while the guard lives"]
pub fn enter(kind: &'static Kind) -> Entered {
    Entered {
        current: CURRENT.replace(Some(kind)),
        driving: DRIVING.get(),
        thread: PhantomData,
    }
}

/// Makes `kind` current and marks the thread as driving it: for `block_on` and for worker threads.
///
/// # Panics
/// When the thread is driving a runtime already: it would wait for itself.
#[must_use = "the runtime is driven only while the guard lives"]
#[track_caller]
pub fn drive(kind: &'static Kind) -> Entered {
    if let Some(outer) = driving() {
        panic!(
            "Cannot start the {} runtime from within the {} runtime: this thread is driving asynchronous tasks, \
             and blocking it would stop them. Await the future instead, or call `block_on` inside `spawn_blocking`.",
            kind.name(),
            outer.name(),
        );
    }
    let entered = enter(kind);
    DRIVING.set(Some(kind));
    entered
}

/// As [`drive`], for the poll of a task on a thread of the application, which may be driving anything.
#[must_use = "the runtime is driven only while the guard lives"]
pub fn drive_within(kind: &'static Kind) -> Entered {
    let entered = enter(kind);
    DRIVING.set(Some(kind));
    entered
}

/// Forgets until the guard is dropped that the thread is driving a runtime: for a thread that hands its work
/// over before it blocks.
#[must_use = "blocking is allowed only while the guard lives"]
pub fn allow_blocking() -> Entered {
    Entered {
        current: CURRENT.get(),
        driving: DRIVING.take(),
        thread: PhantomData,
    }
}

/// Restores the former context when it is dropped.
#[derive(Debug)]
pub struct Entered {
    current: Option<&'static Kind>,
    driving: Option<&'static Kind>,
    // A context belongs to its thread: `!Send`, but `Sync`.
    thread: PhantomData<MutexGuard<'static, ()>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.current);
        DRIVING.set(self.driving);
    }
}

/// For an owner that is dropped where waiting is not allowed, after it has ended its runtime in the background.
///
/// # Panics
/// Always.
#[track_caller]
pub fn panic_cannot_drop_here() -> ! {
    panic!(
        "Cannot drop a runtime in a context where blocking is not allowed: this thread is driving asynchronous \
         tasks. Call `shutdown_background` instead, or drop it inside `spawn_blocking`."
    )
}

/// For an owner that is to end and would wait: whether waiting is not allowed here. It then ends its runtime in the
/// background first and calls [`panic_cannot_drop_here`].
#[must_use]
pub fn must_not_wait(timeout: std::time::Duration) -> bool {
    !timeout.is_zero() && driving().is_some()
}

/// Where a thread keeps its current runtime; each backend has one as a `thread_local!`.
pub struct Slot<R> {
    current: RefCell<Option<R>>,
    /// How many guards there are.
    depth: Cell<usize>,
}

impl<R> Slot<R> {
    /// No runtime is current.
    pub const fn new() -> Self {
        Self {
            current: RefCell::new(None),
            depth: Cell::new(0),
        }
    }

    /// Calls `f` with the current runtime, if there is one. Also `None` while the thread is being destroyed.
    #[inline]
    pub fn with<T>(key: &'static LocalKey<Self>, f: impl FnOnce(&R) -> T) -> Option<T> {
        key.try_with(|slot| slot.current.borrow().as_ref().map(f))
            .ok()
            .flatten()
    }

    /// Makes `runtime` current until the guard is dropped; `entered` says so to the other backends.
    #[must_use = "the runtime is current only while the guard lives"]
    pub fn enter(key: &'static LocalKey<Self>, runtime: R, entered: Entered) -> SlotGuard<R> {
        let former = key.try_with(|slot| {
            // First, since it panics in a destructor that runs inside `with`.
            let former = slot.current.replace(Some(runtime));
            slot.depth.set(slot.depth.get() + 1);
            (former, slot.depth.get())
        });
        // A runtime may end with its thread, after what this thread remembers has ended.
        let (former, depth) = former.unwrap_or_default();
        SlotGuard {
            key,
            former,
            depth,
            _entered: entered,
        }
    }
}

impl<R> Default for Slot<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Slot<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

/// Restores the former current runtime when it is dropped.
///
/// # Panics
/// Its drop panics while a guard that was made later is alive: the wrong runtime would be current after both.
pub struct SlotGuard<R: 'static> {
    key: &'static LocalKey<Slot<R>>,
    former: Option<R>,
    depth: usize,
    _entered: Entered,
}

impl<R> Drop for SlotGuard<R> {
    fn drop(&mut self) {
        let former = self.former.take();
        let left = self.key.try_with(|slot| {
            let last = slot.depth.get() == self.depth;
            last.then(|| {
                slot.depth.set(self.depth - 1);
                slot.current.replace(former)
            })
        });
        // Outside the borrow: dropping a runtime's last handle may look at what is current.
        if matches!(left, Ok(None)) && !std::thread::panicking() {
            panic!(
                "`EnterGuard` values dropped out of order. Guards returned by `Runtime::enter()` must be dropped in \
                 the reverse order as they were acquired."
            );
        }
    }
}

impl<R> fmt::Debug for SlotGuard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlotGuard").finish_non_exhaustive()
    }
}
