//! A regular file, opened for reading, in the ring of a shard.
//!
//! One service per open file description, on one shard, carries out its operations one after the other, so handles
//! that share the cursor share the service, too, and need no lock. Data goes through a descriptor of Glommio's; the
//! cursor stays that of the file which was handed in.
//!
//! # While the thread with the ring blocks
//! A task may block in place there, and wait for this very file. Then a job of the pool takes over: it carries out again
//! what the ring has not answered, which is harmless since a read in the ring moves nothing, and goes on until nothing is
//! queued. What the ring answers later is thrown away.

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

/// The way to a file's service. Dropping it ends that.
pub(super) struct Ring(Arc<Line>);

/// The operations of one open file description.
struct Line {
    shard: Arc<Shard>,
    /// Has the pool.
    runtime: GlommioRuntime,
    state: Mutex<Requests>,
}

#[derive(Default)]
struct Requests {
    queue: VecDeque<Operation>,
    /// What the service works on.
    current: Option<Operation>,
    /// Counts what the service has taken, so that a late answer of the ring is not taken for that of another operation.
    ticket: u64,
    /// Whether a job of the pool carries out the operations.
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
        // Before anybody hears of it, so that the file can be taken back.
        drop(self.file);
        let buf = self.buf;
        let _ = self.reply.send(Reply { result, buf });
        drop(self.promise);
    }
}

impl Ring {
    /// Starts a service on the shard that is near; `None` when that has ended.
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

    /// Sends an operation, which will be carried out whatever becomes of the reply and of the runtime.
    ///
    /// # Errors
    /// The buffer, when the shard has ended.
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
    /// Waits for an operation that is the service's; `None` when there will be none.
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

    /// The service has come so far with the operation that it took.
    fn finish(self: &Arc<Self>, ticket: u64, answer: Answer) {
        let (operation, result) = {
            let mut state = self.lock();
            if state.ticket != ticket {
                // The pool has carried it out.
                return;
            }
            let Some(mut operation) = state.current.take() else {
                return;
            };
            let result = match answer {
                Answer::Result(result) => result,
                // The cursor moves under the lock: the next operation is for whoever takes it.
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

    /// On a thread that may block: carries out what there is, and hands back to the service.
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
    // Closed by its destructor: a close that is awaited is lost with its descriptor when the runtime ends before it. Of a
    // file that was only read there is no error to hear of.
    drop(data);
}

/// Whether a file goes through the ring.
///
/// Not what is no regular file, files of file systems where another open file is another thing (`/proc`, FUSE, the
/// network), direct I/O, and what can be written: a second file that is open for writing keeps a program from being
/// started (`ETXTBSY`) until the shard has closed it, and a write at a position that was asked for before overwrites what
/// others who share the cursor wrote meanwhile.
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

/// By `f_type` of statfs(2): ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, ramfs, overlayfs, ZFS, bcachefs, exFAT, FAT,
/// SquashFS, EROFS.
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

/// The descriptor that data goes through.
enum Data {
    Unopened,
    Open(BufferedFile),
    /// It cannot be opened a second time: no `/proc`, no permission any more, no descriptor left.
    Unavailable,
}

/// What the service has found out; the cursor was not touched.
enum Answer {
    Result(io::Result<u64>),
    /// What is at a position.
    Read(ReadResult, u64),
    /// Of a local file: it waits for nothing.
    Seek {
        unread: u64,
        to: SeekFrom,
    },
    /// It is for a thread that may block.
    NotInRing,
}

/// One operation moves less than the system's limit, which is near 2 GiB.
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

/// With the system's number, which Glommio hides in a text.
fn system_error<T>(error: GlommioError<T>) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error.to_string()),
    }
}
