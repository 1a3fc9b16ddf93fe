//! A descriptor with its readiness.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

use anyrt_core::readiness::{AsyncFd as _, Direction, Reactor, ReadyEvent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{AsyncFdReadyGuard, AsyncFdReadyMutGuard};
use crate::io::{Interest, Ready};
use crate::raw::Raw;
use crate::runtime::Handle;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A descriptor of any kind that the system can poll, with its readiness: sockets, pipes, timers, devices.
///
/// It must be non-blocking. Readiness is remembered: it stays until someone who found the descriptor not ready says
/// so, by [`AsyncFdReadyGuard::clear_ready`] or by an operation that gives [`io::ErrorKind::WouldBlock`].
///
/// The descriptor of `T` must stay open, and the same, until it is dropped; of one that was closed before, the system may
/// tell the readiness of another. Every type that is [`AsFd`] keeps it open.
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
    inner: Watched<Raw<T>>,
}

type Watched<T> = one_of!(T; readiness::AsyncFd<T>);

impl<T: AsRawFd> AsyncFd<T> {
    /// Watches `inner` for being readable and writable.
    ///
    /// # Errors
    /// When the system cannot watch it, such as `EPERM` for a regular file.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn new(inner: T) -> io::Result<Self> {
        Ok(Self::try_with_interest(inner, BOTH)?)
    }

    /// Watches `inner` for what `interest` says; waiting for anything else may never end.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<Self> {
        Ok(Self::try_with_interest(inner, interest)?)
    }

    /// As [`new`](Self::new), but gives the descriptor back if it fails.
    ///
    /// # Errors
    /// The descriptor and the error of [`new`](Self::new).
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn try_new(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_with_interest(inner, BOTH)
    }

    /// As [`with_interest`](Self::with_interest), but gives the descriptor back if it fails.
    ///
    /// # Errors
    /// The descriptor and the error of [`new`](Self::new).
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
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

    /// What was wrapped.
    #[inline]
    pub fn get_ref(&self) -> &T {
        each!(&self.inner, fd => &fd.get_ref().0)
    }

    /// What was wrapped, mutable. It must stay the same descriptor.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        each!(&mut self.inner, fd => &mut fd.get_mut().0)
    }

    /// Stops watching.
    pub fn into_inner(self) -> T {
        each!(self.inner, fd => fd.into_inner().0)
    }

    /// Waits until it is readable. Of several tasks that poll for reading, the last one is woken.
    ///
    /// # Errors
    /// When the runtime has ended.
    pub fn poll_read_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        self.poll_ready(cx, Direction::Read)
    }

    /// As [`poll_read_ready`](Self::poll_read_ready), with a guard that gives `&mut T`.
    ///
    /// # Errors
    /// When the runtime has ended.
    pub fn poll_read_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let ready = ready!(self.poll_ready(cx, Direction::Read))?.ready();
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(self, ready)))
    }

    /// Waits until it is writable. Of several tasks that poll for writing, the last one is woken.
    ///
    /// # Errors
    /// When the runtime has ended.
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        self.poll_ready(cx, Direction::Write)
    }

    /// As [`poll_write_ready`](Self::poll_write_ready), with a guard that gives `&mut T`.
    ///
    /// # Errors
    /// When the runtime has ended.
    pub fn poll_write_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let ready = ready!(self.poll_ready(cx, Direction::Write))?.ready();
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(self, ready)))
    }

    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let event = map_each!(&self.inner, fd => ready!(fd.poll_ready(cx, direction))?);
        Poll::Ready(Ok(AsyncFdReadyGuard::new(self, event)))
    }

    /// Waits until it is ready for something of `interest`. Any number of tasks may wait.
    ///
    /// # Errors
    /// When the runtime has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let event = map_each!(&self.inner, fd => fd.ready(interest).await?);
        Ok(AsyncFdReadyGuard::new(self, event))
    }

    /// As [`ready`](Self::ready), with a guard that gives `&mut T`.
    ///
    /// # Errors
    /// When the runtime has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ready_mut(
        &mut self,
        interest: Interest,
    ) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        let ready = self.ready(interest).await?.ready();
        Ok(AsyncFdReadyMutGuard::new(self, ready))
    }

    /// Waits until it is readable. Any number of tasks may wait.
    ///
    /// # Errors
    /// When the runtime has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::READABLE).await
    }

    /// As [`readable`](Self::readable), with a guard that gives `&mut T`.
    ///
    /// # Errors
    /// When the runtime has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn readable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::READABLE).await
    }

    /// Waits until it is writable. Any number of tasks may wait.
    ///
    /// # Errors
    /// When the runtime has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// As [`writable`](Self::writable), with a guard that gives `&mut T`.
    ///
    /// # Errors
    /// When the runtime has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn writable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::WRITABLE).await
    }

    /// Runs `f` whenever it is ready for something of `interest`, until `f` gives something else than
    /// [`io::ErrorKind::WouldBlock`]. Any number of tasks may wait.
    ///
    /// # Errors
    /// Those of `f`; another when the runtime has ended.
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if an `f` that fails does nothing.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, fd => fd.run(interest, |fd| f(&fd.0)).await)
    }

    /// As [`async_io`](Self::async_io), with `&mut T`.
    ///
    /// # Errors
    /// As [`async_io`](Self::async_io).
    ///
    /// # Cancel safety
    /// As [`async_io`](Self::async_io).
    pub async fn async_io_mut<R>(
        &mut self,
        interest: Interest,
        mut f: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let mut guard = self.ready_mut(interest).await?;
            if let Ok(result) = guard.try_io(|fd| f(fd.get_mut())) {
                return result;
            }
        }
    }

    /// Runs `f` if it is known to be ready for something of `interest`. If `f` gives
    /// [`io::ErrorKind::WouldBlock`], it is known not to be ready any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it is not ready; those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        each!(&self.inner, fd => fd.try_io(interest, |fd| f(&fd.0)))
    }

    /// As [`try_io`](Self::try_io), with `&mut T`.
    ///
    /// # Errors
    /// As [`try_io`](Self::try_io).
    pub fn try_io_mut<R>(
        &mut self,
        interest: Interest,
        f: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.try_io(interest, |_| Ok(()))?;
        let mut guard = AsyncFdReadyMutGuard::new(self, interest.mask());
        match guard.try_io(|fd| f(fd.get_mut())) {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// As [`try_io`](Self::try_io), for types that do not let their readiness be cleared: where another thread is the
    /// reactor, it may be late, so the system is asked before it is believed that nothing is ready.
    pub(crate) fn try_now<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        if !each!(&self.inner, backend, _ => backend::TRIES_UNTOLD) {
            return self.try_io(interest, f);
        }
        let mut f = Some(f);
        let result = self.try_io(interest, |fd| match f.take() {
            Some(f) => f(fd),
            None => Err(io::ErrorKind::WouldBlock.into()),
        });
        let Some(f) = f else { return result };
        self.assume(look(&Raw(self.as_raw_fd()), interest));
        self.try_io(interest, f)
    }

    /// Takes it to be ready for `ready`, although nobody has said so yet, until someone finds that it is not.
    pub(crate) fn assume(&self, ready: Ready) {
        each!(&self.inner, fd => fd.assume(ready));
    }

    /// Runs `operation` when it is ready, until it gives something else than [`io::ErrorKind::WouldBlock`]. Of
    /// several tasks that poll in `direction`, the last one is woken.
    #[inline]
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(cx, direction, operation, |_| false)
    }

    /// As [`poll_io`](Self::poll_io), for a byte stream: `operation` moved all that there was, or all that there was
    /// room for, if it moved less than `len`; so the next one need not try in vain.
    #[inline]
    pub(crate) fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        len: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, direction, operation, |&moved| 0 < moved && moved < len)
    }

    #[inline]
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        exhausted: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        each!(&self.inner, fd => loop {
            let mut event = ready!(fd.poll_ready(cx, direction))?;
            match operation(&fd.get_ref().0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => event.clear(Ready::ALL),
                Ok(value) => {
                    if exhausted(&value) {
                        event.clear(Ready::ALL);
                    }
                    return Poll::Ready(Ok(value));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        })
    }
}

/// What `fd` is ready for at this moment.
fn look(fd: &impl AsFd, interest: Interest) -> Ready {
    const NOW: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.is_readable());
    flags.set(PollFlags::OUT, interest.is_writable());
    flags.set(PollFlags::PRI, interest.is_priority());
    let mut fds = [PollFd::new(fd, flags)];
    match poll(&mut fds, Some(&NOW)) {
        Ok(1..) => {
            // The numbers are the same on all Unix systems, the type is not.
            let bits = i32::from(fds[0].revents().bits());
            Ready::from_epoll(bits.cast_unsigned()) & interest.mask()
        }
        _ => Ready::EMPTY,
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

/// The system cannot watch the descriptor, which comes back.
pub struct AsyncFdRegisterError<T> {
    inner: T,
    cause: io::Error,
}

impl<T> AsyncFdRegisterError<T> {
    /// The descriptor, and why it cannot be watched.
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
