//! What runtimes would otherwise each write anew, for the authors of backends of anyrt.
//!
//! What a runtime promises is in `anyrt-core`; this crate is how a backend keeps the promise with little code of its
//! own. An application and a library need neither it nor its name.
//!
//! | module | what a backend gets | what it brings |
//! |---|---|---|
//! | [`affinity`] | threads that are bound to a core and start others that are not | |
//! | [`executor`] | tasks with Tokio's semantics, local tasks, a blocking pool, a whole runtime but for its reactor | a queue, or an executor and a way for a thread to wait |
//! | [`fs`] | files with Tokio's semantics | a way to carry out one operation |
//! | [`net`] | sockets | a poller |
//! | [`queue`] | channels | |
//! | [`readiness`] | the readiness of descriptors, and who waits for it | a poller |
//! | [`time`] | a clock that can be paused, and a queue of timers | an alarm |
//!
//! [`Asleep`] is for a thread that waits by itself. None of it knows a runtime. It charges the budget of [`anyrt_core::coop`].
#![forbid(unsafe_code)]

pub mod affinity;
mod asleep;
pub mod executor;
pub mod fs;
pub mod net;
pub mod queue;
pub mod readiness;
mod sync;
mod table;
pub mod time;

pub use asleep::Asleep;
