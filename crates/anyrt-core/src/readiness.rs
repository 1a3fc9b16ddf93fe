//! Readiness: whether a descriptor can be read or written, who waits for it, and the capability to ask.
//!
//! [`Interest`] and [`Ready`] are Tokio's types of these names. [`Reactor`] is an optional capability: a runtime
//! that has it watches descriptors of any kind.

mod interest;
mod ready;

use std::future::Future;
use std::io;
use std::task::{Context, Poll, ready};

pub use interest::Interest;
pub use ready::Ready;

/// A direction of a descriptor, for the functions that remember one waiter for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Readable, or nothing will come any more.
    Read,
    /// Writable, or nobody reads any more.
    Write,
}

impl Direction {
    /// As an interest.
    pub const fn interest(self) -> Interest {
        match self {
            Self::Read => Interest::READABLE,
            Self::Write => Interest::WRITABLE,
        }
    }
}

/// Watches descriptors of any kind. Not part of [`Runtime`](crate::Runtime): a runtime may lack it.
#[cfg(unix)]
pub trait Reactor {
    /// A descriptor that is watched.
    type AsyncFd<T: std::os::fd::AsFd>: AsyncFd<T>;

    /// Watches `fd`, which must be non-blocking, for what `interest` says.
    ///
    /// # Errors
    /// The descriptor and the reason, such as `EPERM` for a regular file.
    fn async_fd<T: std::os::fd::AsFd>(
        &self,
        fd: T,
        interest: Interest,
    ) -> Result<Self::AsyncFd<T>, (T, io::Error)>;
}

/// A descriptor with its readiness, which is remembered until someone finds that it is over.
///
/// # For implementors
/// - Readiness that comes after an event was given out is not cleared with that event.
/// - What waits or runs an operation charges the budget of [`coop`](crate::coop), or one of the runtime's own.
pub trait AsyncFd<T>: Sized {
    /// That the descriptor was ready.
    type Event<'a>: ReadyEvent
    where
        Self: 'a;

    /// What was wrapped.
    fn get_ref(&self) -> &T;

    /// What was wrapped, mutable. It must stay the same descriptor.
    fn get_mut(&mut self) -> &mut T;

    /// Stops watching.
    fn into_inner(self) -> T;

    /// Takes the descriptor to be ready for `ready`, although nobody has said so yet, until someone finds that it is
    /// not: what was just made is known to have room.
    fn assume(&self, ready: Ready);

    /// Waits until the descriptor is ready in `direction`; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// When nobody watches the descriptor any more, because the runtime has ended.
    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Self::Event<'a>>>;

    /// Waits until the descriptor is ready for something of `interest`. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`poll_ready`](Self::poll_ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    fn ready<'a>(
        &'a self,
        interest: Interest,
    ) -> impl Future<Output = io::Result<Self::Event<'a>>> + use<'a, Self, T>;

    /// Runs `operation` if the descriptor is known to be ready, and takes note when it was not.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the descriptor is not ready; those of `operation`.
    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R>;

    /// Runs `operation` whenever the descriptor is ready, until it gives something else than
    /// [`io::ErrorKind::WouldBlock`]. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`poll_ready`](Self::poll_ready); those of `operation`.
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if a failed `operation` does nothing.
    fn run<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>>;
}

/// A socket whose readiness can be waited for, and used.
///
/// # For implementors
/// As of [`AsyncFd`].
pub trait Readiness {
    /// Waits until the socket is ready for something of `interest`. Any number of tasks may wait.
    ///
    /// # Errors
    /// When nobody watches the socket any more, because the runtime has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;

    /// Waits until the socket is ready in `direction`; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>>;

    /// Runs `operation` if the socket is known to be ready, and takes note when it was not.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the socket is not ready; those of `operation`.
    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R>;

    /// Runs `operation` whenever the socket is ready, until it gives something else than
    /// [`io::ErrorKind::WouldBlock`]. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`ready`](Self::ready); those of `operation`.
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if a failed `operation` does nothing.
    fn async_io<R>(
        &self,
        interest: Interest,
        operation: impl FnMut() -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>>;

    /// As [`async_io`](Self::async_io); of several tasks that poll in `direction`, the last one is woken.
    ///
    /// # Errors
    /// As [`async_io`](Self::async_io).
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

    /// As [`poll_io`](Self::poll_io), for a byte stream: `operation` moved all that there was, or all that there was
    /// room for, if it moved less than `len`; so the next one need not try in vain.
    ///
    /// # Errors
    /// As [`async_io`](Self::async_io).
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
                    // Clears what was known before the operation, and nothing that came since.
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
    /// What the descriptor was ready for, of what was asked.
    fn ready(&self) -> Ready;

    /// Says that the descriptor is not ready for `ready` any more. Readiness that came after the event stays, and so
    /// does that a direction is closed.
    fn clear(&mut self, ready: Ready);
}
