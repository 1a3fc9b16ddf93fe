//! Which runtime is current on this thread.
//!
//! Each backend keeps its handle in its own thread local. This module keeps what they share: which
//! of them was entered last, and whether the thread is *driving* a runtime, so that a nested
//! `block_on` panics for any pair of runtimes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::MutexGuard;
use std::thread::{self, LocalKey};
use std::time::Duration;

/// A kind of runtime. Each backend has one static of it; kinds are compared by address.
#[derive(Debug)]
pub struct Kind {
    name: &'static str,
    may_block: fn() -> bool,
}

impl Kind {
    /// Creates a kind with that name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            may_block: || false,
        }
    }

    /// For a runtime whose threads are all marked as driving it: `probe` returns `true` on a thread
    /// that may block after all, such as a thread of the blocking pool.
    #[must_use]
    pub const fn may_block_if(mut self, probe: fn() -> bool) -> Self {
        self.may_block = probe;
        self
    }

    /// Returns the name that features and `ANYRT_BACKEND` use.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns `true` if both are the same static.
    #[inline]
    pub fn is(&'static self, other: &'static Kind) -> bool {
        std::ptr::eq(self, other)
    }
}

thread_local! {
    static CURRENT: Cell<Option<&'static Kind>> = const { Cell::new(None) };
    static DRIVING: Cell<Option<&'static Kind>> = const { Cell::new(None) };
    static NUMBER: Cell<Option<NonZeroUsize>> = const { Cell::new(None) };
}

/// Returns the kind of runtime that was entered last on this thread.
#[inline]
pub fn current() -> Option<&'static Kind> {
    CURRENT.get()
}

/// Returns the kind of runtime that this thread is driving, inside `block_on` or as a worker.
#[inline]
pub fn driving() -> Option<&'static Kind> {
    DRIVING.get().filter(|kind| !(kind.may_block)())
}

/// Returns the number of the runtime that was entered last on this thread, if it has one; see
/// [`Entered::numbered`].
#[inline]
pub fn number() -> Option<NonZeroUsize> {
    NUMBER.get()
}

/// Makes `kind` current until the guard is dropped. Guards must be dropped in reverse order of
/// their creation.
#[must_use = "the runtime is current only while the guard lives"]
pub fn enter(kind: &'static Kind) -> Entered {
    Entered {
        current: CURRENT.replace(Some(kind)),
        driving: DRIVING.get(),
        number: NUMBER.take(),
        thread: PhantomData,
    }
}

/// Makes `kind` current and marks the thread as driving it: for `block_on` and for worker threads.
///
/// # Panics
/// Panics if the thread is already driving a runtime, because it would wait for itself.
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

/// Like [`drive`], for polling a task on a thread of the application, which may be driving another
/// runtime.
#[must_use = "the runtime is driven only while the guard lives"]
pub fn drive_within(kind: &'static Kind) -> Entered {
    let entered = enter(kind);
    DRIVING.set(Some(kind));
    entered
}

/// Clears the mark that the thread is driving a runtime until the guard is dropped, for a thread
/// that hands over its work before it blocks.
#[must_use = "blocking is allowed only while the guard lives"]
pub fn allow_blocking() -> Entered {
    Entered {
        current: CURRENT.get(),
        driving: DRIVING.take(),
        number: NUMBER.get(),
        thread: PhantomData,
    }
}

/// Restores the previous context on drop.
#[derive(Debug)]
pub struct Entered {
    current: Option<&'static Kind>,
    driving: Option<&'static Kind>,
    number: Option<NonZeroUsize>,
    // A context belongs to its thread: `!Send`, but `Sync`.
    thread: PhantomData<MutexGuard<'static, ()>>,
}

impl Entered {
    /// For runtime authors: gives the runtime that was entered a number, for what needs no more of
    /// it than that: [`number`] costs a fifth of [`Slot::with`].
    pub fn numbered(self, number: Option<NonZeroUsize>) -> Self {
        NUMBER.set(number);
        self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.current);
        DRIVING.set(self.driving);
        NUMBER.set(self.number);
    }
}

/// Panics for an owner that is dropped where waiting is not allowed. Call it after shutting down
/// the runtime in the background.
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

/// For runtime authors: ends a runtime whose owner is dropped (`timeout` is `None`) or shut down.
///
/// `end` gets the time it may wait, which is zero on a thread that is driving a runtime.
///
/// # Panics
/// Panics after `end` if the thread may not wait, unless `timeout` is zero or the thread is already
/// panicking.
#[track_caller]
pub fn end_owner(timeout: Option<Duration>, end: impl FnOnce(Option<Duration>)) {
    if timeout == Some(Duration::ZERO) || driving().is_none() {
        return end(timeout);
    }
    end(Some(Duration::ZERO));
    if !thread::panicking() {
        panic_cannot_drop_here();
    }
}

/// The current runtime of a thread. Each backend has one as a `thread_local!`.
pub struct Slot<R> {
    current: RefCell<Option<R>>,
    /// The number of live guards.
    depth: Cell<usize>,
}

impl<R> Slot<R> {
    /// Creates a slot without a current runtime.
    pub const fn new() -> Self {
        Self {
            current: RefCell::new(None),
            depth: Cell::new(0),
        }
    }

    /// Calls `f` with the current runtime. Returns `None` if there is none, or while the thread is
    /// being destroyed.
    #[inline]
    pub fn with<T>(key: &'static LocalKey<Self>, f: impl FnOnce(&R) -> T) -> Option<T> {
        key.try_with(|slot| slot.current.borrow().as_ref().map(f))
            .ok()
            .flatten()
    }

    /// Makes `runtime` current until the guard is dropped. `entered` tells the other backends.
    #[must_use = "the runtime is current only while the guard lives"]
    pub fn enter(key: &'static LocalKey<Self>, runtime: R, entered: Entered) -> SlotGuard<R> {
        let former = key.try_with(|slot| {
            // First, because it panics in a destructor that runs inside `with`.
            let former = slot.current.replace(Some(runtime));
            slot.depth.set(slot.depth.get() + 1);
            (former, slot.depth.get())
        });
        // A runtime may end with its thread, after the thread locals were destroyed.
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

/// Restores the previous current runtime on drop.
///
/// # Panics
/// Dropping it panics while a guard that was created later is alive, because the wrong runtime
/// would be current afterwards.
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
        // Outside the borrow: dropping the last handle of a runtime may look up the current one.
        if matches!(left, Ok(None)) && !thread::panicking() {
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
