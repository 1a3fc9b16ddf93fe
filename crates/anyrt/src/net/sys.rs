//! The system calls of sockets that are ready, the same for all backends.
//!
//! They never raise `SIGPIPE`.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::SocketAddr;

use anyrt_core::readiness::{Interest, Readiness};
use rustix::net::{RecvFlags, SendFlags};
use socket2::SockRef;

#[cfg(not(any(target_vendor = "apple", windows)))]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
// There it is an option of the socket.
#[cfg(any(target_vendor = "apple", windows))]
const NO_SIGNAL: SendFlags = SendFlags::empty();

#[cfg(unix)]
pub(super) use crate::io::fd_io::check_nonblocking;

/// The system does not tell.
#[cfg(not(unix))]
pub(super) fn check_nonblocking<S>(_: &S) -> io::Result<()> {
    Ok(())
}

pub(super) fn recv(socket: &SockRef<'_>, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
    let (len, _) = rustix::net::recv(&**socket, buf, flags)?;
    Ok(len)
}

pub(super) fn recv_from(
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

pub(super) fn recv_vectored(
    socket: &SockRef<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    (&**socket).read_vectored(bufs)
}

pub(super) fn send(socket: &SockRef<'_>, buf: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(&**socket, buf, NO_SIGNAL)?)
}

pub(super) fn send_to(socket: &SockRef<'_>, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
    Ok(rustix::net::sendto(&**socket, buf, NO_SIGNAL, &target)?)
}

#[cfg(windows)]
pub(super) fn send_vectored(socket: &SockRef<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    io::Write::write_vectored(&mut &**socket, bufs)
}

#[cfg(not(windows))]
pub(super) fn send_vectored(socket: &SockRef<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut nothing = rustix::net::SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(
        &**socket,
        bufs,
        &mut nothing,
        NO_SIGNAL,
    )?)
}

/// Has `operation` done if it need not wait.
///
/// With `untold` it is tried even if nobody has said that the socket is ready.
pub(super) fn try_now<R>(
    untold: bool,
    socket: &impl Readiness,
    interest: Interest,
    mut operation: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    let mut tried = !untold;
    let result = socket.try_io(interest, || {
        tried = true;
        operation()
    });
    if tried { result } else { operation() }
}

/// Gives a socket its descriptor, or what Windows has instead.
macro_rules! descriptor {
    ($($socket:ident)*) => {$(
        #[cfg(unix)]
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                each!(&self.inner, socket => socket.as_fd())
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsFd::as_fd(self).as_raw_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                each!(&self.inner, socket => socket.as_socket())
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $socket {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                std::os::windows::io::AsSocket::as_socket(self).as_raw_socket()
            }
        }

        impl TryFrom<std::net::$socket> for $socket {
            type Error = std::io::Error;

            /// As [`from_std`](Self::from_std).
            fn try_from(socket: std::net::$socket) -> Result<Self, Self::Error> {
                Self::from_std(socket)
            }
        }
    )*};
}
pub(super) use descriptor;

/// Methods that read or write an option of the socket, the same for all backends.
macro_rules! options {
    ($($(#[$attribute:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $option:ident;)*) => {$(
        $(#[$attribute])*
        ///
        /// # Errors
        /// As the system's `getsockopt` or `setsockopt`.
        pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
            self.socket().$option($($argument),*)
        }
    )*};
}
pub(super) use options;
