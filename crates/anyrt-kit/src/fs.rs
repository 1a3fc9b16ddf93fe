//! Files: Tokio's semantics, over any way of carrying out an operation.
//!
//! [`File`] is the buffers and the order of operations, the same on every runtime; a [`Disk`] carries one operation
//! out at a time, on a thread that may block ([`pool`]) or in the ring of a shard.
//!
//! # What is promised
//! - A read asks for what the caller has room for, up to [`File::max_buf_size`]; a read that is dropped midway loses
//!   nothing, the next one gets the bytes.
//! - A write is acknowledged when it was copied. What was acknowledged is written even if the future, the file or the
//!   runtime is dropped right after; an error of it comes with the next write, flush or shutdown.
//! - Operations of one file run one after the other. A seek is relative to what the caller has seen, not to what was
//!   read ahead for it.
//! - Handles made by `try_clone` share the cursor, as descriptors made by `dup` do; each has its own buffer.
//!
//! # For runtime authors
//! Implement [`Disk`]; with a [`BlockingPool`](crate::executor::BlockingPool), [`pool::start`] is all of it.

mod buf;
mod file;
pub mod pool;

use std::fmt;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

pub use buf::Buf;
pub use file::File;

/// How many bytes one operation moves at most, unless set; Tokio's number.
pub const DEFAULT_MAX_BUF_SIZE: usize = 2 * 1024 * 1024;

/// Carries out the operations of one file.
///
/// # For implementors
/// - What was started must run to its end when its job is dropped, and when the [`File`] is.
/// - A [`Request::Write`] that was started must also run when the runtime ends; if it cannot any more, `start` must
///   say so.
/// - The file is given per operation and must be let go of before the job is ready, so that
///   [`File::try_into_std`] finds it alone.
pub trait Disk: fmt::Debug + Send + Sync + Unpin + 'static {
    /// One operation that was started.
    type Job: Future<Output = io::Result<Reply>> + Send + Sync + Unpin + 'static;

    /// Starts an operation.
    ///
    /// # Errors
    /// When the runtime accepts no operation any more.
    fn start(&self, file: Arc<std::fs::File>, request: Request, buf: Buf) -> io::Result<Self::Job>;

    /// Runs `job`, which may block.
    ///
    /// # Errors
    /// Those of `job`, and when the runtime runs none any more.
    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send + Sync;

    /// The disk of another handle of the same file, which shares the cursor.
    fn share(&self) -> Self;
}

/// One operation at the file's cursor. `unread` bytes were read ahead and nobody has seen them: the cursor goes back
/// by that first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Reads once, at most `limit` bytes, into the empty buffer.
    Read {
        /// How many bytes at most.
        limit: usize,
    },
    /// Writes all of the buffer and empties it.
    Write {
        /// See [`Request`].
        unread: u64,
    },
    /// Moves the cursor.
    Seek {
        /// See [`Request`].
        unread: u64,
        /// Where to, as the caller sees it.
        to: SeekFrom,
    },
    /// Cuts the file off, or fills it up with zeros.
    SetLen {
        /// See [`Request`].
        unread: u64,
        /// The new length.
        len: u64,
    },
    /// Waits until the data is on the device.
    SyncData,
}

/// How an operation ended: bytes read, or the position after a seek, or nothing of interest.
#[derive(Debug)]
pub struct Reply {
    /// What the operation gave.
    pub result: io::Result<u64>,
    /// The buffer that it was given.
    pub buf: Buf,
}

/// Carries out `request` on this thread.
///
/// # Errors
/// As the system call. What a failed write has not written is lost, and the buffer is empty.
pub fn perform(mut file: &std::fs::File, request: Request, buf: &mut Buf) -> io::Result<u64> {
    match request {
        Request::Read { limit } => loop {
            match file.read(buf.room(limit)) {
                Ok(count) => {
                    buf.set_filled(count);
                    return Ok(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        },
        Request::Write { unread } => {
            let written = rewind(file, unread).and_then(|()| file.write_all(buf.as_slice()));
            buf.clear();
            written.map(|()| 0)
        }
        Request::Seek { unread, to } => seek(file, unread, to),
        Request::SetLen { unread, len } => {
            rewind(file, unread)?;
            file.set_len(len).map(|()| 0)
        }
        Request::SyncData => file.sync_data().map(|()| 0),
    }
}

/// Moves the cursor of `file` back over what was read ahead.
///
/// # Errors
/// As the system's `lseek`.
pub fn rewind(mut file: &std::fs::File, unread: u64) -> io::Result<()> {
    match unread {
        // Pipes cannot seek, and need not.
        0 => Ok(()),
        unread => file.seek(SeekFrom::Current(-signed(unread))).map(drop),
    }
}

/// Moves the cursor of `file`, relative to what the caller has seen; gives the new position.
///
/// # Errors
/// As the system's `lseek`.
pub fn seek(mut file: &std::fs::File, unread: u64, to: SeekFrom) -> io::Result<u64> {
    match to {
        SeekFrom::Current(offset) => match offset.checked_sub(signed(unread)) {
            Some(offset) => file.seek(SeekFrom::Current(offset)),
            None => {
                rewind(file, unread)?;
                file.seek(to)
            }
        },
        SeekFrom::Start(_) | SeekFrom::End(_) => file.seek(to),
    }
}

fn signed(unread: u64) -> i64 {
    // It counts the bytes of a buffer in memory.
    i64::try_from(unread).unwrap_or(i64::MAX)
}
