//! The end of a shard.

use crate::sync::{Ordering, yield_now};

use super::tasks::Shard;

impl Shard {
    /// Ends all tasks, then the shard.
    pub(crate) fn close(&self) {
        self.operations.await_last();
        self.tasks.close();
        self.locals.close();
        self.epoll.ring_doorbell();
    }

    /// Returns `true` if its tasks are to end.
    pub(crate) fn is_closed(&self) -> bool {
        self.tasks.is_closed()
    }

    /// Advances the end, if it has begun. Called by the thread with the seat, between two tasks.
    /// Returns `true` if this thread has nothing left to do.
    pub(crate) fn progress_to_end(&self) -> bool {
        if !self.tasks.is_closed() {
            return false;
        }
        // A task that blocks in place may wait for something that ends only with the runtime.
        let blocked = self.blocked.load(Ordering::SeqCst);
        let has_home = self.is_home();
        let tasks_have_ended = self.tasks.len() <= blocked && (self.locals.is_empty() || !has_home);
        if tasks_have_ended && !self.tasks_have_ended.swap(true, Ordering::SeqCst) {
            self.ending.tasks_have_ended();
        }
        if !self.ending.is_over() {
            return false;
        }
        if !self.has_ended.swap(true, Ordering::SeqCst) {
            self.epoll.close();
            self.timers.close();
        }
        self.tasks.is_empty() && self.locals.is_empty() && self.operations.close_if_idle()
    }

    /// Drops all tasks on this thread, which has the seat, and rejects later ones. Stops waiting
    /// for tasks that other threads hold when `is_late` returns `true`.
    pub(crate) fn end_here(&self, is_late: impl Fn() -> bool) {
        self.close();
        self.services.close();
        while self.load() > 0 && !is_late() {
            if !self.has_work() && !self.has_mail() {
                // Another thread is about to push it into the inbox, or blocks in place.
                self.progress_to_end();
                yield_now();
            }
            self.run_tasks();
        }
        while self.has_work() || self.has_mail() {
            self.run_tasks();
        }
        self.operations.close();
        self.inbox.close();
        self.home_inbox.close();
        while self.has_mail() {
            self.run_tasks();
        }
        self.progress_to_end();
    }

    /// Drops the services, at home and inside the executor that their contents belong to.
    pub(crate) fn end_services(&self) {
        self.services.close();
        while !self.services.is_empty() {
            if !self.has_work() && !self.has_mail() {
                // Woken by another thread, which is about to push it into the inbox.
                yield_now();
            }
            self.run_tasks();
        }
    }
}
