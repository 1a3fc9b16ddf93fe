//! A file descriptor with its readiness.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use anyrt_core::readiness::{AsyncFd as _, Direction, Reactor, ready_now};

use crate::io::{Interest, Ready};
use crate::raw::Raw;
use crate::runtime::Handle;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Any descriptor that the system can poll, with its readiness: sockets, pipes, timers, devices.
///
/// The descriptor must be in non-blocking mode. Readiness is cached: it stays set until it is
/// cleared by [`AsyncFdReadyGuard::clear_ready`](super::AsyncFdReadyGuard::clear_ready) or by an operation that returns
/// [`io::ErrorKind::WouldBlock`].
///
/// The descriptor of `T` must stay open and must not change until `T` is dropped; after an early
/// close, the system may report the readiness of an unrelated descriptor. Every type that
/// implements [`AsFd`] keeps its descriptor open.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use anyrt::io::{Interest, unix::AsyncFd};
///
/// // Any descriptor, made non-blocking.
/// let (mut peer, socket) = UnixStream::pair()?;
/// socket.set_nonblocking(true)?;
/// let socket = AsyncFd::with_interest(socket, Interest::READABLE)?;
///
/// peer.write_all(b"hello")?;
/// let mut buf = [0; 64];
/// let read = socket.async_io(Interest::READABLE, |mut socket| socket.read(&mut buf)).await?;
/// assert_eq!(read, 5);
/// # Ok(()) });
/// ```
pub struct AsyncFd<T: AsRawFd> {
    pub(super) inner: Watched<Raw<T>>,
}

type Watched<T> = one_of!(T; readiness::AsyncFd<T>);

impl<T: AsRawFd> AsyncFd<T> {
    /// Registers `inner` for readability and writability.
    ///
    /// # Errors
    /// Fails if the system cannot poll the descriptor, with `EPERM` for a regular file, for
    /// example.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn new(inner: T) -> io::Result<Self> {
        Ok(Self::try_with_interest(inner, BOTH)?)
    }

    /// Registers `inner` for `interest`. Waiting for anything else may never complete.
    ///
    /// # Errors
    /// See [`new`](Self::new).
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<Self> {
        Ok(Self::try_with_interest(inner, interest)?)
    }

    /// Like [`new`](Self::new), but returns the descriptor on failure.
    ///
    /// # Errors
    /// Returns the descriptor together with the error of [`new`](Self::new).
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn try_new(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_with_interest(inner, BOTH)
    }

    /// Like [`with_interest`](Self::with_interest), but returns the descriptor on failure.
    ///
    /// # Errors
    /// Returns the descriptor together with the error of [`new`](Self::new).
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn try_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<Self, AsyncFdRegisterError<T>> {
        let failed = |(Raw(inner), cause): (Raw<T>, _)| AsyncFdRegisterError { inner, cause };
        let handle = Handle::current();
        if inner.as_raw_fd() < 0 {
            return Err(failed((Raw(inner), rustix::io::Errno::BADF.into())));
        }
        Ok(Self {
            inner: map_each!(&handle.inner, rt => rt.async_fd(Raw(inner), interest).map_err(failed)?),
        })
    }

    /// Returns the wrapped value.
    #[inline]
    pub fn get_ref(&self) -> &T {
        each!(&self.inner, fd => &fd.get_ref().0)
    }

    /// Returns the wrapped value. Its descriptor must not change.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        each!(&mut self.inner, fd => &mut fd.get_mut().0)
    }

    /// Deregisters the descriptor and returns the wrapped value.
    pub fn into_inner(self) -> T {
        each!(self.inner, fd => fd.into_inner().0)
    }

    /// Calls `f` each time the descriptor is ready for any part of `interest`, until `f` returns
    /// anything but [`io::ErrorKind::WouldBlock`]. Any number of tasks may wait.
    ///
    /// # Errors
    /// Returns the error of `f`, or fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe if a call of `f` that fails has no effect.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, fd => fd.run(interest, |fd| f(&fd.0)).await)
    }

    /// Calls `f` if the descriptor is marked as ready for any part of `interest`. If `f` returns
    /// [`io::ErrorKind::WouldBlock`], the mark is cleared.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if the descriptor is not ready, or else the error of
    /// `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, fd => fd.try_io(interest, |fd| f(&fd.0)))
    }

    /// Like [`try_io`](Self::try_io), for types whose readiness cannot be cleared from outside.
    pub(crate) fn try_now<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, fd => {
            let ask = |fd: &Raw<T>| ready_now(fd, interest).unwrap_or(Ready::EMPTY);
            fd.try_now(interest, ask, |fd| f(&fd.0))
        })
    }

    /// Marks the descriptor as ready for `ready` without an event, until an operation finds that it
    /// is not.
    pub(crate) fn assume(&self, ready: Ready) {
        each!(&self.inner, fd => fd.assume(ready));
    }

    /// Calls `operation` each time the descriptor is ready, until it returns anything but
    /// [`io::ErrorKind::WouldBlock`]. Only the task that polled last in `direction` is woken.
    #[inline]
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        each!(&self.inner, fd => fd.poll_io(cx, direction, |fd| operation(&fd.0)))
    }

    /// Like [`poll_io`](Self::poll_io), for a byte stream: if `operation` moved fewer than `len`
    /// bytes, nothing is left to move, so the readiness is cleared to save a futile attempt.
    #[inline]
    pub(crate) fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        len: usize,
        mut operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        each!(&self.inner, fd => fd.poll_bytes(cx, direction, len, |fd| operation(&fd.0)))
    }
}

impl<T: AsRawFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<T: AsRawFd + AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("inner", self.get_ref())
            .finish()
    }
}

/// The system cannot poll the descriptor, which is returned.
pub struct AsyncFdRegisterError<T> {
    inner: T,
    cause: io::Error,
}

impl<T> AsyncFdRegisterError<T> {
    /// Returns the descriptor and the cause.
    pub fn into_parts(self) -> (T, io::Error) {
        (self.inner, self.cause)
    }
}

impl<T> fmt::Display for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl<T> fmt::Debug for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.cause, f)
    }
}

impl<T> Error for AsyncFdRegisterError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl<T> From<AsyncFdRegisterError<T>> for io::Error {
    fn from(error: AsyncFdRegisterError<T>) -> Self {
        error.cause
    }
}
