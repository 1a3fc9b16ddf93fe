//! For runtime authors: the parts that each runtime would otherwise write for itself.
//!
//! ```text
//!   Tasks            tasks with Tokio's semantics (abort, panics, ids, budget), one allocation
//!     |              each, over the runtime's queue of Runnables, or as tasks of an Executor
//!     |-- local          the !Send tasks of a thread that is inside block_on
//!     |-- LocalSet       the same as a value
//!     `-- BlockingPool   threads for jobs that block
//!   Engine           all of these with a foreign Executor and threads that run it: a whole
//!                    runtime except for its reactor
//! ```
//!
//! A runtime that has its own queue (a shard, a simulator) uses [`Tasks`] alone and gives it the
//! function that puts a [`Runnable`] there.

mod awaited;
mod blocking_pool;
mod engine;
mod hosted;
mod isolated;
pub mod local;
pub mod local_set;
mod registry;
mod shift;
mod started;
mod task;
mod threads;
mod workers;

pub use awaited::awaited_tasks;
pub use blocking_pool::BlockingPool;
pub use engine::{Engine, Host, Owned};
pub use hosted::{Executor, Hosted, Scope};
pub use isolated::Outcome;
pub use local_set::LocalSet;
pub use registry::Tasks;
pub use shift::{Shift, WorkerMetrics};
pub use started::Started;
pub use task::{Runnable, TaskAbortHandle, TaskHandle};
pub use threads::{Latch, Running};
