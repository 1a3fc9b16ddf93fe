//! Operations of sockets that do not wait, and their options.
//!
//! The operations here complete at once or fail with [`io::ErrorKind::WouldBlock`]. Together with
//! [`Readiness`] they are the building blocks of operations that wait.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Duration;

use crate::readiness::Readiness;

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

    /// Like [`read_now`](Self::read_now), into several buffers, one after the other.
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

    /// Like [`write_now`](Self::write_now), from several buffers in one call.
    ///
    /// # Errors
    /// See [`write_now`](Self::write_now).
    fn write_vectored_now(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
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
