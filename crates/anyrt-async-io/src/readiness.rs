//! Sockets and other descriptors with their readiness, by the reactor of async-io.
//!
//! async-io tells of a direction once each time that it is asked, whether what is there is new or not. So it is asked when
//! somebody waits. What exactly a descriptor is ready for is looked up with `poll(2)`, which tells errors, closed
//! directions and out-of-band data apart.
//!
//! # What differs from Tokio
//! - An [`AsyncFd`] takes a second descriptor, a duplicate: async-io wants to own what it watches.
//! - Readiness that was cleared although it was there is told again; an edge-triggered epoll tells of it when more comes.
//! - Linux and Android alone tell of out-of-band data.

#[cfg(unix)]
mod descriptor;
mod look;
mod watched;

pub use watched::Watched;

#[cfg(unix)]
pub use descriptor::{AsyncFd, Watch};
