//! An open file: its buffer and the operation in progress.

use std::fmt;
use std::fs::{FileTimes, Metadata, Permissions};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use async_lock::Mutex;
use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::buf::Buf;
use super::disk::{DEFAULT_MAX_BUF_SIZE, Disk, Reply, Request};

/// An open file on any [`Disk`]; see [the module](super) for its behaviour.
///
/// Dropping it closes the file after the operation in progress.
pub struct File<D: Disk> {
    std: Arc<std::fs::File>,
    disk: D,
    inner: Mutex<Inner<D::Job>>,
    max_buf_size: usize,
}

struct Inner<J> {
    state: Activity<J>,
    /// The error of an earlier write that another operation found. The next write or flush returns
    /// it.
    write_error: Option<io::Error>,
    /// The position after the last seek.
    position: u64,
    /// The seek of `poll_seek` in progress.
    seeking: Option<SeekFrom>,
}

enum Activity<J> {
    Idle(Buf),
    Busy(Operation, J),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Read,
    Write,
    Seek,
    SetLen,
}

impl<D: Disk> File<D> {
    /// Creates a file whose operations run on `disk`.
    pub fn new(std: std::fs::File, disk: D) -> Self {
        Self {
            std: Arc::new(std),
            disk,
            inner: Mutex::new(Inner {
                state: Activity::Idle(Buf::new()),
                write_error: None,
                position: 0,
                seeking: None,
            }),
            max_buf_size: DEFAULT_MAX_BUF_SIZE,
        }
    }

    /// Returns the file itself. Its cursor may be ahead of the position that was read to.
    pub fn as_std(&self) -> &std::fs::File {
        &self.std
    }

    /// Returns the disk.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Returns the maximum number of bytes of one operation.
    pub fn max_buf_size(&self) -> usize {
        self.max_buf_size
    }

    /// Sets the maximum number of bytes of one operation. A buffer that is already larger is kept.
    ///
    /// # Panics
    /// Panics if it is zero.
    #[track_caller]
    pub fn set_max_buf_size(&mut self, max_buf_size: usize) {
        assert!(max_buf_size > 0, "`max_buf_size` must be greater than 0");
        self.max_buf_size = max_buf_size;
    }

    /// Flushes data and metadata to the device.
    ///
    /// # Errors
    /// Fails if the system's `fsync` does. The error of an earlier write is reported by a flush,
    /// not here.
    pub async fn sync_all(&self) -> io::Result<()> {
        self.inner.lock().await.complete_inflight().await;
        let std = Arc::clone(&self.std);
        self.disk.sync_all(std).await
    }

    /// Flushes the data to the device, with the metadata that is needed to read it back.
    ///
    /// # Errors
    /// Fails if the system's `fdatasync` does. The error of an earlier write is reported by a
    /// flush, not here.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.inner.lock().await.complete_inflight().await;
        let std = Arc::clone(&self.std);
        let reply = self.disk.start(std, Request::SyncData, Buf::new())?.await?;
        reply.result.map(drop)
    }

    /// Truncates the file to `len` bytes, or extends it with zeros.
    ///
    /// # Errors
    /// Fails if the system's `ftruncate` does.
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.inner.lock().await;
        inner.complete_inflight().await;
        let (unread, buf) = inner.take_buf();
        let request = Request::SetLen { unread, len };
        inner.start(&self.disk, &self.std, Operation::SetLen, request, buf)?;
        let (_, result) = poll_fn(|cx| inner.poll_job(cx)).await?;
        result.map(drop)
    }

    /// Returns the metadata of the file.
    ///
    /// # Errors
    /// Fails if the system's `fstat` does.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let std = Arc::clone(&self.std);
        self.disk.run(move || std.metadata()).await
    }

    /// Creates another handle, which shares the cursor and has its own buffer.
    ///
    /// # Errors
    /// Fails if the system's `dup` does.
    pub async fn try_clone(&self) -> io::Result<Self> {
        self.inner.lock().await.complete_inflight().await;
        let std = Arc::clone(&self.std);
        let std = self.disk.run(move || std.try_clone()).await?;
        let mut file = Self::new(std, self.disk.share());
        file.max_buf_size = self.max_buf_size;
        Ok(file)
    }

    /// Converts into a file of std, after the operation in progress.
    ///
    /// # Panics
    /// Panics if an operation through `&self` was dropped and is still running.
    pub async fn into_std(mut self) -> std::fs::File {
        self.inner.get_mut().complete_inflight().await;
        match Arc::try_unwrap(self.std) {
            Ok(std) => std,
            Err(_) => panic!("an operation of this file that was dropped midway is still running"),
        }
    }

    /// Converts into a file of std, unless an operation is in progress.
    ///
    /// # Errors
    /// Returns the file itself if an operation is in progress.
    pub fn try_into_std(mut self) -> Result<std::fs::File, Self> {
        match Arc::try_unwrap(self.std) {
            Ok(std) => Ok(std),
            Err(std) => {
                self.std = std;
                Err(self)
            }
        }
    }

    /// Changes the permissions.
    ///
    /// # Errors
    /// Fails if the system's `fchmod` does.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        let std = Arc::clone(&self.std);
        self.disk
            .run(move || std.set_permissions(permissions))
            .await
    }

    /// Sets the access and modification times. `None` keeps a time.
    ///
    /// # Errors
    /// Fails if the system's `futimens` does.
    pub async fn set_times(
        &self,
        accessed: Option<SystemTime>,
        modified: Option<SystemTime>,
    ) -> io::Result<()> {
        let mut times = FileTimes::new();
        if let Some(accessed) = accessed {
            times = times.set_accessed(accessed);
        }
        if let Some(modified) = modified {
            times = times.set_modified(modified);
        }
        // The operation in progress would change them again when it ends.
        self.inner.lock().await.complete_inflight().await;
        let std = Arc::clone(&self.std);
        self.disk.run(move || std.set_times(times)).await
    }

    /// Polls to read, and passes at most `room` bytes to `put`; none at the end of the file.
    ///
    /// # Errors
    /// Fails if the system's `read` does.
    pub fn poll_read_with(
        &mut self,
        cx: &mut Context<'_>,
        room: usize,
        put: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        let inner = self.inner.get_mut();
        loop {
            match &mut inner.state {
                Activity::Idle(buf) if !buf.is_empty() || room == 0 => {
                    buf.consume(room, put);
                    return Poll::Ready(Ok(()));
                }
                Activity::Idle(buf) => {
                    let buf = std::mem::take(buf);
                    let limit = room.min(self.max_buf_size);
                    let request = Request::Read { limit };
                    inner.start(&self.disk, &self.std, Operation::Read, request, buf)?;
                }
                Activity::Busy(..) => {
                    let (kind, result) = ready!(inner.poll_job(cx))?;
                    match (kind, result) {
                        (Operation::Read, Err(error)) => return Poll::Ready(Err(error)),
                        (Operation::Read, Ok(0)) => {
                            put(&[]);
                            return Poll::Ready(Ok(()));
                        }
                        (kind, result) => inner.remember(kind, result),
                    }
                }
            }
        }
    }

    /// Copies the bytes of `slices`, up to [`max_buf_size`](Self::max_buf_size), and starts to
    /// write them.
    ///
    /// # Errors
    /// Returns the error of an earlier write, or fails if the runtime has ended; then nothing is
    /// written.
    pub fn poll_write_from(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let inner = self.inner.get_mut();
        ready!(inner.poll_flush(cx))?;
        let (unread, mut buf) = inner.take_buf();
        let count = buf.fill_from(slices, self.max_buf_size);
        let request = Request::Write { unread };
        inner.start(&self.disk, &self.std, Operation::Write, request, buf)?;
        Poll::Ready(Ok(count))
    }

    /// Starts to move the cursor. [`poll_complete`](Self::poll_complete) returns the new position.
    ///
    /// # Errors
    /// Fails if an operation is in progress.
    pub fn start_seek(&mut self, to: SeekFrom) -> io::Result<()> {
        let inner = self.inner.get_mut();
        if let Activity::Busy(..) = inner.state {
            return Err(io::Error::other(
                "other file operation is pending, call poll_complete before start_seek",
            ));
        }
        let (unread, buf) = inner.take_buf();
        let request = Request::Seek { unread, to };
        inner.start(&self.disk, &self.std, Operation::Seek, request, buf)
    }

    /// Waits for the operation in progress, and returns the position after the last seek.
    ///
    /// # Errors
    /// Fails if the system's `lseek` does.
    pub fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let inner = self.inner.get_mut();
        while let Activity::Busy(..) = inner.state {
            match ready!(inner.poll_job(cx))? {
                (Operation::Seek, Err(error)) => return Poll::Ready(Err(error)),
                (kind, result) => inner.remember(kind, result),
            }
        }
        Poll::Ready(Ok(inner.position))
    }
}

impl<J: Future<Output = io::Result<Reply>> + Unpin> Inner<J> {
    /// Call it only while idle. Returns the empty buffer, and the number of bytes in it that were
    /// not consumed.
    fn take_buf(&mut self) -> (u64, Buf) {
        match &mut self.state {
            Activity::Idle(buf) => {
                let mut buf = std::mem::take(buf);
                let unread = buf.len() as u64;
                buf.clear();
                (unread, buf)
            }
            Activity::Busy(..) => unreachable!("nothing is under way"),
        }
    }

    fn start<D: Disk<Job = J>>(
        &mut self,
        disk: &D,
        std: &Arc<std::fs::File>,
        kind: Operation,
        request: Request,
        buf: Buf,
    ) -> io::Result<()> {
        let job = disk.start(Arc::clone(std), request, buf)?;
        self.state = Activity::Busy(kind, job);
        Ok(())
    }

    /// Call it only while busy. Waits for the operation; the file is idle then, even if the runtime
    /// has dropped the operation.
    fn poll_job(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(Operation, io::Result<u64>)>> {
        let Activity::Busy(kind, job) = &mut self.state else {
            unreachable!("something is under way")
        };
        let kind = *kind;
        let reply = ready!(Pin::new(job).poll(cx));
        if kind == Operation::Seek {
            self.seeking = None;
        }
        self.state = Activity::Idle(Buf::new());
        let Reply { result, buf } = reply?;
        self.state = Activity::Idle(buf);
        Poll::Ready(Ok((kind, result)))
    }

    /// Records the parts of a result that later calls need: the position, and the error of a write.
    fn remember(&mut self, kind: Operation, result: io::Result<u64>) {
        match (kind, result) {
            (Operation::Seek, Ok(position)) => self.position = position,
            (Operation::Write, Err(error)) => self.write_error = Some(error),
            _ => {}
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.write_error.take() {
            return Poll::Ready(Err(error));
        }
        if let Activity::Busy(..) = self.state {
            match ready!(self.poll_job(cx))? {
                (Operation::Write, Err(error)) => return Poll::Ready(Err(error)),
                (kind, result) => self.remember(kind, result),
            }
        }
        Poll::Ready(Ok(()))
    }

    async fn complete_inflight(&mut self) {
        if let Err(error) = poll_fn(|cx| self.poll_flush(cx)).await {
            self.write_error = Some(error);
        }
    }
}

impl<D: Disk> AsyncRead for File<D> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut count = 0;
        let room = buf.len();
        let read = self.get_mut().poll_read_with(cx, room, |bytes| {
            buf[..bytes.len()].copy_from_slice(bytes);
            count = bytes.len();
        });
        read.map_ok(|()| count)
    }
}

impl<D: Disk> AsyncWrite for File<D> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_from(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_write_from(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.get_mut().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<D: Disk> AsyncSeek for File<D> {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let file = self.get_mut();
        if file.inner.get_mut().seeking != Some(to) {
            ready!(file.poll_complete(cx))?;
            file.start_seek(to)?;
            file.inner.get_mut().seeking = Some(to);
        }
        file.poll_complete(cx)
    }
}

#[cfg(unix)]
impl<D: Disk> std::os::fd::AsFd for File<D> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.std.as_fd()
    }
}

impl<D: Disk> fmt::Debug for File<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("std", &self.std)
            .finish_non_exhaustive()
    }
}
