//! When tasks that wait for a descriptor of the system are woken.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::task::Waker;

use anyrt_core::readiness::Ready;
use anyrt_kit::readiness::Source;

use super::link::LOOPBACK;
use super::{Arrival, Net};
use crate::random::mix;

impl Net {
    /// Stops watching `fd`. The source is returned, to be dropped when no lock is held.
    #[must_use]
    pub(crate) fn unwatch(&mut self, fd: BorrowedFd<'_>, token: u64) -> Option<Arc<Source>> {
        self.descriptors.remove(fd, token)
    }

    /// Plans the events of descriptors that became ready. Returns `true` if there are any.
    pub(crate) fn look_at_descriptors(&mut self, now: u64) -> bool {
        let events = self.descriptors.take_events();
        let any = !events.is_empty();
        for (token, ready) in events {
            let at = now + self.random.within(LOOPBACK);
            self.plan(at, Arrival::Ready { token, ready });
        }
        any
    }

    pub(super) fn ready_arrives(&mut self, token: u64, ready: Ready, woken: &mut Vec<Waker>) {
        if let Some(source) = self.descriptors.sources.get(token) {
            source.set(ready, woken);
            self.note(mix(token ^ u64::from(ready.bits()).rotate_left(17) ^ 6));
        }
    }
}
