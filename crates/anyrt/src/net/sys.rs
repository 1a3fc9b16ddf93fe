//! What the sockets of all backends share.

use std::io;

use anyrt_core::readiness::{Interest, Readiness};

#[cfg(unix)]
pub(super) use crate::io::fd_io::check_nonblocking;

/// The system does not report it.
#[cfg(not(unix))]
pub(super) fn check_nonblocking<S>(_: &S) -> io::Result<()> {
    Ok(())
}

/// Runs `operation` if it does not have to wait.
///
/// With `untold`, it is attempted even without a readiness event.
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

/// Implements access to the descriptor of a socket, or to the handle on Windows.
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

            /// See [`from_std`](Self::from_std).
            fn try_from(socket: std::net::$socket) -> Result<Self, Self::Error> {
                Self::from_std(socket)
            }
        }
    )*};
}
pub(super) use descriptor;

/// Methods for an option that every kind of socket has, even one that the system does not know.
macro_rules! own_options {
    ($($(#[$attribute:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        $(#[$attribute])*
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` or `setsockopt` does.
        pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
            each!(&self.inner, socket => SocketOptions::$name(socket, $($argument),*))
        }
    )*};
}
pub(super) use own_options;

/// Methods that read or write a socket option, the same for all backends.
macro_rules! options {
    ($($(#[$attribute:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $option:ident;)*) => {$(
        $(#[$attribute])*
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` or `setsockopt` does.
        pub fn $name(&self, $($argument: $type),*) -> io::Result<$result> {
            self.socket().$option($($argument),*)
        }
    )*};
}
pub(super) use options;
