//! The steps of an execution, as a rolling hash by which executions are compared.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::random::mix;

/// One event of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The virtual time since the start.
    pub time: Duration,
    /// The event.
    pub event: Event,
    /// The hash of everything up to and including this step.
    pub hash: u64,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:016x}", self.time, self.event, self.hash)
    }
}

/// The event of a [`Step`]. Tasks are numbered in the order in which they were spawned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A task was spawned.
    Spawn(u64),
    /// A task was polled.
    Poll(u64),
    /// A blocking job ran until its end, or until it waited in its own `block_on`.
    Job(u64),
    /// This many timers fired at once.
    Timers(u64),
    /// A packet arrived; the number is a digest of its kind, connection and content.
    Packet(u64),
    /// A fault lost, duplicated or held back a packet.
    Fault(u64),
    /// A node was crashed, restarted, paused or resumed.
    Node(u64),
    /// The application drew a random number.
    Draw(u64),
    /// A signal was sent to a node.
    Signal(u64),
    /// A disk executed an operation, or a part of it; the lower 16 bits are the number of its node,
    /// the others contain the kind of the operation and the number of changes to the disk.
    Disk(u64),
}

impl Event {
    fn parts(self) -> (u64, u64) {
        match self {
            Self::Spawn(task) => (1, task),
            Self::Poll(task) => (2, task),
            Self::Job(task) => (3, task),
            Self::Timers(count) => (4, count),
            Self::Packet(content) => (5, content),
            Self::Fault(kind) => (6, kind),
            Self::Node(change) => (7, change),
            Self::Draw(number) => (8, number),
            Self::Signal(signal) => (9, signal),
            Self::Disk(content) => (10, content),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    steps: u64,
    recorded: Option<Recording>,
}

/// The record of an execution, if it is recorded.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) steps: Vec<Step>,
    pub(crate) tasks: Vec<Task>,
}

/// A task of a recorded execution.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) number: u64,
    pub(crate) node: usize,
    pub(crate) what: &'static str,
    pub(crate) spawned_at: &'static Location<'static>,
}

impl Trace {
    pub(crate) fn new(seed: u64, record: bool) -> Self {
        Self {
            hash: mix(seed),
            steps: 0,
            recorded: record.then(Recording::default),
        }
    }

    pub(crate) fn note(&mut self, nanos: u64, event: Event) {
        let (kind, value) = event.parts();
        self.steps += 1;
        self.hash =
            mix(self.hash ^ mix(nanos).rotate_left(7) ^ mix(value.wrapping_add(kind << 56)));
        if let Some(recorded) = &mut self.recorded {
            recorded.steps.push(Step {
                time: Duration::from_nanos(nanos),
                event,
                hash: self.hash,
            });
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn born(&mut self, task: Task) {
        if let Some(recorded) = &mut self.recorded {
            recorded.tasks.push(task);
        }
    }

    pub(crate) fn recorded(&self) -> Option<&Recording> {
        self.recorded.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_time_event_order_and_seed() {
        let hash = |seed, events: &[(u64, Event)]| {
            let mut trace = Trace::new(seed, false);
            for &(nanos, event) in events {
                trace.note(nanos, event);
            }
            trace.hash()
        };
        let base = hash(1, &[(5, Event::Poll(1)), (6, Event::Poll(2))]);
        for other in [
            hash(2, &[(5, Event::Poll(1)), (6, Event::Poll(2))]),
            hash(1, &[(5, Event::Poll(1)), (7, Event::Poll(2))]),
            hash(1, &[(5, Event::Poll(2)), (6, Event::Poll(1))]),
            hash(1, &[(5, Event::Poll(1)), (6, Event::Spawn(2))]),
        ] {
            assert_ne!(base, other);
        }
        assert_eq!(base, hash(1, &[(5, Event::Poll(1)), (6, Event::Poll(2))]));
    }
}
