//! Sockets of the operating system, whose operations without waiting are the same for all runtimes.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;

use super::{DatagramNow, Net, SocketOptions, StreamNow, TcpStream, UdpSocket};
use crate::readiness::Readiness;

#[cfg(not(any(target_vendor = "apple", windows)))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
// On these systems it is an option of the socket.
#[cfg(any(target_vendor = "apple", windows))]
const NO_SIGNAL: SendFlags = SendFlags::empty();

/// The number of slices that one `sendmsg` takes; more are an error there, and not in `writev`.
#[cfg(not(windows))]
const MAX_SLICES: usize = 1024;

/// Converts sockets of the operating system.
///
/// Not part of [`Runtime`](crate::Runtime), because the sockets of a runtime need not be those of
/// the operating system.
///
/// # For implementors
/// The sockets are already in non-blocking mode. They must be registered with the reactor of
/// `self`, even if the method is called on a thread of another runtime or of none.
pub trait FromStd: Net {
    /// Converts a listening socket in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor.
    fn tcp_listener_from_std(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Self::TcpListener>;

    /// Converts a connected socket in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor.
    fn tcp_stream_from_std(&self, stream: std::net::TcpStream) -> io::Result<Self::TcpStream>;

    /// Converts a bound socket in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor.
    fn udp_socket_from_std(&self, socket: std::net::UdpSocket) -> io::Result<Self::UdpSocket>;
}

/// A socket whose options are those of a socket of the operating system. Gets [`SocketOptions`].
pub trait Descriptor {
    /// Returns the socket, for options and operations that are missing here.
    fn socket(&self) -> SockRef<'_>;

    /// For a network of the runtime's own: called after the linger time was set.
    fn lingers(&self, _linger: Option<Duration>) {}

    /// Implements [`SocketOptions::take_error`].
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    fn pending_error(&self) -> io::Result<Option<io::Error>> {
        self.socket().take_error()
    }
}

/// A socket whose data goes through its [`Descriptor`]. With [`Readiness`] it gets [`StreamNow`] or
/// [`DatagramNow`].
pub trait SystemSocket: Descriptor {}

impl<S: TcpStream + SystemSocket + Readiness> StreamNow for S {
    #[inline]
    fn read_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        recv(&self.socket(), buf, RecvFlags::empty())
    }

    #[cfg(windows)]
    fn read_vectored_now(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        io::Read::read_vectored(&mut &*self.socket(), bufs)
    }

    #[cfg(not(windows))]
    fn read_vectored_now(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Ok(rustix::io::readv(&*self.socket(), bufs)?)
    }

    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        recv(&self.socket(), buf, RecvFlags::PEEK)
    }

    #[inline]
    fn write_now(&self, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&*self.socket(), buf, NO_SIGNAL)?)
    }

    #[cfg(windows)]
    fn write_vectored_now(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        io::Write::write_vectored(&mut &*self.socket(), bufs)
    }

    #[cfg(not(windows))]
    fn write_vectored_now(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut nothing = rustix::net::SendAncillaryBuffer::default();
        let socket = self.socket();
        Ok(rustix::net::sendmsg(
            &*socket,
            &bufs[..bufs.len().min(MAX_SLICES)],
            &mut nothing,
            NO_SIGNAL,
        )?)
    }
}

impl<S: UdpSocket + SystemSocket + Readiness> DatagramNow for S {
    #[inline]
    fn recv_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        recv(&self.socket(), buf, RecvFlags::empty())
    }

    #[inline]
    fn recv_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        recv_from(&self.socket(), buf, RecvFlags::empty())
    }

    fn peek_now(&self, buf: &mut [u8]) -> io::Result<usize> {
        recv(&self.socket(), buf, RecvFlags::PEEK)
    }

    fn peek_from_now(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        recv_from(&self.socket(), buf, RecvFlags::PEEK)
    }

    #[inline]
    fn send_now(&self, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&*self.socket(), buf, NO_SIGNAL)?)
    }

    #[inline]
    fn send_to_now(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        Ok(rustix::net::sendto(
            &*self.socket(),
            buf,
            NO_SIGNAL,
            &target,
        )?)
    }
}

impl<S: Descriptor> SocketOptions for S {
    fn ttl(&self) -> io::Result<u32> {
        self.socket().ttl_v4()
    }

    fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket().set_ttl_v4(ttl)
    }

    fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket().linger()
    }

    fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket().set_linger(linger)?;
        self.lingers(linger);
        Ok(())
    }

    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.pending_error()
    }
}

#[inline]
fn recv(socket: &SockRef<'_>, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    let (len, _) = rustix::net::recv(&**socket, buf, flags)?;
    Ok(len)
}

#[inline]
fn recv_from(
    socket: &SockRef<'_>,
    buf: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, SocketAddr)> {
    let (len, _, sender) = rustix::net::recvfrom(&**socket, buf, flags)?;
    let sender = sender.and_then(|sender| SocketAddr::try_from(sender).ok());
    match sender {
        Some(sender) => Ok((len, sender)),
        None => Err(io::Error::other("sender not available")),
    }
}
