//! The Glommio backend of anyrt: io_uring, one thread per core, under the same contract as the
//! others.
//!
//! ```
//! use anyrt_core::{Spawner, runtime::Owner};
//! use anyrt_glommio::runtime::Builder;
//!
//! # if let Err(reason) = anyrt_glommio::is_available() { println!("skipped: {reason}"); return Ok(()); }
//! let runtime = Builder::new().shards(2).build()?;
//! let rt = runtime.handle().clone();
//! assert_eq!(runtime.block_on(rt.spawn(async { 7 })).unwrap(), 7);
//! # Ok::<(), anyrt_core::BuildError>(())
//! ```
//!
//! A runtime consists of *shards*. Each is a thread with its own Glommio executor, run queue,
//! timers and sockets. A shard never waits for another shard's lock for long. Linux 5.8 or newer
//! with io_uring is needed; [`is_available`] reports what is missing and the remedy.
//!
//! # Where tasks run
//! - A task stays on its shard. `spawn` chooses between two shards the one with fewer live tasks:
//!   this shard and another in turn, or two in turn if called outside the shards. The spawning task
//!   does not count, and this shard wins a tie. So an accept loop that spawns a task per connection
//!   fills all shards, in `block_on` as well as in a task, and a task that spawns and joins one
//!   child after the other keeps them on its own shard.
//! - `spawn_local` stays on this shard, for futures that are not `Send` and for tasks that share
//!   state. [`GlommioRuntime::spawn_on`] names the shard.
//! - While a task is in `block_in_place`, another thread takes over the tasks of its shard, so it
//!   may call `block_on`. Local tasks and Glommio's own futures stay on the thread and wait.
//! - `block_on` of a multi-thread runtime does not turn its thread into a shard: the shards watch
//!   its sockets and timers.
//! - The current-thread flavour is one shard, on the thread that calls `block_on`, in an executor
//!   that is kept for the next call. If several threads call it at once, one drives, and another
//!   takes over when it returns. Files go through the pool.
//! - A panic on a shard outside of its tasks, for example in a hook of the application, aborts the
//!   process, as on a worker of Tokio.
//!
//! # An executor of the application
//! [`GlommioRuntime::adopt`], called inside it, makes our driver one of its tasks. The rules of the
//! contract about options, threads and shutdown do not apply there, because the application owns
//! them. Files go through the pool.
//!
//! # Sockets go anywhere
//! Every socket and timer is `Send`. It may be polled on any shard, on a plain thread, or on a
//! worker of another runtime, and dropped anywhere. A stream follows its reader to another shard
//! without losing an operation in progress. After the runtime has ended, a socket that would have
//! to wait fails with an error of kind `Other`, and polling a sleep panics, as in Tokio.
//!
//! The same holds for files. On a runtime with its own threads, read-only files go through the ring
//! of one shard; see [`fs`].
//!
//! # What differs from native Glommio
//! | native Glommio | here |
//! |---|---|
//! | `spawn_local` polls inside the call; dropping the task cancels it | it never does; dropping the handle detaches |
//! | a panic in a task ends the executor | `Err(JoinError)` with the payload |
//! | tasks that sleep when the executor ends are never dropped | dropped on their shard before `drop` returns |
//! | sockets and timers stay on their thread | they go anywhere |
//! | `bind` sets REUSEPORT: two listeners share a port unnoticed | the second is `AddrInUse` |
//! | a cancelled datagram receive loses the datagram; a full buffer sends an empty one | neither |
//! | parks with runnable tasks under a short preempt timer | does not; [`runtime::Builder::preempt_timer`] is the driver's own slice |
//! | one thread for blocking jobs per executor | the pool of every backend, up to 512 |
//! | an always ready task starves I/O until the preempt timer | a budget of 128 operations per poll |
//!
//! Glommio's own futures (files, timers) may be awaited in local tasks of a shard. They run when
//! the shard is idle and at least once per `preempt_timer`.
//!
//! # What a shard costs
//! 200 KiB resident, 7 descriptors, 2 threads (the second is Glommio's own for blocking calls, and
//! sleeps), 0.2 ms to start; about 250 KiB of locked memory, so 32 shards fit into the usual limit
//! of 8 MiB for unprivileged users. Measured on Linux 6.18 with
//! `cargo run --release -p anyrt-glommio --example footprint`.
//!
//! # Why sockets do not go through the ring
//! Measured with `cargo run --release -p anyrt-glommio --example echo_bench` (1 KB, one server
//! thread, a quiet virtual machine with two cores, medians of five rounds): native Glommio streams,
//! which poll in the ring and then call `recv`, take 38.3 µs of CPU per request with one connection
//! and 4.7 µs with 64; epoll with direct system calls takes 21.7 µs and 3.3 µs, at 1.24 and 1.34
//! times the rate. The ring carries what it is good at: files, and the long waits.
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "anyrt's Glommio backend needs Linux (io_uring): do not enable the feature `glommio` for this target"
);

#[cfg(target_os = "linux")]
mod adopt;
#[cfg(target_os = "linux")]
mod caller;
#[cfg(target_os = "linux")]
mod doorbell;
#[cfg(target_os = "linux")]
mod drive;
#[cfg(target_os = "linux")]
mod ending;
#[cfg(target_os = "linux")]
mod epoll;
#[cfg(target_os = "linux")]
pub mod fs;
#[cfg(target_os = "linux")]
mod handle;
#[cfg(target_os = "linux")]
mod instant;
#[cfg(target_os = "linux")]
mod kind;
#[cfg(all(target_os = "linux", anyrt_loom, test))]
mod model;
#[cfg(target_os = "linux")]
pub mod net;
#[cfg(target_os = "linux")]
mod operations;
#[cfg(target_os = "linux")]
pub mod readiness;
#[cfg(target_os = "linux")]
pub mod runtime;
#[cfg(target_os = "linux")]
mod seat;
#[cfg(target_os = "linux")]
mod shard;
#[cfg(target_os = "linux")]
mod sync;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
pub mod task;
#[cfg(target_os = "linux")]
pub mod time;

#[cfg(target_os = "linux")]
pub use adopt::Adopted;
#[cfg(target_os = "linux")]
pub use handle::GlommioRuntime;
#[cfg(target_os = "linux")]
pub use kind::KIND;
#[cfg(target_os = "linux")]
pub use sys::is_available;
