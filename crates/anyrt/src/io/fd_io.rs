//! Polled reads and writes on descriptors.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;
use anyrt_core::readiness::{Direction, Interest};
use bytes::BufMut;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::read_buf::read_buf;
use super::scratch::poll_into;
use super::unix::AsyncFd;

impl<T: AsRawFd> AsyncFd<T>
where
    for<'a> &'a T: Read,
{
    /// Reads into the unfilled part of `buf`.
    pub(crate) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_into(buf, |room| {
            let len = room.len();
            self.poll_bytes(cx, Direction::Read, len, |mut inner| inner.read(room))
        })
    }

    pub(crate) fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, |mut inner| inner.read(buf))
    }

    pub(crate) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, |mut inner| inner.read_vectored(bufs))
    }

    pub(crate) fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.try_now(Interest::READABLE, |mut inner| {
            read_buf(buf, |room| inner.read(room))
        })
    }
}

impl<T: AsRawFd> AsyncFd<T>
where
    for<'a> &'a T: Write,
{
    /// Writes as many bytes as fit.
    pub(crate) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = |mut inner: &T| inner.write(buf);
        self.poll_bytes(cx, Direction::Write, buf.len(), write)
    }

    /// Like [`poll_write_shared`](Self::poll_write_shared), from several buffers in one system
    /// call.
    pub(crate) fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Not `poll_bytes`: the system limits the number of slices per call, so a short write does
        // not imply a full buffer.
        self.poll_io(cx, Direction::Write, |mut inner| inner.write_vectored(bufs))
    }

    pub(crate) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_now(Interest::WRITABLE, |mut inner| inner.write(buf))
    }

    pub(crate) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_now(Interest::WRITABLE, |mut inner| inner.write_vectored(bufs))
    }
}

/// Methods of a stream in the field `io` that read without waiting.
macro_rules! try_read {
    ($stream:ident) => {
        impl $stream {
            /// Reads the available data without waiting. Returns 0 at the end of the stream.
            ///
            /// # Errors
            /// Returns [`io::ErrorKind::WouldBlock`](std::io::ErrorKind::WouldBlock) if nothing is
            /// available, or the error of the system.
            pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.io.try_read(buf)
            }

            /// Reads the available data into several buffers, one after the other.
            ///
            /// # Errors
            /// See [`try_read`](Self::try_read).
            pub fn try_read_vectored(
                &self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                self.io.try_read_vectored(bufs)
            }

            /// Reads the available data and appends it to `buf`.
            ///
            /// # Errors
            /// See [`try_read`](Self::try_read).
            pub fn try_read_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
                self.io.try_read_buf(buf)
            }
        }
    };
}

/// Methods of a stream in the field `io` that write without waiting.
macro_rules! try_write {
    ($stream:ident, $what:literal) => {
        impl $stream {
            #[doc = $what]
            ///
            /// # Errors
            /// Returns [`io::ErrorKind::WouldBlock`](std::io::ErrorKind::WouldBlock) if there is no
            /// room, or the error of the system.
            pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.io.try_write(buf)
            }

            /// Writes as many bytes of several buffers as fit, with one system call.
            ///
            /// # Errors
            /// See [`try_write`](Self::try_write).
            pub fn try_write_vectored(
                &self,
                buf: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                self.io.try_write_vectored(buf)
            }
        }
    };
}

/// Implements access to the descriptor that the expression borrows.
macro_rules! descriptor {
    ($($type:ty: |$self:ident| $borrowed:expr),*) => {$(
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                #[allow(unused_imports, reason = "not every expression needs it")]
                use std::os::fd::AsFd as _;
                let $self = self;
                $borrowed
            }
        }

        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsFd::as_fd(self).as_raw_fd()
            }
        }
    )*};
}

pub(crate) use {descriptor, try_read, try_write};

/// With debug assertions, rejects a descriptor in blocking mode, which would block the whole
/// thread.
#[track_caller]
pub(crate) fn check_nonblocking(fd: impl AsFd) -> io::Result<()> {
    if cfg!(debug_assertions) {
        let flags = fcntl_getfl(fd)?;
        assert!(
            flags.contains(OFlags::NONBLOCK),
            "Registering a blocking socket with a runtime is unsupported: call `set_nonblocking(true)` first"
        );
    }
    Ok(())
}

pub(crate) fn set_nonblocking(fd: impl AsFd, nonblocking: bool) -> io::Result<()> {
    let old = fcntl_getfl(&fd)?;
    let mut new = old;
    new.set(OFlags::NONBLOCK, nonblocking);
    if new != old {
        fcntl_setfl(&fd, new)?;
    }
    Ok(())
}
