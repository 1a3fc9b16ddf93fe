//! The Tokio backend of anyrt: Tokio itself, as a value.
//!
//! ```
//! use anyrt_core::{Spawner, runtime::Owner};
//! use anyrt_tokio::runtime::{Builder, Runtime};
//!
//! let runtime: Runtime = Builder::new_multi_thread().worker_threads(2).build()?;
//! let rt = runtime.handle().clone();
//! assert_eq!(runtime.block_on(rt.spawn(async { 7 })).unwrap(), 7);
//! # Ok::<(), anyrt_core::BuildError>(())
//! ```
//!
//! A runtime that the application started by itself works as well: [`TokioRuntime::current`]
//! returns its handle, and `tokio::runtime::Handle` converts into one.
//!
//! Tokio's semantics are the contract, so this crate adds types and no behaviour: a task is Tokio's
//! task, a stream is Tokio's stream, and everything in Tokio's ecosystem works with it.
//!
//! # What differs from native Tokio
//! | native Tokio | here |
//! |---|---|
//! | `spawn_local` needs a `LocalSet` | `block_on` has one, made by the first `spawn_local` |
//! | `block_on` inside another kind of runtime is not noticed | it panics and says why |
//! | `sleep`, `TcpStream::from_std`, … need the context of the runtime | they work on any thread, through the handle |
//! | an open file needs the context of a runtime whenever it is polled | elsewhere it uses the runtime that made it |
//!
//! # What Tokio cannot do
//! - Worker threads cannot be pinned: Tokio moves a worker to another thread when a task blocks in
//!   place, and starts blocking threads with the same hook.
//! - A [`Sleep`](time::Sleep) panics if it is polled after its runtime has ended.
//! - On a current-thread runtime, timers and sockets make no progress outside of Tokio's own
//!   `block_on`.
#![forbid(unsafe_code)]
// On docs.rs each item tells which features it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod blocking;
pub mod channel;
#[cfg(feature = "fs")]
pub mod fs;
pub mod join_set;
pub mod local_set;
pub mod net;
pub mod readiness;
pub mod runtime;
#[cfg(all(unix, feature = "signal"))]
pub mod signal;
pub mod task;
pub mod time;

pub use runtime::{KIND, TokioRuntime};
