//! The futures that wait for one source.

use std::task::Waker;

use anyrt_core::readiness::Interest;

/// The waiting futures, in the order of arrival.
///
/// Any number may wait for one source (workers that all receive from one socket), and each event
/// wakes all of them, so each step must be cheap: an entry is found by its number, and a removed
/// one stays as a gap until half of all entries are gaps. The vector keeps its memory, so a single
/// future that waits repeatedly does not allocate.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    next_id: u64,
    /// In the order of their numbers.
    entries: Vec<WaitingFuture>,
    gaps: usize,
}

#[derive(Debug)]
struct WaitingFuture {
    id: u64,
    interest: Interest,
    /// `None` once the future was removed.
    waker: Option<Waker>,
}

impl Waiting {
    /// Memory for more entries than this is released once none is left.
    const KEPT: usize = 64;

    /// Stores the waker of the future with this number, or assigns a number to a future without
    /// one. Returns the waker to drop.
    pub(super) fn enter(
        &mut self,
        id: &mut Option<u64>,
        interest: Interest,
        waker: Waker,
    ) -> Option<Waker> {
        if let Some(at) = id.and_then(|id| self.position(id)) {
            return self.entries[at].waker.replace(waker);
        }
        self.next_id += 1;
        *id = Some(self.next_id);
        self.entries.push(WaitingFuture {
            id: self.next_id,
            interest,
            waker: Some(waker),
        });
        None
    }

    /// Removes the future with this number. Returns the waker to drop.
    pub(super) fn leave(&mut self, id: u64) -> Option<Waker> {
        let waker = self
            .position(id)
            .and_then(|at| self.entries[at].waker.take());
        if waker.is_some() {
            self.gaps += 1;
            if self.gaps * 2 > self.entries.len() {
                self.entries.retain(|entry| entry.waker.is_some());
                self.gaps = 0;
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > Self::KEPT {
            self.entries = Vec::new();
        }
        waker
    }

    /// Removes the futures that wait for this event, in the order of arrival.
    pub(super) fn take(&mut self, concerns: impl Fn(Interest) -> bool, wakers: &mut Vec<Waker>) {
        self.entries.retain_mut(|entry| {
            if concerns(entry.interest) {
                wakers.extend(entry.waker.take());
            }
            entry.waker.is_some()
        });
        self.gaps = 0;
    }

    /// Returns what they wait for.
    pub(super) fn awaited(&self) -> Option<Interest> {
        let present = self.entries.iter().filter(|e| e.waker.is_some());
        present.map(|entry| entry.interest).reduce(Interest::add)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&id, |e| e.id).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;
    use std::task::Wake;

    use super::*;

    /// Records which waiter was woken.
    struct Named(usize, Arc<Mutex<Vec<usize>>>);

    impl Wake for Named {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn crowd(waiting: &mut Waiting, count: usize) -> (Vec<u64>, Arc<Mutex<Vec<usize>>>) {
        let woken = Arc::<Mutex<Vec<usize>>>::default();
        let ids = (0..count).map(|number| {
            let waker = Waker::from(Arc::new(Named(number, Arc::clone(&woken))));
            let mut id = None;
            assert!(waiting.enter(&mut id, Interest::READABLE, waker).is_none());
            id.unwrap()
        });
        (ids.collect(), woken)
    }

    #[test]
    fn those_who_wait_are_woken_in_the_order_in_which_they_came() {
        let mut waiting = Waiting::default();
        let (ids, woken) = crowd(&mut waiting, 10);
        for at in [7, 2, 3] {
            assert!(waiting.leave(ids[at]).is_some());
            assert!(waiting.leave(ids[at]).is_none(), "it has left already");
        }
        let mut wakers = Vec::new();
        waiting.take(|interest| interest.is_writable(), &mut wakers);
        assert!(wakers.is_empty(), "nobody waits for that");
        waiting.take(|interest| interest.is_readable(), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        assert_eq!(*woken.lock().unwrap(), [0, 1, 4, 5, 6, 8, 9]);
        assert!(waiting.entries.is_empty());
    }

    #[test]
    fn a_crowd_that_leaves_in_any_order_leaves_no_memory_behind() {
        let mut waiting = Waiting::default();
        let (ids, _woken) = crowd(&mut waiting, 20_000);
        let mut moved = 0;
        for step in 0..ids.len() {
            let before = waiting.entries.len();
            // 7919 and 20,000 are coprime: each is used once, in a different order.
            waiting.leave(ids[step * 7919 % ids.len()]);
            if waiting.entries.len() < before {
                moved += before;
            }
        }
        assert!(waiting.entries.capacity() <= Waiting::KEPT);
        assert!(moved < 4 * ids.len(), "gaps were closed {moved} times");
    }
}
