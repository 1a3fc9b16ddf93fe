//! Promises of the caller that cannot be checked: that the number of a descriptor names an open
//! one, and that code between fork and exec is fit to run there.
//!
//! The only module of this crate with unsafe code. Both promises are Tokio's, with its signatures.
#![expect(
    unsafe_code,
    reason = "the functions are unsafe by their nature, and so are those of the standard library that they pass on to"
)]

mod descriptor;

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::io::Interest;
use crate::io::unix::{AsyncFd, AsyncFdRegisterError};

pub(crate) use descriptor::Raw;

impl<T: AsRawFd> AsyncFd<T> {
    /// The same as [`try_new`](Self::try_new), under the name that Tokio prefers.
    ///
    /// # Errors
    /// Returns the descriptor together with the error of [`new`](Self::new).
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Safety
    /// The descriptor of `inner` must stay open and must not change until `inner` is dropped.
    #[track_caller]
    pub unsafe fn register(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_new(inner)
    }

    /// The same as [`try_with_interest`](Self::try_with_interest), under the name that Tokio
    /// prefers.
    ///
    /// # Errors
    /// Returns the descriptor together with the error of [`new`](Self::new).
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Safety
    /// See [`register`](Self::register).
    #[track_caller]
    pub unsafe fn register_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_with_interest(inner, interest)
    }
}

#[cfg(feature = "process")]
impl crate::process::Command {
    /// Runs `f` in the child between `fork` and `exec`. Several closures run in the order of the
    /// calls.
    ///
    /// If `f` fails, [`spawn`](Self::spawn) fails with its error and the program is not started.
    ///
    /// # Safety
    /// See [`pre_exec`](std::os::unix::process::CommandExt::pre_exec) of the standard library: the
    /// child has one thread and a copy of all memory, so `f` must not take a lock that another
    /// thread could hold, such as that of the allocator, and must leave descriptors as it found
    /// them.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Self
    where
        F: FnMut() -> std::io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller promises what the standard library requires.
        unsafe { std::os::unix::process::CommandExt::pre_exec(self.as_std_mut(), f) };
        self
    }
}

/// Creates a type that owns its descriptor from a number.
macro_rules! from_raw_fd {
    ($($type:ty),*) => {$(
        impl FromRawFd for $type {
            unsafe fn from_raw_fd(fd: RawFd) -> Self {
                // SAFETY: the caller promises that it is open and owned by nothing else.
                unsafe { OwnedFd::from_raw_fd(fd) }.into()
            }
        }
    )*};
}

from_raw_fd!(crate::net::TcpSocket, crate::net::UnixSocket);
#[cfg(feature = "fs")]
from_raw_fd!(crate::fs::File);
