//! The readiness of descriptors: what a poller (epoll, kqueue, async-io) and those who wait for it
//! share.
//!
//! [`Source`] is what is known of one descriptor, [`Sources`] are all of one poller, and
//! [`Watched`] is a descriptor with its source: a backend that brings one has the sockets of
//! [`net`](crate::net), and with a [`Registration`] an [`AsyncFd`].
//!
//! The traits of a runtime with a reactor are in [`anyrt_core::readiness`].

#[cfg(unix)]
mod async_fd;
mod source;
mod sources;
mod watched;

#[cfg(unix)]
pub use async_fd::{AsyncFd, Registration};
pub use source::{Event, Run, Seen, Source, gone, observe, unclosed};
pub use sources::Sources;
pub use watched::{READ, WRITE, Waiter, Watched, poll_bytes, poll_io, run};
