//! Operations of sockets that do not wait, and their options.
//!
//! The required operations complete at once or fail with [`io::ErrorKind::WouldBlock`]. Together with
//! [`Readiness`] they are the building blocks of the provided ones, which wait or use the readiness.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::readiness::{Direction, Interest, Readiness};

/// A pending error can be received as well.
const RECEIVE: Interest = Interest::READABLE.add(Interest::ERROR);

/// The operations of a connected stream that never wait.
///
/// # For implementors
/// A socket of the operating system gets them through [`SystemSocket`](super::SystemSocket). They
/// must neither use nor change the state of [`Readiness`]; the callers `try_io` and `poll_io` do.
pub trait StreamNow: Readiness + SocketOptions {
    /// Reads the available data without waiting. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if no data is available, or the error of the
    /// connection.
    fn read_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Like [`read_now`](Self::read_now), into several buffers, one after the other. If there are
    /// more than the system takes in one call, the rest is left empty.
    ///
    /// # Errors
    /// See [`read_now`](Self::read_now).
    fn read_vectored_now(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

    /// Like [`read_now`](Self::read_now), without consuming the data.
    ///
    /// # Errors
    /// See [`read_now`](Self::read_now).
    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes as many bytes as fit. Never raises `SIGPIPE`.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or the error of the connection.
    fn write_now(&self, buf: &[u8]) -> io::Result<usize>;

    /// Like [`write_now`](Self::write_now), from several buffers in one call. Of more buffers than
    /// the system takes, it writes the first ones.
    ///
    /// # Errors
    /// See [`write_now`](Self::write_now).
    fn write_vectored_now(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Reads the available data without waiting. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// See [`read_now`](Self::read_now).
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.read_now(buf))
    }

    /// Like [`try_read`](Self::try_read), into several buffers, one after the other.
    ///
    /// # Errors
    /// See [`read_now`](Self::read_now).
    fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.read_vectored_now(bufs))
    }

    /// Writes as many bytes as fit, without waiting.
    ///
    /// # Errors
    /// See [`write_now`](Self::write_now).
    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_now(Interest::WRITABLE, || self.write_now(buf))
    }

    /// Like [`try_write`](Self::try_write), from several buffers in one call.
    ///
    /// # Errors
    /// See [`write_now`](Self::write_now).
    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_now(Interest::WRITABLE, || self.write_vectored_now(bufs))
    }

    /// Polls for data and copies it without consuming it. Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the runtime has ended, or with the error of the connection.
    fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Read, || self.peek_now(buf))
    }
}

/// The operations of a datagram socket that never wait.
///
/// # For implementors
/// See [`StreamNow`]. Bytes that do not fit into a buffer are discarded, even if the buffer is
/// empty.
pub trait DatagramNow: Readiness + SocketOptions {
    /// Receives a datagram from the peer.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if none is available, or the pending error of the
    /// socket.
    fn recv_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Receives a datagram and its sender.
    ///
    /// # Errors
    /// See [`recv_now`](Self::recv_now).
    fn recv_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Like [`recv_now`](Self::recv_now), without consuming the datagram.
    ///
    /// # Errors
    /// See [`recv_now`](Self::recv_now).
    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Like [`recv_from_now`](Self::recv_from_now), without consuming the datagram.
    ///
    /// # Errors
    /// See [`recv_now`](Self::recv_now).
    fn peek_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Sends a datagram to the peer.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or fails if the system's `send`
    /// does.
    fn send_now(&self, buf: &[u8]) -> io::Result<usize>;

    /// Sends a datagram to `target`.
    ///
    /// # Errors
    /// See [`send_now`](Self::send_now).
    fn send_to_now(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize>;

    /// Sends a datagram to the peer without waiting.
    ///
    /// # Errors
    /// See [`send_now`](Self::send_now).
    fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_now(Interest::WRITABLE, || self.send_now(buf))
    }

    /// Sends a datagram to `target` without waiting.
    ///
    /// # Errors
    /// See [`send_now`](Self::send_now).
    fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.try_now(Interest::WRITABLE, || self.send_to_now(buf, target))
    }

    /// Polls to send a datagram to the peer. Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the runtime has ended, or if the system's `send` does.
    fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Write, || self.send_now(buf))
    }

    /// Polls to send a datagram to `target`. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`poll_send`](Self::poll_send).
    fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Write, || self.send_to_now(buf, target))
    }

    /// Receives a datagram from the peer without waiting.
    ///
    /// # Errors
    /// See [`recv_now`](Self::recv_now).
    fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.recv_now(buf))
    }

    /// Receives a datagram and its sender without waiting.
    ///
    /// # Errors
    /// See [`recv_now`](Self::recv_now).
    fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_now(Interest::READABLE, || self.recv_from_now(buf))
    }

    /// Polls for a datagram from the peer. Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the runtime has ended, or with the pending error of the socket.
    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Read, || self.recv_now(buf))
    }

    /// Polls for a datagram and its sender. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`poll_recv`](Self::poll_recv).
    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.poll_io(cx, Direction::Read, || self.recv_from_now(buf))
    }

    /// Like [`try_recv`](Self::try_recv), without consuming the datagram.
    ///
    /// # Errors
    /// See [`recv_now`](Self::recv_now).
    fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_now(Interest::READABLE, || self.peek_now(buf))
    }

    /// Like [`try_recv_from`](Self::try_recv_from), without consuming the datagram.
    ///
    /// # Errors
    /// See [`recv_now`](Self::recv_now).
    fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_now(Interest::READABLE, || self.peek_from_now(buf))
    }

    /// Like [`poll_recv`](Self::poll_recv), without consuming the datagram.
    ///
    /// # Errors
    /// See [`poll_recv`](Self::poll_recv).
    fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_io(cx, Direction::Read, || self.peek_now(buf))
    }

    /// Like [`poll_recv_from`](Self::poll_recv_from), without consuming the datagram.
    ///
    /// # Errors
    /// See [`poll_recv`](Self::poll_recv).
    fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.poll_io(cx, Direction::Read, || self.peek_from_now(buf))
    }

    /// Receives a datagram from the peer without consuming it. Any number of tasks may wait.
    ///
    /// # Errors
    /// See [`poll_recv`](Self::poll_recv).
    ///
    /// # Cancel safety
    /// Cancel-safe: no data is consumed.
    fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        self.async_io(RECEIVE, || self.peek_now(buf))
    }

    /// Receives a datagram and its sender without consuming it. Any number of tasks may wait.
    ///
    /// # Errors
    /// See [`poll_recv`](Self::poll_recv).
    ///
    /// # Cancel safety
    /// Cancel-safe: no data is consumed.
    fn peek_from(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
        self.async_io(RECEIVE, || self.peek_from_now(buf))
    }
}

/// The options that every kind of socket has.
pub trait SocketOptions {
    /// Returns the number of hops that a packet may take.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    fn ttl(&self) -> io::Result<u32>;

    /// Sets the number of hops that a packet may take.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;

    /// Returns how long closing the socket waits for unsent data.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    fn linger(&self) -> io::Result<Option<Duration>>;

    /// Sets how long closing the socket waits for unsent data. [`Duration::ZERO`] resets the
    /// connection.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    fn set_linger(&self, linger: Option<Duration>) -> io::Result<()>;

    /// Returns and clears the pending error of the socket, if any.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    fn take_error(&self) -> io::Result<Option<io::Error>>;
}
