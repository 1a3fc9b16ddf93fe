//! The Smol backend of anyrt: the run queue of `anyrt-core` on threads that wait in an epoll of the runtime, beside the
//! reactor of Smol, `async-io`.
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
//! | one reactor per process, for which the threads take turns; 5 to 9 system calls for a small request | one per runtime; 3 |
//!
//! Smol's own functions (`smol::spawn`, `async_io::Timer`, …) work beside it. Their reactor, `async-io`, is turned by its
//! own thread, so what they wait for costs a switch of threads more than natively.
#![forbid(unsafe_code)]

pub mod runtime;

pub use anyrt_async_io::{net, readiness, time};

pub mod fs {
    //! Files: through the blocking pool of the runtime.

    pub use anyrt_async_io::fs::from_std;

    /// An open file.
    pub type File = anyrt_async_io::fs::File<crate::runtime::Smol>;
}

pub use runtime::{KIND, SmolRuntime};
