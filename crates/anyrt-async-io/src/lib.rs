//! What the Smol and async-std backends of anyrt share: a runtime whose threads wait in [`async_io`], the reactor
//! of both.
//!
//! A backend says how a thread waits ([`anyrt_core::executor::Host`]) and is done; sockets, timers, files, handle
//! and owner are here. Sockets and timers work on every thread, inside a runtime or not: the reactor is one per
//! process and has a thread of its own.
//!
//! What else a socket or a descriptor is ready for is told by an epoll of ours on Linux and Android, and elsewhere by the
//! reactor alone; see [`readiness`] for what that changes.
#![forbid(unsafe_code)]

pub mod fs;
pub mod net;
pub mod reactor;
pub mod readiness;
pub mod runtime;
pub mod task;
pub mod time;
