//! Readiness of arbitrary file descriptors.
//!
//! [`AsyncFd`] registers any pollable descriptor, such as that of a device or of a C library, with
//! the reactor of the current runtime. For sockets and pipes use the types of [`net`](crate::net).

mod async_fd;
mod guard;

pub use async_fd::{AsyncFd, AsyncFdRegisterError};
pub use guard::{AsyncFdReadyGuard, AsyncFdReadyMutGuard, TryIoError};
