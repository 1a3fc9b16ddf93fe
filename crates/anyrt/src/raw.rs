//! Where the caller vouches for what nobody can check: that the number of a descriptor is that of an open one, and that
//! code between fork and exec is fit for it.
//!
//! The only file of this crate with unsafe code. Both promises are Tokio's, with its signatures.
#![expect(
    unsafe_code,
    reason = "the functions are unsafe by their nature, and so are those of the standard library that they pass on to"
)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::io::Interest;
use crate::io::unix::{AsyncFd, AsyncFdRegisterError};

/// A descriptor that is known by its number.
#[derive(Debug)]
pub(crate) struct Raw<T>(pub(crate) T);

impl<T: AsRawFd> AsFd for Raw<T> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: a type that has a descriptor keeps it open for as long as it lives, which the borrow does not outlive.
        // Who wraps one that does not has been told by `AsyncFd` that he must not. The number is passed to system calls
        // that wait (`epoll_ctl`, `poll`) and to nothing else: of a descriptor that was closed they give `EBADF`, or tell
        // of another one, and none of them touches memory.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}

impl<T: AsRawFd> AsyncFd<T> {
    /// As [`try_new`](Self::try_new), by the name that Tokio prefers.
    ///
    /// # Errors
    /// The descriptor and the error of [`new`](Self::new).
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Safety
    /// The descriptor of `inner` must stay open, and the same, until `inner` is dropped.
    #[track_caller]
    pub unsafe fn register(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_new(inner)
    }

    /// As [`try_with_interest`](Self::try_with_interest), by the name that Tokio prefers.
    ///
    /// # Errors
    /// The descriptor and the error of [`new`](Self::new).
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Safety
    /// As of [`register`](Self::register).
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
    /// Runs `f` in the child after `fork`, before `exec`; several run in the order of the calls.
    ///
    /// An error of `f` is the error of [`spawn`](Self::spawn), and the program is not started.
    ///
    /// # Safety
    /// As of [`pre_exec`](std::os::unix::process::CommandExt::pre_exec) of the standard library: the child has one
    /// thread and a copy of all memory, so `f` may call nothing that takes a lock which another thread could hold, such
    /// as the allocator, and must leave descriptors as it found them.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Self
    where
        F: FnMut() -> std::io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller promises what the standard library asks for.
        unsafe { std::os::unix::process::CommandExt::pre_exec(self.as_std_mut(), f) };
        self
    }
}

/// A type that owns its descriptor, made of a number.
macro_rules! from_raw_fd {
    ($($type:ty),*) => {$(
        impl FromRawFd for $type {
            unsafe fn from_raw_fd(fd: RawFd) -> Self {
                // SAFETY: the caller promises that it is open and nobody else's.
                unsafe { OwnedFd::from_raw_fd(fd) }.into()
            }
        }
    )*};
}

from_raw_fd!(crate::net::TcpSocket, crate::net::UnixSocket);
#[cfg(feature = "fs")]
from_raw_fd!(crate::fs::File);
