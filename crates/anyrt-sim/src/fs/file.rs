//! The operations of an open file.

use std::fs;
use std::future::Future;
use std::io::{self, Seek, Write};
use std::sync::Arc;
use std::task::Poll;

use anyrt_kit::fs::{Buf, Disk, Reply, Request, perform, rewind};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

use super::queue::{Doing, Job, What, submit};
use super::tree::Ino;
use crate::runtime::SimRuntime;

/// Executes the operations of a file on the disk of the node that has opened it.
#[derive(Debug)]
pub struct OnDisk {
    home: Option<(SimRuntime, Ino)>,
}

/// An open file on a simulated disk.
pub type File = anyrt_kit::fs::File<OnDisk>;

/// Converts a file that was opened with [`Files::open`](super::Files::open), or taken out of a
/// [`File`].
///
/// Operations on a file of the real disk fail, because the simulation does not control it.
pub fn from_std(std: fs::File, home: Option<SimRuntime>) -> File {
    let home = home.and_then(|rt| {
        let node = rt.node_state().id();
        let now = rt.system_time();
        let mut disks = rt.world().disks();
        let found = disks.with(node, now, |doing| doing.store.find(&std));
        drop(disks);
        Some((rt, found.ok()?.ok()??))
    });
    File::new(std, OnDisk { home })
}

impl OnDisk {
    fn home(&self) -> io::Result<&(SimRuntime, Ino)> {
        match (&self.home, SimRuntime::try_current()) {
            (Some(home), _) => Ok(home),
            (None, Some(rt)) => Err(rt.unsupported("a file that is not on the node's disk")),
            (None, None) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Starts an operation of one step.
    fn submit<T: Send + 'static>(
        &self,
        what: What,
        job: impl FnOnce(&mut Doing<'_>, Ino) -> io::Result<T> + Send + 'static,
    ) -> io::Result<Job<T>> {
        let (rt, ino) = self.home()?;
        let ino = *ino;
        Ok(submit_once(rt, what, move |doing| job(doing, ino)))
    }

    /// Makes durable the changes made so far.
    fn sync<T: Send + 'static>(
        &self,
        done: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Job<T>> {
        let (rt, _) = self.home()?;
        let until = {
            let (node, now) = (rt.node_state().id(), rt.system_time());
            let mut disks = rt.world().disks();
            disks.with(node, now, |doing| doing.store.clock())?
        };
        self.submit(What::Sync, move |doing, ino| {
            let done = done();
            if doing.suffers(doing.faults.sync_error, "a failing sync of the disk") {
                doing.store.fail_sync(ino, until, doing.random);
                return Err(Errno::IO.into());
            }
            doing.store.sync(ino, until);
            Ok(done)
        })
    }
}

/// Starts an operation of one step.
pub(super) fn submit_once<T: Send + 'static>(
    rt: &SimRuntime,
    what: What,
    job: impl FnOnce(&mut Doing<'_>) -> io::Result<T> + Send + 'static,
) -> Job<T> {
    let mut job = Some(job);
    submit(rt, what, move |doing| match job.take() {
        Some(job) => Poll::Ready(job(doing)),
        None => Poll::Ready(Err(io::ErrorKind::Other.into())),
    })
}

impl Disk for OnDisk {
    type Job = Job<Reply>;

    fn start(&self, file: Arc<fs::File>, request: Request, mut buf: Buf) -> io::Result<Job<Reply>> {
        let what = match request {
            Request::Read { .. } => What::Read,
            Request::Write { .. } | Request::SetLen { .. } => What::Write,
            Request::Seek { .. } => What::Look,
            Request::SyncData => {
                // The same as `sync_all`: permissions and times are durable at once.
                return self.sync(move || {
                    drop(file);
                    Reply { result: Ok(0), buf }
                });
            }
        };
        self.submit(what, move |doing, ino| {
            let result = execute(doing, ino, &file, request, &mut buf);
            // Released before the result is visible, so that the file can be taken back.
            drop(file);
            Ok(Reply { result, buf })
        })
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send + Sync {
        let started = self.submit(What::Look, |_, _| job());
        async move { started?.await }
    }

    fn sync_all(&self, file: Arc<fs::File>) -> impl Future<Output = io::Result<()>> + Send + Sync {
        let started = self.sync(move || drop(file));
        async move { started?.await }
    }

    fn share(&self) -> Self {
        Self {
            home: self.home.clone(),
        }
    }
}

fn execute(
    doing: &mut Doing<'_>,
    ino: Ino,
    mut file: &fs::File,
    request: Request,
    buf: &mut Buf,
) -> io::Result<u64> {
    match request {
        Request::Read { limit } => {
            let limit = match doing.suffers(doing.faults.short_reads, "a short read from the disk")
            {
                true => doing.random.index(limit) + 1,
                false => limit,
            };
            perform(file, Request::Read { limit }, buf)
        }
        Request::Write { unread } => {
            let written = rewind(file, unread).and_then(|()| {
                let flags = fcntl_getfl(file)?;
                let offset = match flags.contains(OFlags::APPEND) {
                    true => None,
                    false => Some(file.stream_position()?),
                };
                let store = &mut *doing.store;
                store.write(ino, offset, buf.as_slice(), |part| file.write_all(part))?;
                if flags.intersects(OFlags::SYNC | OFlags::DSYNC) {
                    store.sync(ino, store.clock());
                }
                Ok(0)
            });
            buf.clear();
            written
        }
        Request::SetLen { unread, len } => {
            rewind(file, unread)?;
            doing.store.set_len(ino, len, || file.set_len(len))?;
            Ok(0)
        }
        Request::Seek { .. } | Request::SyncData => perform(file, request, buf),
    }
}
