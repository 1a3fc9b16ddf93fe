//! The contract of a runtime in anyrt: its traits, and the code that is the same on every runtime.
//!
//! A *runtime* is a cheap, cloneable value. Generic code takes it as `rt: R` with `R: Runtime`, or
//! with the capability that it needs:
//!
//! | trait | what it gives | file |
//! |---|---|---|
//! | [`Spawner`] | tasks on any thread: `spawn`, and a [`JoinHandle`] that detaches on drop | `task.rs` |
//! | [`LocalSpawner`] | tasks that stay on this thread, for futures that are not `Send` | `task.rs` |
//! | [`Blocking`] | a thread for code that blocks | `blocking.rs` |
//! | [`Timer`] | the clock, `sleep`, `timeout`, `interval` | `time.rs` |
//! | [`Net`] | TCP, UDP and name resolution | `net.rs` |
//! | [`Channel`] | multi-producer, single-consumer queues | `channel.rs` |
//! | [`Runtime`] | all of them | `runtime.rs` |
//!
//! Behaviour is documented once, on the trait, and holds on every backend; `anyrt-testkit` tests
//! each sentence of it.
//!
//! ```
//! use anyrt_core::{JoinHandle, Net, Runtime, Spawner, TcpListener};
//! use futures_util::AsyncWriteExt;
//!
//! /// Greets every client; runs on whatever runtime the caller has.
//! async fn serve<R: Runtime>(rt: R, address: &str) -> std::io::Result<()> {
//!     let listener = rt.bind_tcp(address).await?;
//!     loop {
//!         let (mut stream, _) = listener.accept().await?;
//!         rt.spawn(async move { stream.write_all(b"hello\n").await }).detach();
//!     }
//! }
//! ```
//!
//! [`ErasedRuntime`] is any runtime without a type parameter.
//!
//! # For runtime authors
//! Implement the six traits for your handle and [`runtime::Owner`] for the type that owns the
//! threads. If your sockets are those of the operating system, also implement [`FromStd`], and
//! [`net::Descriptor`] for the sockets. [`coop`], [`context`] and [`waiters`] are for runtime
//! authors. `anyrt-kit` has the parts that every runtime would otherwise write for itself: tasks
//! with Tokio's semantics over any queue, a blocking pool, files, channels, a clock and timers.
#![forbid(unsafe_code)]

pub mod blocking;
pub mod cancel;
pub mod channel;
pub mod context;
pub mod coop;
pub mod erased;
pub mod error;
mod id;
pub mod join_set;
mod large;
pub mod net;
pub mod readiness;
pub mod runtime;
pub mod shutdown;
mod sync;
pub mod task;
pub mod time;
pub mod tracker;
pub mod waiters;

pub use blocking::Blocking;
pub use cancel::CancellationToken;
pub use channel::Channel;
pub use erased::ErasedRuntime;
pub use error::{BuildError, Elapsed, JoinError, NoRuntime};
pub use join_set::JoinSet;
pub use large::LARGE;
pub use net::{FromStd, Net, TcpListener, TcpStream, UdpSocket};
pub use runtime::Runtime;
pub use task::{AbortHandle, JoinHandle, LocalSpawner, Spawner};
pub use time::Timer;
pub use tracker::TaskTracker;
