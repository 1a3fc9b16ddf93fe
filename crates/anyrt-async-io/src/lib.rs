//! What the Smol and async-std backends of anyrt share: tasks in an [`async_executor`], sockets and timers in
//! [`async_io`], which are the executor and the reactor of both.
//!
//! A backend says how a thread waits ([`anyrt_kit::executor::Host`]) and is done; sockets, timers, files, handle
//! and owner are here. Sockets work on every thread, inside a runtime or not: async-io wakes whoever waits, from a worker
//! that has nothing to run or from its own thread.
#![forbid(unsafe_code)]

pub mod executor;
pub mod fs;
pub mod net;
pub mod reactor;
pub mod readiness;
pub mod runtime;
pub mod task;
pub mod time;
