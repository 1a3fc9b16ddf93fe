//! The tasks whose handles a poll has found pending, for a runtime that reports what tasks wait for.

use std::cell::RefCell;

use anyrt_core::task::Id;

thread_local! {
    /// `None` unless somebody asks: then a pending handle costs one look at it.
    static AWAITED: RefCell<Option<Vec<Id>>> = const { RefCell::new(None) };
}

/// Runs `poll` and returns the tasks that it waits for: those whose
/// [`TaskHandle`](super::TaskHandle) was polled in it on this thread and was pending.
///
/// A future that polls a handle only after it was woken, as a set of tasks does, waits for more
/// tasks than these.
pub fn awaited_tasks<T>(poll: impl FnOnce() -> T) -> (T, Vec<Id>) {
    struct Restore(Option<Vec<Id>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            AWAITED.set(self.0.take());
        }
    }
    // Also restored when `poll` panics.
    let _restore = Restore(AWAITED.replace(Some(Vec::new())));
    let value = poll();
    (value, AWAITED.take().unwrap_or_default())
}

/// Records that the handle of a task is pending.
#[inline]
pub(super) fn note(id: Id) {
    // Also called while a thread ends.
    let _ = AWAITED.try_with(|awaited| {
        if let Some(awaited) = awaited.borrow_mut().as_mut() {
            awaited.push(id);
        }
    });
}
