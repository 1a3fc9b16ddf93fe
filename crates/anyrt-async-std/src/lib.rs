//! The async-std backend of anyrt: tasks in `async-executor`, sockets and timers in `async-io`,
//! which are async-std's own, on threads that are inside [`async_std::task::block_on`].
//!
//! ```
//! use anyrt_async_std::runtime::{Builder, Runtime};
//! use anyrt_core::{Spawner, runtime::Owner};
//!
//! let runtime: Runtime = Builder::new_multi_thread().worker_threads(2).build()?;
//! let rt = runtime.handle().clone();
//! assert_eq!(runtime.block_on(rt.spawn(async { 7 })).unwrap(), 7);
//! # Ok::<(), anyrt_core::BuildError>(())
//! ```
//!
//! async-std is no longer maintained (RUSTSEC-2025-0052): use this backend only for code that still
//! depends on it.
//!
//! # What differs from native async-std
//! | native async-std | here |
//! |---|---|
//! | one global executor; `ASYNC_STD_THREAD_COUNT` sets its threads | a value with as many threads as asked for |
//! | tasks go on after `main` has let go of them | dropping the owner drops every task first |
//! | joining a task that panicked panics | `Err(JoinError)` with the payload |
//! | a panic in a destructor during cancellation aborts the process | `Err(JoinError)` |
//! | closing a `TcpStream` sends no FIN | it does |
//! | errors have their message rewritten and lose their errno | the kind, and the errno where a system call failed |
//! | no budget: a task that is always ready starves timers | a budget of 128 operations per poll |
//! | nested `block_on` may deadlock | it panics and says why |
//! | a socket belongs to the process | a socket belongs to its runtime: what waits when that ends, or later, is an error |
//!
//! async-std's own functions (`async_std::task::current`, `async_std::net`, task locals, …) work in
//! tasks of this backend, at their native cost.
//!
//! # In an application that has its own async-std
//! [`AsyncStdRuntime::global`](anyrt_async_io::runtime::Handle::global) is a handle to the executor
//! of [`async_std::task::spawn`]; in a task that the application started it is found automatically.
//! That executor never ends, and blocking jobs are not waited for.
//!
//! # What cannot be told or set
//! The executor has no tuning options: `event_interval` and `global_queue_interval` are fixed at
//! 200 and 64 (a current-thread runtime has only the global queue), the reactor handles all
//! available events at once, and these hints have no effect. A worker counts as parked when it has
//! nothing to run; it may then be waiting in the reactor on behalf of all workers.
//!
//! The executor of the process, which `AsyncStdRuntime::global` uses, has a table of tasks that
//! never shrinks: it keeps 16 bytes for each of the most tasks that were ever alive at once. A
//! runtime that anyrt builds has no such table: it takes an `async_executor::StaticExecutor`, which is
//! never freed and serves the next runtime afterwards.
#![forbid(unsafe_code)]

pub mod runtime;

pub use anyrt_async_io::{net, readiness, time};

pub mod fs {
    //! Files, through the blocking pool of the runtime.

    pub use anyrt_async_io::fs::from_std;

    /// An open file.
    pub type File = anyrt_async_io::fs::File<crate::runtime::AsyncStd>;
}

pub use runtime::{AsyncStdRuntime, KIND};
