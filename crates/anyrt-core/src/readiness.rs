//! Readiness: whether a descriptor can be read or written, and waiting for it.
//!
//! [`Interest`] and [`Ready`] match Tokio's types of these names. [`Reactor`] is an optional
//! capability: a runtime that has it can watch any kind of descriptor.

mod interest;
mod ready;

use std::future::Future;
use std::io;
use std::task::{Context, Poll, ready};

pub use interest::Interest;
pub use ready::Ready;

/// A direction of a descriptor, for functions that keep one waiter per direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Readable, or at the end of the stream.
    Read,
    /// Writable, or closed by the reader.
    Write,
}

impl Direction {
    /// Returns the direction as an interest.
    pub const fn interest(self) -> Interest {
        match self {
            Self::Read => Interest::READABLE,
            Self::Write => Interest::WRITABLE,
        }
    }
}

/// Watches descriptors of any kind. Not part of [`Runtime`](crate::Runtime), because a runtime may
/// lack it.
#[cfg(unix)]
pub trait Reactor {
    /// A watched descriptor.
    type AsyncFd<T: std::os::fd::AsFd>: AsyncFd<T>;

    /// Registers `fd`, which must be in non-blocking mode, for `interest`.
    ///
    /// # Errors
    /// Returns the descriptor and the cause, such as `EPERM` for a regular file.
    fn async_fd<T: std::os::fd::AsFd>(
        &self,
        fd: T,
        interest: Interest,
    ) -> Result<Self::AsyncFd<T>, (T, io::Error)>;
}

/// A descriptor with its readiness, which is cached until an operation finds that it is not ready.
///
/// # For implementors
/// - Clearing an event must not clear readiness that arrived after the event was returned.
/// - Methods that wait or run an operation charge the budget of [`coop`](crate::coop), or the
///   runtime's own.
pub trait AsyncFd<T>: Sized {
    /// An event: the descriptor was ready.
    type Event<'a>: ReadyEvent
    where
        Self: 'a;

    /// Returns the wrapped value.
    fn get_ref(&self) -> &T;

    /// Returns the wrapped value. Its descriptor must not change.
    fn get_mut(&mut self) -> &mut T;

    /// Deregisters the descriptor and returns the wrapped value.
    fn into_inner(self) -> T;

    /// Marks the descriptor as ready for `ready` without an event, until an operation finds that it
    /// is not. For example, a new socket is known to be writable.
    fn assume(&self, ready: Ready);

    /// Polls for readiness in `direction`. Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Self::Event<'a>>>;

    /// Waits until the descriptor is ready for any part of `interest`. Any number of tasks may
    /// wait.
    ///
    /// # Errors
    /// See [`poll_ready`](Self::poll_ready).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    fn ready<'a>(
        &'a self,
        interest: Interest,
    ) -> impl Future<Output = io::Result<Self::Event<'a>>> + use<'a, Self, T>;

    /// Calls `operation` if the descriptor is marked as ready, and clears the mark if it was not.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if the descriptor is not ready, or else the error of
    /// `operation`.
    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R>;

    /// Like [`try_io`](Self::try_io), for types whose readiness cannot be cleared from outside: a
    /// reactor on another thread may lag behind, so `ask` tells what the system says, before the
    /// descriptor counts as not ready. A runtime may demand the report, as Tokio does.
    ///
    /// # Errors
    /// See [`try_io`](Self::try_io).
    fn try_now<R>(
        &self,
        interest: Interest,
        ask: impl FnOnce(&T) -> Ready,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut operation = Some(operation);
        let result = self.try_io(interest, |fd| match operation.take() {
            Some(operation) => operation(fd),
            None => Err(io::ErrorKind::WouldBlock.into()),
        });
        let Some(operation) = operation else {
            return result;
        };
        self.assume(ask(self.get_ref()) & interest.mask());
        self.try_io(interest, operation)
    }

    /// Calls `operation` each time the descriptor is ready, until it returns anything but
    /// [`io::ErrorKind::WouldBlock`]. Any number of tasks may wait.
    ///
    /// # Errors
    /// Fails if the runtime has ended, or with the error of `operation`.
    ///
    /// # Cancel safety
    /// Cancel-safe if a call of `operation` that fails has no effect.
    fn run<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>>;

    /// Polls `operation`; see [`run`](Self::run). Only the task that polled last in `direction` is
    /// woken.
    ///
    /// # Errors
    /// See [`run`](Self::run).
    #[inline]
    fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        poll_unless(self, cx, direction, operation, |_| false)
    }

    /// Like [`poll_io`](Self::poll_io), for a byte stream: if `operation` moved fewer than `len`
    /// bytes, nothing is left to move, so the readiness is cleared to save a futile attempt.
    ///
    /// # Errors
    /// See [`run`](Self::run).
    #[inline]
    fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        len: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        poll_unless(self, cx, direction, operation, |&moved| {
            0 < moved && moved < len
        })
    }
}

/// Polls `operation`, after which the descriptor is not ready if the result is `exhausted`.
#[inline]
fn poll_unless<T, R>(
    fd: &impl AsyncFd<T>,
    cx: &mut Context<'_>,
    direction: Direction,
    mut operation: impl FnMut(&T) -> io::Result<R>,
    exhausted: impl FnOnce(&R) -> bool,
) -> Poll<io::Result<R>> {
    loop {
        let mut event = ready!(fd.poll_ready(cx, direction))?;
        match operation(fd.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => event.clear(Ready::ALL),
            Ok(value) => {
                if exhausted(&value) {
                    event.clear(Ready::ALL);
                }
                return Poll::Ready(Ok(value));
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// Asks the system what `fd` is ready for, without waiting. Errors are always reported.
///
/// # Errors
/// Fails if the system's `poll` does.
#[cfg(unix)]
pub fn ready_now(fd: impl std::os::fd::AsFd, interest: Interest) -> io::Result<Ready> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.is_readable());
    flags.set(PollFlags::OUT, interest.is_writable());
    flags.set(PollFlags::PRI, interest.is_priority());
    let mut fds = [PollFd::new(&fd, flags)];
    poll(&mut fds, Some(&Timespec::default()))?;
    // The values are the same on all Unix systems, their type is not.
    let bits = i32::from(fds[0].revents().bits());
    Ok(Ready::from_epoll(bits.cast_unsigned()))
}

/// A socket with readiness, which is cached: the socket stays ready until an operation finds that
/// it is not.
///
/// A read that took exactly what was there has not found that, so the socket may be ready although
/// nothing is left. The next operation then waits, or fails with [`io::ErrorKind::WouldBlock`].
///
/// # For implementors
/// See [`AsyncFd`]. Data that arrives after an operation has found nothing must make the socket
/// ready again, and so must the end of the stream.
pub trait Readiness {
    /// Waits until the socket is ready for any part of `interest`. Any number of tasks may wait.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;

    /// Polls for readiness in `direction`. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>>;

    /// Calls `operation` if the socket is marked as ready, and clears the mark if it was not.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if the socket is not ready, or else the error of
    /// `operation`.
    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R>;

    /// Calls `operation`, which does not wait: even if no readiness was reported yet, because a
    /// reactor on another thread may report it late. A runtime may demand the report, as Tokio
    /// does.
    ///
    /// # Errors
    /// See [`try_io`](Self::try_io).
    fn try_now<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let mut tried = false;
        let result = self.try_io(interest, || {
            tried = true;
            operation()
        });
        if tried { result } else { operation() }
    }

    /// Calls `operation` each time the socket is ready, until it returns anything but
    /// [`io::ErrorKind::WouldBlock`]. Any number of tasks may wait.
    ///
    /// # Errors
    /// Fails if the runtime has ended, or with the error of `operation`.
    ///
    /// # Cancel safety
    /// Cancel-safe if a call of `operation` that fails has no effect.
    fn async_io<R>(
        &self,
        interest: Interest,
        operation: impl FnMut() -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>>;

    /// Polls `operation`; see [`async_io`](Self::async_io). Only the task that polled last in
    /// `direction` is woken.
    ///
    /// # Errors
    /// See [`async_io`](Self::async_io).
    #[inline]
    fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            ready!(self.poll_ready(cx, direction))?;
            match self.try_io(direction.interest(), &mut operation) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Like [`poll_io`](Self::poll_io), for a byte stream: if `operation` moved fewer than `len`
    /// bytes, nothing is left to move, so the readiness is cleared to save a futile attempt.
    ///
    /// # Errors
    /// See [`async_io`](Self::async_io).
    #[inline]
    fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        len: usize,
        mut operation: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_ready(cx, direction))?;
            let mut part = None;
            let result = self.try_io(direction.interest(), || {
                let moved = operation()?;
                if 0 < moved && moved < len {
                    // Clears the readiness from before the operation, and nothing that arrived
                    // since.
                    part = Some(moved);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(moved)
            });
            match (part, result) {
                (Some(moved), _) => return Poll::Ready(Ok(moved)),
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, result) => return Poll::Ready(result),
            }
        }
    }
}

/// An event of an [`AsyncFd`].
pub trait ReadyEvent {
    /// Returns the part of the requested readiness that the descriptor had.
    fn ready(&self) -> Ready;

    /// Clears the readiness for `ready`. Readiness that arrived after the event is kept, and so is
    /// the state that a direction is closed.
    fn clear(&mut self, ready: Ready);
}
