//! A regular file, opened for reading, in the ring of a shard.
//!
//! One service per open file description, on one shard, executes its operations one after the
//! other. Handles that share the cursor also share the service and need no lock. Data goes through
//! a descriptor of Glommio; the cursor is that of the original file.
//!
//! # While the thread with the ring blocks
//! A task may block in place on that thread and wait for this file. A job of the pool then takes
//! over: it repeats the unanswered operation, which is harmless because a read in the ring does not
//! move the cursor, and continues until the queue is empty. Later answers of the ring are
//! discarded.

use std::collections::VecDeque;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use anyrt_kit::fs::{Buf, Reply, Request, perform, seek};
use futures_channel::oneshot;
use glommio::GlommioError;
use glommio::io::{BufferedFile, OpenOptions, ReadResult};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, fstatfs};

use crate::handle::GlommioRuntime;
use crate::operations::{InRing, Promise};
use crate::shard::Shard;

/// A handle to a file's service. Dropping it ends the service.
pub(super) struct Ring(Arc<Line>);

/// The operations of one open file description.
struct Line {
    shard: Arc<Shard>,
    /// The owner of the pool.
    runtime: GlommioRuntime,
    state: Mutex<Requests>,
}

#[derive(Default)]
struct Requests {
    queue: VecDeque<Operation>,
    /// The operation that the service executes.
    current: Option<Operation>,
    /// The number of the current operation, to recognise late answers of the ring.
    ticket: u64,
    /// Whether a job of the pool executes the operations.
    in_pool: bool,
    closed: bool,
    service: Option<Waker>,
}

struct Operation {
    file: Arc<File>,
    request: Request,
    buf: Buf,
    reply: oneshot::Sender<Reply>,
    promise: Promise,
}

impl Operation {
    fn end(self, result: io::Result<u64>) {
        // Released before the result is visible, so that the file can be taken back.
        drop(self.file);
        let buf = self.buf;
        let _ = self.reply.send(Reply { result, buf });
        drop(self.promise);
    }
}

impl Ring {
    /// Starts a service on the nearest shard. Returns `None` if that has ended.
    pub(super) fn new(runtime: &GlommioRuntime) -> Option<Self> {
        let shard = runtime.near_shard();
        let promise = Promise::new(shard.operations())?;
        let line = Arc::new(Line {
            shard: Arc::clone(shard),
            runtime: runtime.clone(),
            state: Mutex::default(),
        });
        let file: Weak<Line> = Arc::downgrade(&line);
        shard.operations().add_file(file);
        let served = Arc::clone(&line);
        shard.serve(move || serve(served));
        drop(promise);
        Some(Self(line))
    }

    /// Sends an operation, which is executed even if the receiver or the runtime is dropped.
    ///
    /// # Errors
    /// Returns the buffer if the shard has ended.
    pub(super) fn send(
        &self,
        file: Arc<File>,
        request: Request,
        buf: Buf,
    ) -> Result<oneshot::Receiver<Reply>, Buf> {
        let line = &self.0;
        if line.shard.ending().is_over() {
            return Err(buf);
        }
        let Some(promise) = Promise::new(line.shard.operations()) else {
            return Err(buf);
        };
        let (reply, receiver) = oneshot::channel();
        line.lock().queue.push_back(Operation {
            file,
            request,
            buf,
            reply,
            promise,
        });
        if line.shard.operations().ring_stands() {
            Arc::clone(line).leave_ring();
        } else {
            line.wake_service();
        }
        Ok(receiver)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wake_service();
    }
}

impl Line {
    /// Polls for the next operation of the service. Returns `None` if the file is closed.
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<(u64, Arc<File>, Request)>> {
        let mut state = self.lock();
        if !state.in_pool && state.current.is_none() {
            if let Some(operation) = state.queue.pop_front() {
                state.ticket += 1;
                let next = (state.ticket, Arc::clone(&operation.file), operation.request);
                state.current = Some(operation);
                return Poll::Ready(Some(next));
            }
            if state.closed {
                return Poll::Ready(None);
            }
        }
        state.service = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Completes the current operation with the answer of the service.
    fn finish(self: &Arc<Self>, ticket: u64, answer: Answer) {
        let (operation, result) = {
            let mut state = self.lock();
            if state.ticket != ticket {
                // The pool has executed it.
                return;
            }
            let Some(mut operation) = state.current.take() else {
                return;
            };
            let result = match answer {
                Answer::Result(result) => result,
                // The cursor moves under the lock, before the pool can take the next operation.
                Answer::Read(bytes, position) => operation.take_bytes(&bytes, position),
                Answer::Seek { unread, to } => seek(&operation.file, unread, to),
                Answer::NotInRing => {
                    state.current = Some(operation);
                    drop(state);
                    Arc::clone(self).leave_ring();
                    return;
                }
            };
            (operation, result)
        };
        operation.end(result);
    }

    /// Executes all queued operations on a thread that may block, and then returns control to the
    /// service.
    fn work_in_pool(&self) {
        loop {
            let mut operation = {
                let mut state = self.lock();
                let next = state.current.take().or_else(|| state.queue.pop_front());
                let Some(operation) = next else {
                    state.in_pool = false;
                    drop(state);
                    return self.wake_service();
                };
                operation
            };
            let result = perform(&operation.file, operation.request, &mut operation.buf);
            operation.end(result);
        }
    }

    fn wake_service(&self) {
        let service = self.lock().service.take();
        if let Some(service) = service {
            service.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InRing for Line {
    fn leave_ring(self: Arc<Self>) {
        {
            let mut state = self.lock();
            if state.in_pool || (state.current.is_none() && state.queue.is_empty()) {
                return;
            }
            state.in_pool = true;
            state.ticket += 1;
        }
        let line = Arc::clone(&self);
        let job = self
            .runtime
            .blocking()
            .spawn_mandatory(move || line.work_in_pool());
        if job.is_none() {
            // The pool has ended before the shard.
            self.work_in_pool();
        }
    }
}

async fn serve(line: Arc<Line>) {
    let mut data = Data::Unopened;
    while let Some((ticket, file, request)) = poll_fn(|cx| line.poll_next(cx)).await {
        let answer = data.answer(&file, request).await;
        drop(file);
        line.finish(ticket, answer);
    }
    // Closed by its destructor: if the runtime ended during an awaited close, the descriptor would
    // leak. Closing a file that was only read returns no relevant error.
    drop(data);
}

/// Returns `true` if a file goes through the ring.
///
/// Excluded are files that are not regular, file systems where a second open file may behave
/// differently (`/proc`, FUSE, the network), direct I/O, and writable files. A second descriptor
/// that is open for writing keeps a program from being started (`ETXTBSY`) until the shard has
/// closed it, and a write at a position that was determined earlier overwrites data that others
/// with the same cursor have written since.
pub(super) fn takes(file: &File) -> bool {
    regular_and_local(file).unwrap_or(false)
}

fn regular_and_local(file: &File) -> io::Result<bool> {
    let flags = fcntl_getfl(file)?;
    let reads = flags & OFlags::ACCMODE == OFlags::RDONLY;
    if !reads || flags.intersects(OFlags::DIRECT | OFlags::PATH) {
        return Ok(false);
    }
    let regular = FileType::from_raw_mode(fstat(file)?.st_mode) == FileType::RegularFile;
    let file_system = u64::try_from(fstatfs(file)?.f_type);
    Ok(regular && file_system.is_ok_and(|kind| LOCAL_FILE_SYSTEMS.contains(&kind)))
}

async fn reopen(file: &File) -> io::Result<BufferedFile> {
    let kept = fcntl_getfl(file)? & OFlags::NOATIME;
    OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(kept.bits()).unwrap_or_default())
        .buffered_open(format!("/proc/self/fd/{}", file.as_raw_fd()))
        .await
        .map_err(system_error)
}

/// The `f_type` of statfs(2) of ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, ramfs, overlayfs, ZFS,
/// bcachefs, exFAT, FAT, SquashFS and EROFS.
const LOCAL_FILE_SYSTEMS: [u64; 13] = [
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0xF2F5_2010,
    0x0102_1994,
    0x8584_58F6,
    0x794C_7630,
    0x2FC1_2FC1,
    0xCA45_1A4E,
    0x2011_BAB0,
    0x4D44,
    0x7371_7368,
    0xE0F5_E1E2,
];

/// The descriptor for data.
enum Data {
    Unopened,
    Open(BufferedFile),
    /// It cannot be opened a second time: no `/proc`, no permission, or no descriptor left.
    Unavailable,
}

/// The answer of the service, which does not move the cursor.
enum Answer {
    Result(io::Result<u64>),
    /// The bytes at a position.
    Read(ReadResult, u64),
    /// A seek in a local file, which never blocks.
    Seek {
        unread: u64,
        to: SeekFrom,
    },
    /// The operation needs a thread that may block.
    NotInRing,
}

/// The size limit of one operation, below the system's of about 2 GiB.
const LARGEST: usize = 1 << 30;

impl Data {
    async fn answer(&mut self, file: &File, request: Request) -> Answer {
        if let Request::Seek { unread, to } = request {
            return Answer::Seek { unread, to };
        }
        let reads = matches!(request, Request::Read { .. });
        if reads && matches!(self, Self::Unopened) {
            *self = match reopen(file).await {
                Ok(file) => Self::Open(file),
                Err(_) => Self::Unavailable,
            };
        }
        match (self, request) {
            (Self::Open(data), Request::Read { limit }) => {
                match read(data, file, limit.min(LARGEST)).await {
                    Ok((bytes, position)) => Answer::Read(bytes, position),
                    Err(error) => Answer::Result(Err(error)),
                }
            }
            (Self::Open(data), Request::SyncData) => {
                let synced = data.fdatasync().await.map_err(system_error);
                Answer::Result(synced.map(|()| 0))
            }
            _ => Answer::NotInRing,
        }
    }
}

async fn read(data: &BufferedFile, mut file: &File, limit: usize) -> io::Result<(ReadResult, u64)> {
    let position = file.stream_position()?;
    loop {
        match data.read_at(position, limit).await.map_err(system_error) {
            Ok(bytes) => return Ok((bytes, position)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Operation {
    fn take_bytes(&mut self, bytes: &[u8], position: u64) -> io::Result<u64> {
        let count = self.buf.fill(bytes, bytes.len()) as u64;
        (&*self.file).seek(SeekFrom::Start(position + count))?;
        Ok(count)
    }
}

/// Converts the error and keeps the errno, which Glommio hides in its text.
fn system_error<T>(error: GlommioError<T>) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error.to_string()),
    }
}
