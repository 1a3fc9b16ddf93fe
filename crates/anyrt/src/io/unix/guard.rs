//! Guards of readiness, which clear it if an operation finds the descriptor not ready.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};

use anyrt_core::readiness::{AsyncFd as _, Direction, ReadyEvent, ready_now};

use super::AsyncFd;
use crate::io::{Interest, Ready};
use crate::raw::Raw;

type Event<'a, T> = one_of!((&'a (), T); readiness::Event<'a, Raw<T>>);

/// Proof that a descriptor was ready. If an operation then finds that it is not, the readiness must
/// be cleared, or the next wait completes at once.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    async_fd: &'a AsyncFd<T>,
    event: Event<'a, T>,
}

impl<'a, T: AsRawFd> AsyncFdReadyGuard<'a, T> {
    pub(super) fn new(async_fd: &'a AsyncFd<T>, event: Event<'a, T>) -> Self {
        Self { async_fd, event }
    }

    /// Clears the readiness. An event that arrived after this guard was created is kept.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// Clears the readiness for `ready`. An event that arrived after this guard was created is
    /// kept.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        each!(&mut self.event, event => event.clear(ready));
    }

    /// Returns the part of the requested readiness that is not cleared.
    pub fn ready(&self) -> Ready {
        each!(&self.event, event => event.ready())
    }

    /// Returns the descriptor with its readiness.
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.async_fd
    }

    /// Returns the wrapped value.
    pub fn get_inner(&self) -> &'a T {
        self.async_fd.get_ref()
    }
}

/// Like [`AsyncFdReadyGuard`], with access to `&mut T`.
///
/// It borrows the descriptor mutably, so it cannot hold an event of it. Before it clears the
/// readiness it polls the descriptor, so that no later event is lost, at the price of a system
/// call.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    async_fd: &'a mut AsyncFd<T>,
    ready: Ready,
}

impl<'a, T: AsRawFd> AsyncFdReadyMutGuard<'a, T> {
    pub(super) fn new(async_fd: &'a mut AsyncFd<T>, ready: Ready) -> Self {
        Self { async_fd, ready }
    }

    /// Clears the readiness, unless the descriptor is ready.
    pub fn clear_ready(&mut self) {
        self.clear_ready_matching(Ready::ALL);
    }

    /// Clears the readiness for `ready`, unless the descriptor is ready for it.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        let ready = self.ready & ready;
        self.ready = self.ready - ready;
        let parts = [
            Interest::READABLE,
            Interest::WRITABLE,
            Interest::PRIORITY,
            Interest::ERROR,
        ];
        for part in parts {
            if !(ready & part.mask()).is_empty() {
                // An event that arrives after the poll is a new one and is not cleared.
                let _ = self.async_fd.try_io(part, |fd| {
                    match ready_now(Raw(fd.as_raw_fd()), part)?.is_empty() {
                        true => Err(io::ErrorKind::WouldBlock.into()),
                        false => Ok(()),
                    }
                });
            }
        }
    }

    /// Returns the part of the requested readiness that is not cleared.
    pub fn ready(&self) -> Ready {
        self.ready
    }

    /// Returns the descriptor with its readiness.
    pub fn get_ref(&self) -> &AsyncFd<T> {
        self.async_fd
    }

    /// Returns the descriptor with its readiness.
    pub fn get_mut(&mut self) -> &mut AsyncFd<T> {
        self.async_fd
    }

    /// Returns the wrapped value.
    pub fn get_inner(&self) -> &T {
        self.async_fd.get_ref()
    }

    /// Returns the wrapped value.
    pub fn get_inner_mut(&mut self) -> &mut T {
        self.async_fd.get_mut()
    }
}

/// What both guards have, which pass a descriptor of the given type on.
macro_rules! guard {
    ($Guard:ident, $fd:ty, $name:literal) => {
        impl<'a, T: AsRawFd> $Guard<'a, T> {
            /// Keeps the readiness. Does nothing; it states the intent.
            pub fn retain_ready(&mut self) {}

            /// Calls `f`, and clears the readiness if it returns [`io::ErrorKind::WouldBlock`].
            ///
            /// # Errors
            /// Returns [`TryIoError`] if the descriptor was not ready.
            pub fn try_io<R>(
                &mut self,
                f: impl FnOnce($fd) -> io::Result<R>,
            ) -> Result<io::Result<R>, TryIoError> {
                match f(self.async_fd) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.clear_ready();
                        Err(TryIoError(()))
                    }
                    result => Ok(result),
                }
            }
        }

        impl<T: AsRawFd + fmt::Debug> fmt::Debug for $Guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name)
                    .field("async_fd", &self.async_fd)
                    .finish()
            }
        }
    };
}
guard!(AsyncFdReadyGuard, &'a AsyncFd<T>, "ReadyGuard");
guard!(AsyncFdReadyMutGuard, &mut AsyncFd<T>, "MutReadyGuard");

/// The descriptor was not ready, and its readiness was cleared.
#[derive(Debug)]
pub struct TryIoError(());

impl<T: AsRawFd> AsyncFd<T> {
    /// Polls for readability. Only the task that polled last for reading is woken.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    pub fn poll_read_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        self.poll_ready(cx, Direction::Read)
    }

    /// Like [`poll_read_ready`](Self::poll_read_ready), with a guard that gives access to `&mut T`.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    pub fn poll_read_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let ready = ready!(self.poll_ready(cx, Direction::Read))?.ready();
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(self, ready)))
    }

    /// Polls for writability. Only the task that polled last for writing is woken.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        self.poll_ready(cx, Direction::Write)
    }

    /// Like [`poll_write_ready`](Self::poll_write_ready), with a guard that gives access to
    /// `&mut T`.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    pub fn poll_write_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let ready = ready!(self.poll_ready(cx, Direction::Write))?.ready();
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(self, ready)))
    }

    pub(crate) fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let event = map_each!(&self.inner, fd => ready!(fd.poll_ready(cx, direction))?);
        Poll::Ready(Ok(AsyncFdReadyGuard::new(self, event)))
    }

    /// Waits until the descriptor is ready for any part of `interest`. Any number of tasks may
    /// wait.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let event = map_each!(&self.inner, fd => fd.ready(interest).await?);
        Ok(AsyncFdReadyGuard::new(self, event))
    }

    /// Like [`ready`](Self::ready), with a guard that gives access to `&mut T`.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn ready_mut(
        &mut self,
        interest: Interest,
    ) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        let ready = self.ready(interest).await?.ready();
        Ok(AsyncFdReadyMutGuard::new(self, ready))
    }

    /// Waits until the descriptor is readable. Any number of tasks may wait.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// use anyrt::io::unix::AsyncFd;
    ///
    /// let (mut peer, socket) = UnixStream::pair()?;
    /// socket.set_nonblocking(true)?;
    /// let socket = AsyncFd::new(socket)?;
    /// peer.write_all(b"hello")?;
    ///
    /// let mut buf = [0; 64];
    /// let read = loop {
    ///     let mut guard = socket.readable().await?;
    ///     // Clears the readiness if the read would block; then wait again.
    ///     if let Ok(read) = guard.try_io(|socket| socket.get_ref().read(&mut buf)) {
    ///         break read?;
    ///     }
    /// };
    /// assert_eq!(read, 5);
    /// # Ok(()) });
    /// ```
    pub async fn readable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::READABLE).await
    }

    /// Like [`readable`](Self::readable), with a guard that gives access to `&mut T`.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn readable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::READABLE).await
    }

    /// Waits until the descriptor is writable. Any number of tasks may wait.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn writable(&self) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// Like [`writable`](Self::writable), with a guard that gives access to `&mut T`.
    ///
    /// # Errors
    /// Fails if the runtime has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn writable_mut(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.ready_mut(Interest::WRITABLE).await
    }

    /// Like [`async_io`](Self::async_io), with `&mut T`.
    ///
    /// # Errors
    /// See [`async_io`](Self::async_io).
    ///
    /// # Cancel safety
    /// See [`async_io`](Self::async_io).
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

    /// Like [`try_io`](Self::try_io), with `&mut T`.
    ///
    /// # Errors
    /// See [`try_io`](Self::try_io).
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
}
