//! Which runtime is current on this thread.
//!
//! Each backend keeps its own handle in a thread local; this module keeps the one fact that they share: which
//! of them was entered last, and whether the thread is *driving* a runtime, so that a nested `block_on` can be
//! refused whatever the two runtimes are.

use std::cell::Cell;
use std::marker::PhantomData;

/// Names a kind of runtime; each backend has one static of it. Compared by address.
#[derive(Debug)]
pub struct Kind {
    name: &'static str,
}

impl Kind {
    /// A kind of that name.
    pub const fn new(name: &'static str) -> Self {
        Self { name }
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
    DRIVING.get()
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
pub fn drive(kind: &'static Kind) -> Entered {
    if let Some(outer) = DRIVING.get() {
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
    // A context belongs to its thread: `!Send`.
    thread: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.current);
        DRIVING.set(self.driving);
    }
}
