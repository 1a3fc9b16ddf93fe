//! Blocking readers and writers as asynchronous ones: every call is a job on the blocking pool.

use std::fmt;
use std::future::Future;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::Blocking;

/// The maximum number of bytes that one job reads or writes.
const LARGEST: usize = 2 * 1024 * 1024;

/// The result of a job, with the resource that was lent to it.
type Done<T> = (io::Result<()>, Resource<T>);

/// A blocking reader or writer as an asynchronous one, for what the system cannot wait for: the
/// standard streams, archives, devices.
///
/// A read is a job, which cannot be cancelled: if its future is dropped, the data goes to the next
/// read.
///
/// A write is acknowledged once it is buffered, and written by a job while further data is
/// buffered, so an error may be reported by a later call. What was acknowledged is written even if
/// the value is dropped or the runtime ends; `flush` and `close` wait until it was written.
///
/// # Examples
/// ```
/// use std::io;
/// use anyrt_core::Blocking;
/// use anyrt_core::blocking::Unblock;
/// use futures_util::AsyncReadExt;
///
/// async fn input<R: Blocking>(rt: R) -> io::Result<String> {
///     let mut text = String::new();
///     Unblock::new(rt, io::stdin()).read_to_string(&mut text).await?;
///     Ok(text)
/// }
/// ```
pub struct Unblock<R: Blocking, T: Send + 'static> {
    rt: R,
    state: Lent<R, T>,
    /// Data was written since the last flush.
    dirty: bool,
}

enum Lent<R: Blocking, T: Send + 'static> {
    Idle(Resource<T>),
    Busy(R::JoinHandle<Done<T>>),
    /// The runtime ended and dropped the job, and the resource with it.
    Gone,
}

struct Resource<T> {
    inner: T,
    bytes: Vec<u8>,
    /// The bytes in transit.
    filled: Range<usize>,
}

impl<R: Blocking, T: Send + 'static> Unblock<R, T> {
    /// Wraps `inner`, which is used on the blocking threads of `rt`.
    pub fn new(rt: R, inner: T) -> Self {
        let resource = Resource {
            inner,
            bytes: Vec::new(),
            filled: 0..0,
        };
        Self {
            rt,
            state: Lent::Idle(resource),
            dirty: false,
        }
    }

    /// Starts `job` if the resource is idle.
    fn start<F>(&mut self, job: impl FnOnce(Resource<T>) -> F)
    where
        F: FnOnce() -> Done<T> + Send + 'static,
    {
        match std::mem::replace(&mut self.state, Lent::Gone) {
            Lent::Idle(resource) => {
                self.state = Lent::Busy(self.rt.spawn_blocking(job(resource)));
            }
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
        if let Lent::Busy(job) = &mut self.state {
            match ready!(Pin::new(job).poll(cx)) {
                Ok((result, resource)) => {
                    self.state = Lent::Idle(resource);
                    result?;
                }
                Err(_) => self.state = Lent::Gone,
            }
        }
        Poll::Ready(match &mut self.state {
            Lent::Idle(resource) => Ok(resource),
            _ => Err(io::Error::other("the runtime of this handle has ended")),
        })
    }
}

impl<R: Blocking, T: Read + Send + 'static> Unblock<R, T> {
    /// Reads at most `limit` bytes and passes them to `put`, for buffers that are not initialized.
    /// No bytes are the end of the stream.
    ///
    /// # Errors
    /// Returns the error of the reader, or fails if the runtime has ended.
    pub fn poll_read_with<P>(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
        put: impl FnOnce(&[u8]) -> P,
    ) -> Poll<io::Result<P>> {
        let mut has_read = matches!(self.state, Lent::Busy(_));
        loop {
            let resource = ready!(self.poll_idle(cx))?;
            // A read of zero bytes is the end of the stream.
            if !resource.filled.is_empty() || has_read {
                let rest = &resource.bytes[resource.filled.clone()];
                let bytes = &rest[..rest.len().min(limit)];
                resource.filled.start += bytes.len();
                return Poll::Ready(Ok(put(bytes)));
            }
            has_read = true;
            self.start(|mut resource| {
                move || {
                    let result = resource.read(limit.min(LARGEST));
                    (result, resource)
                }
            });
        }
    }
}

// Nothing in it is pinned.
impl<R: Blocking, T: Send + 'static> Unpin for Unblock<R, T> {}

impl<R: Blocking, T: Read + Send + 'static> AsyncRead for Unblock<R, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        dst: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, dst.len(), |bytes| {
            dst[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        })
    }
}

impl<R: Blocking, T: Write + Send + 'static> AsyncWrite for Unblock<R, T> {
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

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<R: Blocking, T: Send + 'static> fmt::Debug for Unblock<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            Lent::Idle(_) => "idle",
            Lent::Busy(_) => "busy",
            Lent::Gone => "gone",
        };
        f.debug_struct("Unblock").field("state", &state).finish()
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
