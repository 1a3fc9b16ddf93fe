//! The Glommio backend of anyrt: io_uring, one thread per core, under the same contract as the others.
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
//! A runtime is a number of *shards*. Each is a thread with a Glommio executor, a run queue, timers and sockets of its
//! own; nothing that a shard does for its own tasks takes a lock that another one holds for long. Linux 5.8 or newer
//! with io_uring is needed; [`is_available`] says what is missing and how to get it.
//!
//! # Where tasks run
//! - A task stays on its shard. `spawn` places it on the shard that has fewer live tasks of two: this one and another in
//!   turn, or two in turn when called off the shards. The task that spawns does not count, and this shard wins a tie.
//!   So an accept loop that spawns a task per connection fills all shards, in `block_on` as well as in a task, and a
//!   task that spawns and joins one child after the other keeps them at hand.
//! - `spawn_local` stays on this shard, for what is not `Send` and for what belongs together;
//!   [`GlommioRuntime::spawn_on`] names the shard.
//! - While a task is in `block_in_place`, another thread takes over the tasks of its shard, so that it may call `block_on`
//!   there. Local tasks, and Glommio's own futures, stay on the thread and wait.
//! - `block_on` of a multi-thread runtime makes no shard of its thread: the shards watch its sockets and timers for it.
//! - The current-thread flavour is one shard, on the thread that calls `block_on`, in an executor that is kept for the next
//!   call. Of several threads that call it at once, one drives; when it leaves, another takes over. Files go through the
//!   pool there.
//! - A shard that panics outside of its tasks (a hook of the application does) aborts the process, as a worker of Tokio's.
//!
//! # An executor of the application
//! [`GlommioRuntime::adopt`], called in it, makes our driver one of its tasks. What the contract says of options, threads
//! and the end does not hold there: the application owns them. Files go through the pool.
//!
//! # Sockets go anywhere
//! Every socket and timer is `Send` and may be polled on any shard, on a plain thread, or on a worker of another
//! runtime, and dropped anywhere. A stream follows its reader to another shard; what is under way is not lost.
//! Polled after the runtime has ended, a socket that would have to wait gives an error of kind `Other`, and a sleep
//! panics, as Tokio's does.
//!
//! Files do, too. On a runtime with threads of its own, what is only read goes through the ring of one shard, see [`fs`].
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
//! Glommio's own futures (files, timers) may be awaited in local tasks of a shard. They have their turn when the shard
//! is idle and at least once per `preempt_timer`.
//!
//! # What a shard costs
//! 200 KiB resident, 7 descriptors, 2 threads (Glommio's own for blocking calls is the second and sleeps), 0.2 ms to
//! start; about 250 KiB of locked memory, so that 32 shards fit into the usual 8 MiB of an unprivileged user.
//! Measured on Linux 6.18 with `cargo run --release -p anyrt-glommio --example footprint`.
//!
//! # Why sockets do not go through the ring
//! Measured with `cargo run --release -p anyrt-glommio --example echo_bench` (1 KB, one server thread, a quiet virtual
//! machine with two cores, medians of five rounds): native Glommio streams, which poll in the ring and then call `recv`,
//! take 38.3 µs of CPU per request with one connection and 4.7 µs with 64; epoll with direct system calls takes 21.7 µs
//! and 3.3 µs, at 1.24 and 1.34 times the rate. The ring carries what it is good at: files, and the long waits.
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
