//! The part of sockets that a backend provides, and the part that all sockets share.

use std::fmt;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd as AsSystem, BorrowedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket as AsSystem, BorrowedSocket};
use std::task::{Context, Poll};

use anyrt_core::net::{Descriptor, SystemSocket};
use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
use socket2::SockRef;

use crate::readiness::{Watched, run};

/// For runtime authors: watches sockets.
pub trait Poller: 'static {
    /// The part of one runtime. Each socket belongs to one; an accepted stream belongs to that of
    /// its listener.
    type Home: Send + Sync + 'static;

    /// A watched socket.
    type Watched<T: System>: Watched<Inner = T> + Readiness + fmt::Debug + Send + Sync + Unpin;

    /// Registers a socket in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the poller rejects it, or if the runtime has ended.
    fn watch<T: System>(
        home: &Self::Home,
        socket: T,
        origin: Origin,
    ) -> io::Result<Self::Watched<T>>;

    /// Returns the owner of the socket.
    fn home<T: System>(socket: &Self::Watched<T>) -> &Self::Home;
}

/// For runtime authors: a socket of the standard library.
pub trait System: AsSystem + fmt::Debug + Send + Sync + Unpin + 'static {}

impl<T: AsSystem + fmt::Debug + Send + Sync + Unpin + 'static> System for T {}

/// For runtime authors: the origin of a socket, which implies its initial readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From elsewhere: nothing is known.
    Anywhere,
    /// From a listener: it is writable, and often already readable.
    Accepted,
    /// It is connecting, and cannot be readable yet.
    Connecting,
}

/// A socket `T` of the standard library in non-blocking mode, watched by `P`.
pub struct Socket<P: Poller, T: System> {
    pub(super) io: P::Watched<T>,
}

impl<P: Poller, T: System> Socket<P, T> {
    /// For runtime authors: converts a socket in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the poller rejects it, or if the runtime has ended.
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
    /// Fails if the poller cannot deregister it.
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

impl<P: Poller, T: System> SystemSocket for Socket<P, T> {}

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
