//! What sockets do without waiting, and what can be set on them.
//!
//! A runtime's own `read`, `send_to` and the like wait. The operations here are what waiting ones are made of, together
//! with [`Readiness`]: they do what can be done at once, and else fail with [`io::ErrorKind::WouldBlock`].

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Duration;

use crate::readiness::Readiness;

/// The operations of a connected stream that never wait.
///
/// # For implementors
/// A socket of the operating system gets them by [`Descriptor`](super::Descriptor). They must not look at what
/// [`Readiness`] has been told, nor change it: `try_io` and `poll_io` around them do.
pub trait StreamNow: Readiness + SocketOptions {
    /// Reads what is there; nothing at the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; those of the connection.
    fn read_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// As [`read_now`](Self::read_now), into several buffers, one after the other.
    ///
    /// # Errors
    /// As [`read_now`](Self::read_now).
    fn read_vectored_now(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

    /// As [`read_now`](Self::read_now), but leaves the bytes there.
    ///
    /// # Errors
    /// As [`read_now`](Self::read_now).
    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes what there is room for. Never raises `SIGPIPE`.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; those of the connection.
    fn write_now(&self, buf: &[u8]) -> io::Result<usize>;

    /// As [`write_now`](Self::write_now), from several buffers in one call.
    ///
    /// # Errors
    /// As [`write_now`](Self::write_now).
    fn write_vectored_now(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// The operations of a datagram socket that never wait.
///
/// # For implementors
/// As for [`StreamNow`]. What does not fit into a buffer is lost, also where the buffer is empty.
pub trait DatagramNow: Readiness + SocketOptions {
    /// Receives one datagram from the peer.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; a pending error of the socket.
    fn recv_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Receives one datagram and its sender.
    ///
    /// # Errors
    /// As [`recv_now`](Self::recv_now).
    fn recv_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// As [`recv_now`](Self::recv_now), but leaves the datagram there.
    ///
    /// # Errors
    /// As [`recv_now`](Self::recv_now).
    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// As [`recv_from_now`](Self::recv_from_now), but leaves the datagram there.
    ///
    /// # Errors
    /// As [`recv_now`](Self::recv_now).
    fn peek_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Sends one datagram to the peer.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; those of the system's `send`.
    fn send_now(&self, buf: &[u8]) -> io::Result<usize>;

    /// Sends one datagram to `target`.
    ///
    /// # Errors
    /// As [`send_now`](Self::send_now).
    fn send_to_now(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize>;
}

/// The options that every kind of socket has.
pub trait SocketOptions {
    /// Returns how many hops a packet may take.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    fn ttl(&self) -> io::Result<u32>;

    /// Sets how many hops a packet may take.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    fn set_ttl(&self, ttl: u32) -> io::Result<()>;

    /// Returns how long closing the socket waits for what is unsent.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    fn linger(&self) -> io::Result<Option<Duration>>;

    /// Sets how long closing the socket waits for what is unsent; with [`Duration::ZERO`] it resets the connection.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    fn set_linger(&self, linger: Option<Duration>) -> io::Result<()>;

    /// Returns the pending error of the socket, and takes it.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    fn take_error(&self) -> io::Result<Option<io::Error>>;
}
