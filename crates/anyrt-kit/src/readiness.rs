//! The readiness of descriptors: the state shared by a poller (epoll, kqueue, async-io) and the
//! waiting tasks.
//!
//! [`Source`] is the state of one descriptor, [`Sources`] is the table of one poller, and
//! [`Watched`] is a descriptor with its source. A backend that implements it gets the sockets of
//! [`net`](crate::net), and with a [`Registration`] an [`AsyncFd`].
//!
//! The traits of a runtime with a reactor are in [`anyrt_core::readiness`].

#[cfg(unix)]
mod async_fd;
mod failure;
mod source;
mod sources;
mod waiting;
mod watched;

#[cfg(unix)]
pub use async_fd::{AsyncFd, Registration};
pub use failure::Failure;
pub use source::{Event, Run, Seen, Source, Start, gone, observe, unclosed};
pub use sources::Sources;
pub use watched::{READ, WRITE, Waiter, Watched, poll_bytes, poll_io, run};
