//! For runtime authors: what runtimes would otherwise each write anew.
//!
//! ```text
//!   Tasks            tasks with Tokio's semantics (abort, panics, ids, budget), one allocation each,
//!     |              over any queue of Runnables that the runtime has
//!     |-- RunQueue       a work-stealing queue for one or more threads
//!     |-- local          the !Send tasks of a thread that is inside block_on
//!     |-- LocalSet       the same as a value
//!     `-- BlockingPool   threads for jobs that block
//!   Engine           all of these with worker threads: a whole runtime but for its reactor
//! ```
//!
//! A runtime that has its own queue (a shard, a simulator) uses [`Tasks`] alone and gives it the function that
//! puts a [`Runnable`] there.

mod blocking_pool;
mod engine;
pub mod local;
pub mod local_set;
mod run_queue;
mod shift;
mod task;

pub use blocking_pool::BlockingPool;
pub use engine::{Engine, Host, Owned, Role};
pub use local_set::LocalSet;
pub use run_queue::{Run, RunQueue, Turns};
pub use shift::{Shift, WorkerMetrics};
pub use task::{Runnable, TaskAbortHandle, TaskHandle, Tasks};
