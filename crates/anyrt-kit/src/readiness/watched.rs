//! Watched objects, and how their operations wait.

use std::io;
use std::task::{Context, Poll};

use anyrt_core::readiness::{Direction, Interest};

use super::failure::Failure;
use super::source::{Event, Run, Source, Start, unclosed};

/// The interest of reading from a socket. A pending error counts as readable.
pub const READ: Interest = Interest::READABLE.add(Interest::ERROR);
/// The interest of writing to a socket.
pub const WRITE: Interest = Interest::WRITABLE.add(Interest::ERROR);

/// For runtime authors: the kind of waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiter {
    /// The task that polled a direction last. Only this task is woken.
    Last,
    /// One of any number of futures, in any tasks.
    OneOfMany,
}

/// For runtime authors: an object of the system with its readiness. A poller implements it for
/// [`AsyncFd`] and for the sockets of [`net`](crate::net).
///
/// [`AsyncFd`]: super::AsyncFd
pub trait Watched {
    /// The object.
    type Inner;

    /// Whether the poller reports every event to the source. If not, it reports only events that
    /// were requested with [`bind`](Self::bind), and each poll begins with an attempt, because the
    /// known state may be stale.
    const EDGE_TRIGGERED: bool;

    /// Returns the object.
    fn get_ref(&self) -> &Self::Inner;

    /// Deregisters the descriptor and returns the wrapped value.
    ///
    /// # Errors
    /// Fails if the poller cannot deregister the object.
    fn into_inner(self) -> io::Result<Self::Inner>;

    /// Returns the state of its readiness.
    fn source(&self) -> &Source;

    /// Makes a poller report `interest` to the source. Returns `true` if the poller has changed, so
    /// that an event may have been missed.
    ///
    /// # Errors
    /// Fails if the poller rejects the object.
    fn bind(&self, interest: Interest, waiter: Waiter) -> io::Result<bool>;
}

/// For runtime authors: calls `operation` until it returns anything but
/// [`io::ErrorKind::WouldBlock`], and waits in between. Only the task that polled last in
/// `direction` is woken.
///
/// # Errors
/// Returns the error of `operation`, or fails with kind `Other` if it has to wait and the runtime
/// has ended.
#[inline]
pub fn poll_io<W: Watched, R, E: Failure>(
    io: &W,
    cx: &mut Context<'_>,
    direction: Direction,
    operation: impl FnMut(&W::Inner) -> Result<R, E>,
) -> Poll<io::Result<R>> {
    poll_until(io, cx, direction, operation, |_| false)
}

/// For runtime authors: like [`poll_io`], for a byte stream. If `operation` moved fewer than `len`
/// bytes, nothing is left to move, and the readiness is cleared to save a futile attempt.
///
/// # Errors
/// See [`poll_io`].
#[inline]
pub fn poll_bytes<W: Watched, E: Failure>(
    io: &W,
    cx: &mut Context<'_>,
    direction: Direction,
    len: usize,
    operation: impl FnMut(&W::Inner) -> Result<usize, E>,
) -> Poll<io::Result<usize>> {
    poll_until(io, cx, direction, operation, |&moved| {
        W::EDGE_TRIGGERED && 0 < moved && moved < len
    })
}

#[inline]
fn poll_until<W: Watched, R, E: Failure>(
    io: &W,
    cx: &mut Context<'_>,
    direction: Direction,
    mut operation: impl FnMut(&W::Inner) -> Result<R, E>,
    exhausted: impl Fn(&R) -> bool,
) -> Poll<io::Result<R>> {
    let interest = match direction {
        Direction::Read => READ,
        Direction::Write => WRITE,
    };
    // If both ends are in one task, the data is often there once another part of the task has run,
    // and an attempt takes fewer system calls than a wait.
    let start = match W::EDGE_TRIGGERED {
        true => Start::IfReady,
        false => Start::Attempt,
    };
    let bind = || io.bind(interest, Waiter::Last);
    io.source()
        .poll(cx, direction, interest, start, bind, |event: Event| {
            let result = operation(io.get_ref());
            if result.as_ref().is_ok_and(&exhausted) {
                io.source().clear(event, unclosed(interest));
            }
            result
        })
}

/// For runtime authors: like [`poll_io`], as a future, any number of which may wait.
///
/// # Cancel safety
/// Cancel-safe if a call of `operation` that fails has no effect.
pub fn run<W: Watched, R, E: Failure>(
    io: &W,
    interest: Interest,
    mut operation: impl FnMut(&W::Inner) -> Result<R, E>,
) -> Run<'_, impl FnMut() -> io::Result<bool>, impl FnMut(Event) -> Result<R, E>> {
    let bind = move || io.bind(interest, Waiter::OneOfMany);
    io.source()
        .run(interest, bind, move |_| operation(io.get_ref()))
}
