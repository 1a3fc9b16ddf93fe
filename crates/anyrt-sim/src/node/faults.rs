//! What a test or chaos does to a node: crashes, power failures, pauses and wrong clocks.

use std::panic::Location;

use super::{Life, Node, start};
use crate::failure::FailureKind;
use crate::task;
use crate::trace::Event;
use crate::world;

/// In parts per million: half or one and a half times the normal speed.
const MOST_DRIFT: i32 = 500_000;

impl Node {
    /// Ends everything that runs on the node immediately, as `kill -9` does: futures are dropped
    /// without notice, and the system closes the sockets. Written data stays in the files. Does
    /// nothing if the node is down.
    ///
    /// If a task of the node calls it, that task ends at its next `.await`. Blocking jobs that have
    /// begun run to their end.
    pub fn crash(&self) {
        if self.is_up() && self.suffers("a crash of") {
            self.end(true);
        }
    }

    /// As [`crash`](Self::crash), but the machine loses power. Peers are not notified: their
    /// requests time out, or the restarted node resets their connections. Of its
    /// [files](crate::fs), unsynced changes are lost, completely or in part, even if the node is
    /// down already because its program has ended.
    pub fn power_off(&self) {
        let concerns = self.is_up() || self.world.has_disk(self.state.id);
        if concerns && self.suffers("a power failure of") {
            self.end(false);
        }
    }

    /// Returns `true` if a fault that the test asks for happens in this execution.
    pub(crate) fn suffers(&self, what: &str) -> bool {
        let text = || format!("{what} {}", self.name());
        let nanos = self.world.nanos();
        self.world.injected.by_test(nanos, self.state.id, text)
    }

    /// Ends everything that runs on the node.
    pub(crate) fn end(&self, says_goodbye: bool) {
        if std::mem::replace(&mut self.state.lock().up, false) {
            self.end_life(says_goodbye);
        }
        if says_goodbye {
            return;
        }
        let now = self.runtime().system_time();
        if let Err(error) = self.world.lose_unsynced(self.state.id, now) {
            let message = format!("the disk of {:?} cannot be changed: {error}", self.name());
            self.world.fail(FailureKind::Panic, message);
        }
    }

    fn end_life(&self, says_goodbye: bool) {
        let rt = self.runtime();
        self.world.note(Event::Node(self.state.id as u64 * 8));
        // First, so that destructors cannot send.
        let mut woken = Vec::new();
        self.world
            .net()
            .end_node(self.state.id, says_goodbye, self.world.nanos(), &mut woken);
        world::wake(woken);
        self.world.end_disk_use(self.state.id);
        task::end_life(&rt);
    }

    /// Starts the node again: calls a host's closure once more. Does nothing if the node is up.
    ///
    /// # Panics
    /// Panics on a client, which has no closure to call again.
    pub fn restart(&self) {
        let (program, rt) = {
            let mut inner = self.state.lock();
            if inner.up {
                return;
            }
            let Some(program) = inner.program.clone() else {
                drop(inner);
                panic!(
                    "the node {:?} is no host, so it cannot be restarted",
                    self.name()
                );
            };
            inner.up = true;
            inner.life = Life::new();
            (program, inner.life.clone())
        };
        drop(rt);
        self.world.net().start_node(self.state.id);
        // The restarted machine is not paused, even if it was before.
        self.world.scheduler().pause(self.state.id, false);
        self.world.note(Event::Node(self.state.id as u64 * 8 + 1));
        start(&self.world, &self.state, program, Location::caller());
    }

    /// Stops the node's tasks until [`resume`](Self::resume). Its system continues: received data
    /// is kept in the buffers of its sockets.
    ///
    /// # Panics
    /// Panics on the node that `block_on` runs on.
    pub fn pause(&self) {
        assert!(
            self.state.id != 0,
            "the main node cannot be paused: it runs the test"
        );
        if self.suffers("a pause of") {
            self.stand_still();
        }
    }

    pub(crate) fn stand_still(&self) {
        self.world.note(Event::Node(self.state.id as u64 * 8 + 2));
        self.world.scheduler().pause(self.state.id, true);
    }

    /// Lets the tasks run again.
    pub fn resume(&self) {
        self.world.note(Event::Node(self.state.id as u64 * 8 + 3));
        self.world.scheduler().pause(self.state.id, false);
    }

    /// Sets the offset of the node's [`system_time`](crate::SimRuntime::system_time) from the correct
    /// time, in nanoseconds.
    pub fn set_clock_offset(&self, nanos: i64) {
        // Correcting the clock is not a fault.
        if nanos == 0 || self.suffers("a wrong clock of") {
            self.put_clock(nanos);
        }
    }

    /// Makes the node's clocks (the monotonic clock, its timers and its wall clock) too fast by
    /// this many parts per million from now on, or too slow if negative. The clocks continue from
    /// their present values; 0 stops the drift but does not correct them.
    ///
    /// Real clocks drift by up to some hundreds of parts per million; a larger drift finds faults
    /// sooner. Instants of two nodes whose clocks drift apart cannot be compared.
    ///
    /// # Panics
    /// Panics unless the value is from -500,000 to 500,000.
    pub fn set_clock_drift(&self, parts_per_million: i32) {
        assert!(
            (-MOST_DRIFT..=MOST_DRIFT).contains(&parts_per_million),
            "the drift of the clock of {:?} must be from -{MOST_DRIFT} to {MOST_DRIFT} parts per million, not \
             {parts_per_million}",
            self.name()
        );
        // As above.
        if parts_per_million == 0 || self.suffers("a drift of the clock of") {
            self.drift(parts_per_million);
        }
    }

    pub(crate) fn drift(&self, parts_per_million: i32) {
        let mut agenda = self.world.agenda();
        let clock = self.state.clock();
        clock.set_drift(self.world.nanos(), parts_per_million);
        agenda.plan(self.state.id);
        drop(agenda);
        self.world.nudge();
    }

    pub(crate) fn put_clock(&self, nanos: i64) {
        self.state.lock().clock_offset = nanos;
    }
}
