//! The seats of a thread in the worlds that it runs, and what its last poll has done.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use anyrt_core::coop;

use crate::world::World;

thread_local! {
    /// The worlds in which this thread has or last had the turn, with its seat there; the innermost
    /// last.
    static SEATS: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

thread_local! {
    /// Operations that were ready in the poll that has just ended.
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Called at the end of a poll, before its budget is discarded.
pub(crate) fn note_operations() {
    let left = coop::left().unwrap_or(coop::BUDGET);
    let spent = coop::BUDGET.saturating_sub(left);
    let _ = OPERATIONS.try_with(|operations| operations.set(u64::from(spent)));
}

/// Returns the operations of the poll that has just ended.
pub(crate) fn take_operations() -> u64 {
    OPERATIONS.take()
}

fn address(world: &Arc<World>) -> usize {
    Arc::as_ptr(world).addr()
}

/// Returns the seat of this thread in `world`.
pub(crate) fn seat(world: &Arc<World>) -> Option<usize> {
    let here = address(world);
    let find = |seats: &RefCell<Vec<(usize, usize)>>| {
        let seats = seats.borrow();
        seats
            .iter()
            .rev()
            .find(|(world, _)| *world == here)
            .map(|(_, seat)| *seat)
    };
    SEATS.try_with(find).ok().flatten()
}

/// Assigns the seat to this thread until the guard is dropped.
pub(crate) fn take_seat(world: &Arc<World>, seat: usize) -> Seated {
    SEATS.with_borrow_mut(|seats| seats.push((address(world), seat)));
    Seated
}

pub(crate) struct Seated;

impl Drop for Seated {
    fn drop(&mut self) {
        SEATS.with_borrow_mut(Vec::pop);
    }
}
