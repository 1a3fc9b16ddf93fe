//! The operations of a file, and the trait that executes them.

use std::fmt;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use super::buf::Buf;

/// The default maximum number of bytes of one operation, the same as Tokio's.
pub const DEFAULT_MAX_BUF_SIZE: usize = 2 * 1024 * 1024;

/// Executes the operations of one file.
///
/// # For implementors
/// - A started operation must run to its end even if its job or the [`File`](super::File) is
///   dropped.
/// - A started [`Request::Write`] must also run if the runtime ends. If that is no longer possible,
///   `start` must fail.
/// - The file is passed with each operation and must be released before the job is ready, so that
///   [`File::try_into_std`](super::File::try_into_std) finds the only reference.
pub trait Disk: fmt::Debug + Send + Sync + Unpin + 'static {
    /// A started operation.
    type Job: Future<Output = io::Result<Reply>> + Send + Sync + Unpin + 'static;

    /// Starts an operation.
    ///
    /// # Errors
    /// Fails if the runtime no longer accepts operations.
    fn start(&self, file: Arc<std::fs::File>, request: Request, buf: Buf) -> io::Result<Self::Job>;

    /// Runs `job`, which may block.
    ///
    /// # Errors
    /// Returns the error of `job`, or fails if the runtime no longer runs jobs.
    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send + Sync;

    /// Flushes data and metadata to the device.
    ///
    /// # Errors
    /// Fails if the system's `fsync` does.
    fn sync_all(
        &self,
        file: Arc<std::fs::File>,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync {
        self.run(move || file.sync_all())
    }

    /// Returns the disk for another handle of the same file, which shares the cursor.
    fn share(&self) -> Self;
}

/// One operation at the file's cursor. `unread` bytes were read ahead and not consumed: the cursor
/// moves back by that number first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Reads once, at most `limit` bytes, into the empty buffer.
    Read {
        /// The maximum number of bytes.
        limit: usize,
    },
    /// Writes the whole buffer and empties it.
    Write {
        /// See [`Request`].
        unread: u64,
    },
    /// Moves the cursor.
    Seek {
        /// See [`Request`].
        unread: u64,
        /// The target, from the caller's point of view.
        to: SeekFrom,
    },
    /// Truncates the file, or extends it with zeros.
    SetLen {
        /// See [`Request`].
        unread: u64,
        /// The new length.
        len: u64,
    },
    /// Flushes the data to the device.
    SyncData,
}

/// The result of an operation: the number of bytes read, the position after a seek, or nothing of
/// interest.
#[derive(Debug)]
pub struct Reply {
    /// The result of the operation.
    pub result: io::Result<u64>,
    /// The buffer that was passed in.
    pub buf: Buf,
}

/// Executes `request` on this thread.
///
/// # Errors
/// Fails if the system call does. After a failed write the rest of the data is lost and the buffer
/// is empty.
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

/// Moves the cursor of `file` back over the bytes that were read ahead.
///
/// # Errors
/// Fails if the system's `lseek` does.
pub fn rewind(mut file: &std::fs::File, unread: u64) -> io::Result<()> {
    match unread {
        // Pipes cannot seek and need not.
        0 => Ok(()),
        unread => file.seek(SeekFrom::Current(-signed(unread))).map(drop),
    }
}

/// Moves the cursor of `file`, relative to the position that the caller has read to. Returns the
/// new position.
///
/// # Errors
/// Fails if the system's `lseek` does.
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
    // The number of bytes of a buffer in memory.
    i64::try_from(unread).unwrap_or(i64::MAX)
}
