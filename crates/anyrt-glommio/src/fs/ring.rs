//! A regular file, opened for reading, in the ring of a shard.
//!
//! One service per open file description, on one shard, carries out its operations one after the other, so handles
//! that share the cursor share the service, too, and need no lock. Data goes through a descriptor of Glommio's; the
//! cursor stays that of the file which was handed in.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use anyrt_core::blocking::failed;
use anyrt_kit::fs::{Buf, Reply, Request, perform, pool, seek};
use futures_channel::{mpsc, oneshot};
use futures_lite::StreamExt;
use glommio::GlommioError;
use glommio::io::{BufferedFile, OpenOptions};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, fstatfs};

use super::operations::Promise;
use crate::runtime::GlommioRuntime;
use crate::shard::Shard;

/// The way to a file's service. Dropping all of them ends it.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    shard: Arc<Shard>,
    operations: mpsc::UnboundedSender<Operation>,
}

struct Operation {
    file: Arc<File>,
    request: Request,
    buf: Buf,
    reply: oneshot::Sender<Reply>,
    promise: Promise,
}

impl Ring {
    /// Starts a service on `shard`; `None` when the shard has ended.
    pub(super) fn new(shard: &Arc<Shard>) -> Option<Self> {
        let promise = Promise::new(shard)?;
        let (operations, received) = mpsc::unbounded();
        shard.serve(move || serve(received));
        drop(promise);
        Some(Self {
            shard: Arc::clone(shard),
            operations,
        })
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
        let Some(promise) = Promise::new(&self.shard) else {
            return Err(buf);
        };
        let (reply, receiver) = oneshot::channel();
        let operation = Operation {
            file,
            request,
            buf,
            reply,
            promise,
        };
        match self.operations.unbounded_send(operation) {
            Ok(()) => Ok(receiver),
            Err(refused) => Err(refused.into_inner().buf),
        }
    }
}

async fn serve(mut operations: mpsc::UnboundedReceiver<Operation>) {
    let mut data = Data::Unopened;
    while let Some(operation) = operations.next().await {
        let Operation {
            file,
            request,
            mut buf,
            reply,
            promise,
        } = operation;
        let result = data.carry_out(&file, request, &mut buf).await;
        // Before anybody hears of it, so that the file can be taken back.
        drop(file);
        let _ = reply.send(Reply { result, buf });
        drop(promise);
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

impl Data {
    async fn carry_out(
        &mut self,
        file: &Arc<File>,
        request: Request,
        buf: &mut Buf,
    ) -> io::Result<u64> {
        if let Request::Seek { unread, to } = request {
            // Of a local file: it waits for nothing.
            return seek(file, unread, to);
        }
        let reads = matches!(request, Request::Read { .. });
        if reads && matches!(self, Self::Unopened) {
            *self = match reopen(file).await {
                Ok(file) => Self::Open(file),
                Err(_) => Self::Unavailable,
            };
        }
        match (self, request) {
            (Self::Open(data), Request::Read { limit }) => read(data, file, limit, buf).await,
            (Self::Open(data), Request::SyncData) => {
                data.fdatasync().await.map_err(system_error)?;
                Ok(0)
            }
            _ => in_pool(file, request, buf).await,
        }
    }
}

/// One operation moves less than the system's limit, which is near 2 GiB.
const LARGEST: usize = 1 << 30;

async fn read(
    data: &BufferedFile,
    mut file: &File,
    limit: usize,
    buf: &mut Buf,
) -> io::Result<u64> {
    let position = file.stream_position()?;
    let limit = limit.min(LARGEST);
    let bytes = loop {
        match data.read_at(position, limit).await.map_err(system_error) {
            Ok(bytes) => break bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let count = buf.fill(&bytes, limit) as u64;
    file.seek(SeekFrom::Start(position + count))?;
    Ok(count)
}

/// On a thread that may block.
async fn in_pool(file: &Arc<File>, request: Request, buf: &mut Buf) -> io::Result<u64> {
    let start = |buf: Buf| {
        GlommioRuntime::with_current(|runtime| {
            pool::start(runtime.blocking(), Arc::clone(file), request, buf)
        })
    };
    match start(std::mem::take(buf)) {
        Some(Ok(job)) => {
            let reply = job.await?;
            *buf = reply.buf;
            reply.result
        }
        // The pool has ended before this shard.
        Some(Err(_)) => perform(file, request, buf),
        None => Err(failed()),
    }
}

/// With the system's number, which Glommio hides in a text.
fn system_error<T>(error: GlommioError<T>) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::other(error.to_string()),
    }
}
