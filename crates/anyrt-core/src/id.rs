//! Ids of tasks and runtimes.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// The id of a task, unique among all tasks of the process, on all runtimes, including ended ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(Number);

/// The id of a runtime, unique among all live runtimes of the process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuntimeId(Number);

impl TaskId {
    /// For runtime authors: returns an id that was never used before.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(Number::FIRST);
        Self(Number::next(&NEXT))
    }

    /// For runtime authors: converts the runtime's own number of a task, which must be below 2^63
    /// and not zero.
    ///
    /// Zero is treated as one.
    pub fn from_raw(number: u64) -> Self {
        Self(Number::from_raw(number))
    }
}

impl RuntimeId {
    /// For runtime authors: returns an id that was never used before.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(Number::FIRST);
        Self(Number::next(&NEXT))
    }

    /// For runtime authors: converts the runtime's own number, which must be below 2^63 and not
    /// zero.
    ///
    /// Zero is treated as one.
    pub fn from_raw(number: u64) -> Self {
        Self(Number::from_raw(number))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Number(NonZeroU64);

impl Number {
    /// Ids of the core start here, so that they never collide with ids that a runtime assigns by
    /// itself.
    const FIRST: u64 = 1 << 63;

    fn next(next: &AtomicU64) -> Self {
        Self::from_raw(next.fetch_add(1, Ordering::Relaxed))
    }

    fn from_raw(number: u64) -> Self {
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0.get() & !Self::FIRST).fmt(f)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl fmt::Display for RuntimeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RuntimeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}
