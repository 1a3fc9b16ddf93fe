//! Descriptors that the runtime knows nothing of.

mod async_fd;
mod guard;

pub use async_fd::{AsyncFd, AsyncFdRegisterError};
pub use guard::{AsyncFdReadyGuard, AsyncFdReadyMutGuard, TryIoError};
