//! Descriptors of any kind.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Readiness, Ready, ReadyEvent};

use super::source::{Seen, Source, Start, observe};
use super::watched::{Waiter, Watched, run};

/// For runtime authors: the registration of a descriptor with a poller, which may be deferred until
/// an operation has to wait.
///
/// `fd` is always the descriptor of this registration.
pub trait Registration {
    /// See [`Watched::EDGE_TRIGGERED`].
    const EDGE_TRIGGERED: bool;

    /// See [`Watched::source`].
    fn source(&self) -> &Source;

    /// See [`Watched::bind`].
    ///
    /// # Errors
    /// See [`Watched::bind`].
    fn bind(&self, fd: BorrowedFd<'_>, interest: Interest, waiter: Waiter) -> io::Result<bool>;

    /// Updates the state of `interest`, for callers that wait for readiness without an attempt.
    ///
    /// # Errors
    /// Fails if the poller rejects the descriptor.
    fn refresh(&self, fd: BorrowedFd<'_>, interest: Interest, waiter: Waiter) -> io::Result<()>;

    /// Called before an attempt that may come without an event. Checks the readiness if the poller
    /// needs that.
    fn before_attempt(&self, _interest: Interest) {}

    /// Deregisters the descriptor, which is about to be closed or moved.
    fn end(&self, fd: BorrowedFd<'_>);
}

/// Any descriptor that the system can poll, in non-blocking mode, with its readiness.
///
/// It can be used on every thread: of its runtime, of another runtime, or a plain one. Operations
/// that wait when its runtime ends, or later, fail. Dropping it closes the descriptor at once.
pub struct AsyncFd<W: Registration, T: AsFd> {
    registration: W,
    // `None` only while it is being removed.
    fd: Option<T>,
}

impl<W: Registration, T: AsFd> AsyncFd<W, T> {
    /// For runtime authors: creates it from a descriptor and its registration.
    pub fn new(registration: W, fd: T) -> Self {
        Self {
            registration,
            fd: Some(fd),
        }
    }

    /// For runtime authors: returns the registration.
    pub fn registration(&self) -> &W {
        &self.registration
    }

    #[inline]
    fn get(&self) -> &T {
        match &self.fd {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    fn release(&mut self) -> Option<T> {
        let fd = self.fd.take()?;
        self.registration.end(fd.as_fd());
        Some(fd)
    }
}

impl<W: Registration, T: AsFd> Watched for AsyncFd<W, T> {
    type Inner = T;

    const EDGE_TRIGGERED: bool = W::EDGE_TRIGGERED;

    #[inline]
    fn get_ref(&self) -> &T {
        self.get()
    }

    fn into_inner(self) -> io::Result<T> {
        Ok(readiness::AsyncFd::into_inner(self))
    }

    #[inline]
    fn source(&self) -> &Source {
        self.registration.source()
    }

    #[inline]
    fn bind(&self, interest: Interest, waiter: Waiter) -> io::Result<bool> {
        self.registration.bind(self.get().as_fd(), interest, waiter)
    }
}

impl<W: Registration, T: AsFd> readiness::AsyncFd<T> for AsyncFd<W, T> {
    type Event<'a>
        = Seen<'a>
    where
        Self: 'a;

    fn get_ref(&self) -> &T {
        self.get()
    }

    fn get_mut(&mut self) -> &mut T {
        match &mut self.fd {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    fn into_inner(mut self) -> T {
        match self.release() {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    fn assume(&self, ready: Ready) {
        self.source().assume(ready);
    }

    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Seen<'a>>> {
        let (interest, waiter) = (direction.interest(), Waiter::Last);
        self.registration
            .refresh(self.get().as_fd(), interest, waiter)?;
        // Readiness that is only assumed, for an attempt, must not be reported to the caller.
        let bind = || self.bind(interest, waiter).map(|_| false);
        self.source()
            .poll(cx, direction, interest, Start::IfReady, bind, observe)
            .map_ok(|event| Seen::new(self.source(), event))
    }

    async fn ready<'a>(&'a self, interest: Interest) -> io::Result<Seen<'a>> {
        let waiter = Waiter::OneOfMany;
        self.registration
            .refresh(self.get().as_fd(), interest, waiter)?;
        let bind = || self.bind(interest, waiter).map(|_| false);
        let event = self.source().wait(interest, bind).await?;
        Ok(Seen::new(self.source(), event))
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration.before_attempt(interest);
        self.source().attempt(interest, || operation(self.get()))
    }

    fn run<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        run(self, interest, operation)
    }
}

/// For sockets that are created from a descriptor.
impl<W: Registration + Sync, T: AsFd + Sync> Readiness for AsyncFd<W, T> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let event = readiness::AsyncFd::ready(self, interest).await?;
        Ok(event.ready())
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        readiness::AsyncFd::poll_ready(self, cx, direction).map_ok(drop)
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        readiness::AsyncFd::try_io(self, interest, |_| operation())
    }

    fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        run(self, interest, move |_| operation())
    }
}

impl<W: Registration, T: AsFd> Drop for AsyncFd<W, T> {
    fn drop(&mut self) {
        // Before the descriptor is closed: a duplicate of it somewhere would keep it in the poller.
        drop(self.release());
    }
}

impl<W: Registration, T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<W, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(self.get()).finish()
    }
}
