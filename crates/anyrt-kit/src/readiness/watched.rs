//! What a poller watches, and how its operations wait.

use std::io;
use std::task::{Context, Poll};

use anyrt_core::readiness::{Direction, Interest};

use super::source::{Event, Run, Source, unclosed};

/// What one waits for to read from a socket: an error, too, is something to read.
pub const READ: Interest = Interest::READABLE.add(Interest::ERROR);
/// What one waits for to write to a socket.
pub const WRITE: Interest = Interest::WRITABLE.add(Interest::ERROR);

/// For runtime authors: who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiter {
    /// The task that polled a direction last; no other one is woken.
    Last,
    /// One of any number of futures, in whatever tasks.
    OneOfMany,
}

/// For runtime authors: an object of the system with its readiness, which is what a poller brings
/// for [`AsyncFd`] and for the sockets of [`net`](crate::net).
///
/// [`AsyncFd`]: super::AsyncFd
pub trait Watched {
    /// The object.
    type Inner;

    /// Whether the poller tells the source of each event, asked or not. If not, it tells only of
    /// what was asked for with [`bind`](Self::bind); then each poll begins with an attempt, since
    /// what is known may be out of date.
    const EDGE_TRIGGERED: bool;

    /// Returns the object.
    fn get_ref(&self) -> &Self::Inner;

    /// Deregisters the descriptor and returns the wrapped value.
    ///
    /// # Errors
    /// Fails if the poller cannot forget the object.
    fn into_inner(self) -> io::Result<Self::Inner>;

    /// Returns what is known of its readiness.
    fn source(&self) -> &Source;

    /// Makes a poller tell the source of `interest`. Returns whether it is another poller than
    /// before, of which an event may have been missed.
    ///
    /// # Errors
    /// Fails if the poller does not take the object.
    fn bind(&self, interest: Interest, waiter: Waiter) -> io::Result<bool>;
}

/// For runtime authors: runs `operation` until it fails with something else than
/// [`io::ErrorKind::WouldBlock`] or succeeds, and waits in between; of several tasks that poll in
/// `direction`, the last one is woken.
///
/// # Errors
/// Those of `operation`; one of kind `Other` if it has to wait and the runtime has ended.
#[inline]
pub fn poll_io<W: Watched, R>(
    io: &W,
    cx: &mut Context<'_>,
    direction: Direction,
    operation: impl FnMut(&W::Inner) -> io::Result<R>,
) -> Poll<io::Result<R>> {
    poll_until(io, cx, direction, operation, |_| false)
}

/// For runtime authors: as [`poll_io`], for a byte stream. `operation` moved all that there was, or
/// all that there was room for, if it moved less than `len`; then the next one need not try in
/// vain.
///
/// # Errors
/// See [`poll_io`].
#[inline]
pub fn poll_bytes<W: Watched>(
    io: &W,
    cx: &mut Context<'_>,
    direction: Direction,
    len: usize,
    operation: impl FnMut(&W::Inner) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    poll_until(io, cx, direction, operation, |&moved| {
        W::EDGE_TRIGGERED && 0 < moved && moved < len
    })
}

#[inline]
fn poll_until<W: Watched, R>(
    io: &W,
    cx: &mut Context<'_>,
    direction: Direction,
    mut operation: impl FnMut(&W::Inner) -> io::Result<R>,
    exhausted: impl FnOnce(&R) -> bool,
) -> Poll<io::Result<R>> {
    let interest = match direction {
        Direction::Read => READ,
        Direction::Write => WRITE,
    };
    if !W::EDGE_TRIGGERED {
        // Where both ends are in one task, what is waited for is often there when another part of
        // the task has run, and to wait takes more system calls than to try.
        io.source().assume(unclosed(direction.interest()));
    }
    io.source().poll(
        cx,
        direction,
        interest,
        || io.bind(interest, Waiter::Last),
        |_: Event| operation(io.get_ref()),
        exhausted,
    )
}

/// For runtime authors: as [`poll_io`], as a future of which there may be any number.
///
/// # Cancel safety
/// Cancel-safe if a call of `operation` that fails has no effect.
pub fn run<W: Watched, R>(
    io: &W,
    interest: Interest,
    mut operation: impl FnMut(&W::Inner) -> io::Result<R>,
) -> Run<'_, impl FnMut() -> io::Result<bool>, impl FnMut(Event) -> io::Result<R>> {
    let bind = move || io.bind(interest, Waiter::OneOfMany);
    io.source()
        .run(interest, bind, move |_| operation(io.get_ref()))
}
