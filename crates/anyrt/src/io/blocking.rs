//! Blocking readers and writers as asynchronous ones: every call is a job on the blocking pool.

use std::fmt;
use std::future::Future;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::task::{JoinHandle, spawn_blocking};

/// The maximum number of bytes that one job reads or writes.
const LARGEST: usize = 2 * 1024 * 1024;

/// The result of a job, with the resource that was lent to it.
type Done<T> = (io::Result<()>, Resource<T>);

pub(super) struct Blocking<T> {
    state: State<T>,
    /// Data was written since the last flush.
    dirty: bool,
}

enum State<T> {
    Idle(Resource<T>),
    Busy(JoinHandle<Done<T>>),
    /// The runtime ended and dropped the job, and the resource with it.
    Gone,
}

struct Resource<T> {
    inner: T,
    bytes: Vec<u8>,
    /// The bytes in transit.
    filled: Range<usize>,
}

impl<T: Send + 'static> Blocking<T> {
    pub(super) fn new(inner: T) -> Self {
        let resource = Resource {
            inner,
            bytes: Vec::new(),
            filled: 0..0,
        };
        Self {
            state: State::Idle(resource),
            dirty: false,
        }
    }

    /// Starts `job` if the resource is idle.
    fn start<F>(&mut self, job: impl FnOnce(Resource<T>) -> F)
    where
        F: FnOnce() -> Done<T> + Send + 'static,
    {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(resource) => self.state = State::Busy(spawn_blocking(job(resource))),
            other => self.state = other,
        }
    }

    /// Runs `work` even if the runtime ends before a thread takes the job, because the write was
    /// already reported as successful.
    fn start_owed(&mut self, work: Work<T>) {
        self.start(|resource| {
            let owed = Owed {
                resource: Some(resource),
                work,
            };
            move || owed.pay()
        });
    }

    /// Waits for the running job, if any. Its error is reported once.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Resource<T>>> {
        if let State::Busy(job) = &mut self.state {
            match ready!(Pin::new(job).poll(cx)) {
                Ok((result, resource)) => {
                    self.state = State::Idle(resource);
                    result?;
                }
                Err(_) => self.state = State::Gone,
            }
        }
        Poll::Ready(match &mut self.state {
            State::Idle(resource) => Ok(resource),
            _ => Err(io::Error::other("the runtime of this handle has ended")),
        })
    }
}

impl<T: Read + Unpin + Send + 'static> AsyncRead for Blocking<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut has_read = matches!(self.state, State::Busy(_));
        loop {
            let resource = ready!(self.poll_idle(cx))?;
            // A read of zero bytes is the end of the stream.
            if !resource.filled.is_empty() || has_read {
                let rest = &resource.bytes[resource.filled.clone()];
                let copied = rest.len().min(dst.remaining());
                dst.put_slice(&rest[..copied]);
                resource.filled.start += copied;
                return Poll::Ready(Ok(()));
            }
            has_read = true;
            let most = dst.remaining().min(LARGEST);
            self.start(|mut resource| {
                move || {
                    let result = resource.read(most);
                    (result, resource)
                }
            });
        }
    }
}

impl<T: Write + Unpin + Send + 'static> AsyncWrite for Blocking<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        src: &[u8],
    ) -> Poll<io::Result<usize>> {
        let resource = ready!(self.poll_idle(cx))?;
        let taken = &src[..src.len().min(LARGEST)];
        resource.bytes.clear();
        resource.bytes.extend_from_slice(taken);
        resource.filled = 0..taken.len();
        self.start_owed(Resource::write);
        self.dirty = true;
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_idle(cx))?;
            if !self.dirty {
                return Poll::Ready(Ok(()));
            }
            self.dirty = false;
            self.start_owed(|resource| resource.inner.flush());
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<T> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Idle(_) => "idle",
            State::Busy(_) => "busy",
            State::Gone => "gone",
        };
        f.debug_struct("Blocking").field("state", &state).finish()
    }
}

type Work<T> = fn(&mut Resource<T>) -> io::Result<()>;

/// Runs its work on drop unless it has already run.
struct Owed<T> {
    resource: Option<Resource<T>>,
    work: Work<T>,
}

impl<T> Owed<T> {
    fn pay(mut self) -> Done<T> {
        let Some(mut resource) = self.resource.take() else {
            unreachable!("only `pay` takes it, and it takes all")
        };
        ((self.work)(&mut resource), resource)
    }
}

impl<T> Drop for Owed<T> {
    fn drop(&mut self) {
        if let Some(mut resource) = self.resource.take() {
            // An error can no longer be reported.
            let _ = (self.work)(&mut resource);
        }
    }
}

impl<T: Read> Resource<T> {
    fn read(&mut self, most: usize) -> io::Result<()> {
        if self.bytes.len() < most {
            self.bytes.resize(most, 0);
        }
        self.filled = 0..0;
        loop {
            match self.inner.read(&mut self.bytes[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    self.filled.end = result?;
                    return Ok(());
                }
            }
        }
    }
}

impl<T: Write> Resource<T> {
    fn write(&mut self) -> io::Result<()> {
        let filled = std::mem::take(&mut self.filled);
        self.inner.write_all(&self.bytes[filled])
    }
}
