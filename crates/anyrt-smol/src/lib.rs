//! The Smol backend of anyrt: tasks in `async-executor`, sockets and timers in `async-io`, which
//! are Smol's own.
//!
//! ```
//! use anyrt_core::{Spawner, runtime::Owner};
//! use anyrt_smol::runtime::{Builder, Runtime};
//!
//! let runtime: Runtime = Builder::new_multi_thread().worker_threads(2).build()?;
//! let rt = runtime.handle().clone();
//! assert_eq!(runtime.block_on(rt.spawn(async { 7 })).unwrap(), 7);
//! # Ok::<(), anyrt_core::BuildError>(())
//! ```
//!
//! # What differs from native Smol
//! | native Smol | here |
//! |---|---|
//! | one global executor, one thread unless `SMOL_THREADS` is set | a value with as many threads as asked for |
//! | dropping a `Task` cancels it | dropping the handle detaches the task |
//! | joining a task that panicked panics | `Err(JoinError)` with the payload |
//! | a panic in a destructor during cancellation aborts the process | `Err(JoinError)` |
//! | no budget: a task that is always ready starves timers | a budget of 128 operations per poll |
//! | nested `block_on` may deadlock | it panics and says why |
//! | a socket belongs to the process | a socket belongs to its runtime: what waits when that ends, or later, is an error |
//!
//! Smol's own functions (`smol::spawn`, `async_io::Timer`, `smol::net`, …) work in tasks of this
//! backend, at their native cost.
//!
//! # In an application that has its own Smol
//! [`SmolRuntime::on`] returns a handle to an executor that the application runs. With the feature
//! `global`, `SmolRuntime::global` returns a handle to the executor of `smol::spawn`.
//!
//! ```
//! use std::sync::Arc;
//! use anyrt_core::{Spawner, Timer};
//! use anyrt_smol::SmolRuntime;
//!
//! let executor = Arc::new(async_executor::Executor::new());
//! let rt = SmolRuntime::on(Arc::clone(&executor));
//! let task = rt.spawn(async { 7 });
//! assert_eq!(async_io::block_on(executor.run(task)).unwrap(), 7);
//! ```
//!
//! The owner of the executor controls its threads and its end, so the rules of the contract about
//! these do not apply: tasks are dropped with the executor's last `Arc` (the global executor never
//! ends), and blocking jobs are not waited for.
//!
//! # What cannot be told or set
//! The executor has no tuning options: `event_interval` and `global_queue_interval` are fixed at
//! 200 and 64 (a current-thread runtime has only the global queue), the reactor handles all
//! available events at once, and these hints have no effect. A worker counts as parked when it has
//! nothing to run; it may then be waiting in the reactor on behalf of all workers.
//!
//! The executor of the application, which `SmolRuntime::on` and `SmolRuntime::global` use, has a
//! table of tasks that never shrinks: it keeps 16 bytes for each of the most tasks that were ever
//! alive at once. A runtime that anyrt builds has no such table: it takes an
//! `async_executor::StaticExecutor`, which is never freed and serves the next runtime afterwards.
#![forbid(unsafe_code)]
// On docs.rs each item tells which features it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod runtime;

pub use anyrt_async_io::{net, readiness, time};

pub mod fs {
    //! Files, through the blocking pool of the runtime.

    pub use anyrt_async_io::fs::from_std;

    /// An open file.
    pub type File = anyrt_async_io::fs::File<crate::runtime::Smol>;
}

pub use runtime::{KIND, SmolRuntime};
