//! The common part of the Smol and async-std backends of anyrt: tasks in an [`async_executor`],
//! sockets and timers in [`async_io`], which are the executor and the reactor of both.
//!
//! A backend only defines how a thread waits ([`anyrt_kit::executor::Host`]); sockets, timers,
//! files, handle and owner are here. Sockets work on every thread, inside or outside a runtime:
//! async-io wakes the waiting tasks from an idle worker or from its own thread.
#![forbid(unsafe_code)]

pub mod executor;
pub mod fs;
mod instant;
pub mod net;
pub mod reactor;
pub mod readiness;
pub mod runtime;
pub mod task;
pub mod time;
