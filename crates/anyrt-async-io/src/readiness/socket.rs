//! Sockets.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Ready};
use anyrt_kit::readiness::{Event, observe};

use super::watch::Watch;
use crate::reactor::Reactor;

/// A socket, watched for reading and writing from the beginning to the end.
pub struct Socket<T: AsFd> {
    watch: Watch,
    // `None` only while it is taken out.
    socket: Option<T>,
}

impl<T: AsFd> Socket<T> {
    /// A non-blocking socket, which is taken for `ready` until someone finds that it is not.
    ///
    /// # Errors
    /// As the system refuses to watch it.
    pub fn new(reactor: &Arc<Reactor>, socket: T, ready: Ready) -> io::Result<Self> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        Ok(Self {
            watch: Watch::start(reactor, socket.as_fd(), interest, ready)?,
            socket: Some(socket),
        })
    }

    /// The socket.
    #[inline]
    pub fn get(&self) -> &T {
        match &self.socket {
            Some(socket) => socket,
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    /// The socket alone, non-blocking as it is.
    ///
    /// # Errors
    /// None; the signature is that of every system.
    pub fn into_inner(mut self) -> io::Result<T> {
        match self.unwatch() {
            Some(socket) => Ok(socket),
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    /// The reactor that watches it.
    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        self.watch.reactor()
    }

    fn unwatch(&mut self) -> Option<T> {
        let socket = self.socket.take()?;
        self.watch.end(socket.as_fd());
        Some(socket)
    }

    /// Runs `operation` whenever the socket is ready, until it gives something else than
    /// [`io::ErrorKind::WouldBlock`]; of several tasks that poll in `direction`, the last one is woken.
    #[inline]
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(cx, direction, operation, |_| false)
    }

    /// As [`poll_io`](Self::poll_io), for a byte stream: an operation on `len` bytes that moved fewer moved all that
    /// there was, or all that there was room for, so the next one need not try in vain.
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
        let (socket, interest) = (self.get(), direction.interest());
        let bind = || self.watch.bind(interest);
        let attempt = |_: Event| operation(socket);
        let source = self.watch.source();
        source.poll(cx, direction, interest, bind, attempt, exhausted)
    }

    /// As [`poll_io`](Self::poll_io), as a future of which there may be any number.
    pub(crate) fn run<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        let bind = move || self.watch.bind(interest);
        let source = self.watch.source();
        source.run(interest, bind, move |_| operation(self.get()))
    }
}

impl<T: AsFd + Send + Sync> readiness::Readiness for Socket<T> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let bind = || self.watch.bind(interest);
        Ok(self.watch.source().wait(interest, bind).await?.ready())
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let interest = direction.interest();
        let bind = || self.watch.bind(interest);
        let source = self.watch.source();
        source
            .poll(cx, direction, interest, bind, observe, |_| false)
            .map_ok(drop)
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.watch.attempt(interest, operation)
    }

    fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.run(interest, move |_| operation())
    }
}

impl<T: AsFd> Drop for Socket<T> {
    fn drop(&mut self) {
        let _ = self.unwatch();
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.get(), f)
    }
}
