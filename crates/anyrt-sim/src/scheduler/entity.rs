//! What can be selected to run, and what a selected one is run with.

use std::fmt;
use std::panic::Location;

use anyrt_core::task::Id;
use anyrt_kit::executor::Runnable;

use crate::runtime::SimRuntime;
use crate::wait::Wait;

/// An entity that can be selected to run.
pub(crate) struct Entity {
    /// The number of the task: how many were spawned before it.
    pub(super) task: u64,
    pub(super) rt: SimRuntime,
    pub(super) kind: Kind,
    /// The only seat that may run it.
    pub(super) home: Option<usize>,
    pub(super) runnable: Option<Runnable>,
    pub(super) ready: bool,
    pub(super) spawned_at: &'static Location<'static>,
    pub(super) waits: Vec<Wait>,
    /// The id that its join handle has.
    pub(super) id: Option<Id>,
    /// The value of the counter of consecutive polls, and its epoch.
    pub(super) busy: (u64, u64),
}

/// The kind of an [`Entity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The future of a `block_on`.
    Root,
    /// The main future of a host or a client.
    Main,
    Task,
    /// A task that stays on its thread.
    Local,
    /// A blocking job.
    Job,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "block_on",
            Self::Main => "main task",
            Self::Task => "task",
            Self::Local => "local task",
            Self::Job => "blocking job",
        }
    }
}

/// A task for the report of those that wait for ever.
pub(crate) struct WaitingTask {
    pub(crate) task: u64,
    pub(crate) id: Option<Id>,
    pub(crate) kind: Kind,
    /// Its kind, its number, its node and where it was spawned.
    pub(crate) text: String,
    pub(crate) waits: Vec<Wait>,
    /// It is ready, but its node is paused.
    pub(crate) paused: bool,
}

/// The number of an entity, and the number of its task, which is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) slot: usize,
    pub(crate) task: u64,
}

/// The work for a thread that has the turn.
pub(crate) struct Work {
    pub(crate) key: Key,
    pub(crate) rt: SimRuntime,
    pub(crate) kind: Kind,
    /// `None` for the future of a `block_on`, which is on the thread's own stack.
    pub(crate) runnable: Option<Runnable>,
    pub(crate) home: Option<usize>,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} of node {}, started at {}",
            self.kind.name(),
            self.task,
            self.rt.node_state().name(),
            self.spawned_at
        )
    }
}
