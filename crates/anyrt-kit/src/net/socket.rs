//! What a backend brings for its sockets, and what all of them have in common.

use std::fmt;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd as AsSystem, BorrowedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket as AsSystem, BorrowedSocket};
use std::task::{Context, Poll};

use anyrt_core::net::Descriptor;
use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
use socket2::SockRef;

use crate::readiness::{Watched, run};

/// For runtime authors: what watches sockets.
pub trait Poller: 'static {
    /// A runtime's part of it. Each socket belongs to one; a stream that was accepted, to that of
    /// its listener.
    type Home: Send + Sync + 'static;

    /// A socket that is watched.
    type Watched<T: System>: Watched<Inner = T> + Readiness + fmt::Debug + Send + Sync + Unpin;

    /// Watches a non-blocking socket.
    ///
    /// # Errors
    /// Fails if the poller does not take it, or if the runtime has ended.
    fn watch<T: System>(
        home: &Self::Home,
        socket: T,
        origin: Origin,
    ) -> io::Result<Self::Watched<T>>;

    /// Returns what the socket belongs to.
    fn home<T: System>(socket: &Self::Watched<T>) -> &Self::Home;
}

/// For runtime authors: a socket of the standard library.
pub trait System: AsSystem + fmt::Debug + Send + Sync + Unpin + 'static {}

impl<T: AsSystem + fmt::Debug + Send + Sync + Unpin + 'static> System for T {}

/// For runtime authors: where a socket comes from, which tells what it may be ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From anywhere: nothing is known.
    Anywhere,
    /// From a listener: it can be written, and often there is something to read already.
    Accepted,
    /// It is connecting: there can be nothing to read yet.
    Connecting,
}

/// A socket `T` of the standard library, non-blocking, that `P` watches.
pub struct Socket<P: Poller, T: System> {
    pub(super) io: P::Watched<T>,
}

impl<P: Poller, T: System> Socket<P, T> {
    /// For runtime authors: takes over a non-blocking socket.
    ///
    /// # Errors
    /// Fails if the poller does not take it, or if the runtime has ended.
    pub fn from_std(home: &P::Home, socket: T) -> io::Result<Self> {
        Self::new(home, socket, Origin::Anywhere)
    }

    pub(super) fn new(home: &P::Home, socket: T, origin: Origin) -> io::Result<Self> {
        let io = P::watch(home, socket, origin)?;
        Ok(Self { io })
    }

    /// Converts into the type of std. The socket stays in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the poller cannot forget it.
    pub fn into_std(self) -> io::Result<T> {
        self.io.into_inner()
    }
}

#[cfg(unix)]
impl<P: Poller, T: System> AsSystem for Socket<P, T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get_ref().as_fd()
    }
}

#[cfg(windows)]
impl<P: Poller, T: System> AsSystem for Socket<P, T> {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.io.get_ref().as_socket()
    }
}

impl<P: Poller, T: System> Descriptor for Socket<P, T> {
    #[inline]
    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.io.get_ref())
    }
}

impl<P: Poller, T: System> Readiness for Socket<P, T> {
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
        self.io.ready(interest)
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        self.io.poll_ready(cx, direction)
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.try_io(interest, operation)
    }

    fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        run(&self.io, interest, move |_| operation())
    }
}

impl<P: Poller, T: System> fmt::Debug for Socket<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
