//! Errors of operations.

use std::io;

use rustix::io::Errno;

/// For runtime authors: the error of an operation on a descriptor. It is an [`io::Error`], or the
/// number that the system returned, which is told apart without a call.
pub trait Failure: Into<io::Error> {
    /// Returns `true` if the operation would have had to wait.
    fn is_would_block(&self) -> bool;

    /// Returns `true` if a signal interrupted the operation, which is then repeated.
    fn is_interrupted(&self) -> bool;
}

impl Failure for io::Error {
    #[inline]
    fn is_would_block(&self) -> bool {
        self.kind() == io::ErrorKind::WouldBlock
    }

    #[inline]
    fn is_interrupted(&self) -> bool {
        self.kind() == io::ErrorKind::Interrupted
    }
}

impl Failure for Errno {
    #[inline]
    fn is_would_block(&self) -> bool {
        *self == Self::WOULDBLOCK || *self == Self::AGAIN
    }

    #[inline]
    fn is_interrupted(&self) -> bool {
        *self == Self::INTR
    }
}
