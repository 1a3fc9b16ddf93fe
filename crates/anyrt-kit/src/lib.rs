//! Building blocks for authors of backends, which every runtime would otherwise write for itself.
//!
//! `anyrt-core` defines the contract of a runtime. With this crate a backend fulfils it with little
//! code. Applications and libraries do not need it.
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
//! [`Asleep`] is for a thread that waits by itself. Nothing here depends on a particular runtime.
//! Operations charge the budget of [`anyrt_core::coop`].
#![forbid(unsafe_code)]

pub mod affinity;
mod asleep;
pub mod executor;
pub mod fs;
pub mod net;
pub mod queue;
pub mod readiness;
#[doc(hidden)]
pub mod sync;
mod table;
pub mod time;

pub use asleep::Asleep;

/// The names that the macros of this crate use.
#[doc(hidden)]
pub mod __private {
    pub use anyrt_core::error::ReuniteError;
    pub use anyrt_core::net;
    pub use futures_io::{AsyncRead, AsyncWrite};
}
