//! Sockets and other descriptors with their readiness, from the reactor of async-io.
//!
//! async-io reports a direction once per request, whether its readiness is new or not, so a request
//! is made when a task waits. The exact readiness is looked up with `poll(2)`, which distinguishes
//! errors, closed directions and out-of-band data.
//!
//! # What differs from Tokio
//! - An [`AsyncFd`] takes a second descriptor, a duplicate, because async-io owns the descriptors
//!   it watches.
//! - Readiness that was cleared while it was still present is reported again. An edge-triggered
//!   epoll reports it when more data arrives.
//! - Only Linux and Android report out-of-band data.

#[cfg(unix)]
mod descriptor;
mod look;
mod watched;

pub use watched::Watched;

#[cfg(unix)]
pub use descriptor::{AsyncFd, Watch};
