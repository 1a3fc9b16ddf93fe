//! Polled reads and writes on descriptors.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;
use anyrt_core::readiness::Direction;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::scratch::poll_into;
use super::unix::AsyncFd;

/// Reads into the unfilled part of `buf`.
pub(crate) fn poll_read<T: AsRawFd>(
    fd: &AsyncFd<T>,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>>
where
    for<'a> &'a T: Read,
{
    poll_into(buf, |room| {
        let len = room.len();
        fd.poll_bytes(cx, Direction::Read, len, |mut inner| inner.read(room))
    })
}

/// Writes as many bytes as fit.
pub(crate) fn poll_write<T: AsRawFd>(
    fd: &AsyncFd<T>,
    cx: &mut Context<'_>,
    buf: &[u8],
) -> Poll<io::Result<usize>>
where
    for<'a> &'a T: Write,
{
    fd.poll_bytes(cx, Direction::Write, buf.len(), |mut inner| {
        inner.write(buf)
    })
}

/// Like [`poll_write`], from several buffers in one system call.
pub(crate) fn poll_write_vectored<T: AsRawFd>(
    fd: &AsyncFd<T>,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<io::Result<usize>>
where
    for<'a> &'a T: Write,
{
    // Not `poll_bytes`: the system limits the number of slices per call, so a short write does not
    // imply a full buffer.
    fd.poll_io(cx, Direction::Write, |mut inner| inner.write_vectored(bufs))
}

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
