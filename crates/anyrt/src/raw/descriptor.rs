//! Descriptors that are known by their number only.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// A descriptor that is known by its number only.
#[derive(Debug)]
pub(crate) struct Raw<T>(pub(crate) T);

impl<T: AsRawFd> AsFd for Raw<T> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: a type that has a descriptor keeps it open for as long as it lives, and the
        // borrow does not outlive it; the documentation of `AsyncFd` demands it. The number is
        // passed to system calls that wait (`epoll_ctl`, `poll`) and to nothing else: for a closed
        // descriptor they return `EBADF` or report about another one, and none of them touches
        // memory.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }
    }
}
