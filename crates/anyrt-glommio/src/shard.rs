//! One shard: its tasks, its queue, and what every thread may do with them.
//!
//! How it is driven is in [`crate::drive`]; which thread does, in [`crate::seat`].
//!
//! # Three kinds of tasks
//! - Those of `spawn` run on whatever thread has the seat. That is the shard's own, but for the time in which a task blocks
//!   in place there.
//! - Those of `spawn_local`, and the services of files, run on the shard's own thread, the *home*. While that blocks in
//!   place they wait.
//!
//! A thread with the seat queues for itself without a lock. Everybody else pushes into an inbox and, if the shard sleeps,
//! rings the doorbell.

mod end;
mod here;
mod presence;
mod tasks;

pub(crate) use here::{current_id, has_seat};
pub(crate) use presence::{AbortOnPanic, AtHome, Present, block_in_place, with_current};
pub(crate) use tasks::Shard;
