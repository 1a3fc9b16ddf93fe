//! One shard: its tasks, its queues, and their use by every thread.
//!
//! [`crate::drive`] drives it, on the thread that [`crate::seat`] selects.
//!
//! # Three kinds of tasks
//! - Tasks of `spawn` run on the thread that has the seat. That is the shard's own, except while a
//!   task blocks in place there.
//! - Tasks of `spawn_local` and the services of files run on the shard's own thread, the *home*.
//!   They wait while that thread blocks in place.
//!
//! The thread with the seat queues for itself without a lock. Other threads push into an inbox and,
//! if the shard sleeps, ring the doorbell.

mod end;
mod here;
mod presence;
mod tasks;

pub(crate) use here::{current_id, has_seat};
pub(crate) use presence::{AbortOnPanic, AtHome, Present, block_in_place, with_current};
pub(crate) use tasks::Shard;
