//! The standard streams of a child.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{self, Stdio};

use crate::io::fd_io::{descriptor, set_nonblocking};
use crate::net::halves::{shared_read, shared_write};
use crate::net::unix::pipe::{Receiver, Sender};

/// The standard input of a child. Dropping it closes the pipe; shutting it down does not.
#[derive(Debug)]
pub struct ChildStdin {
    inner: Sender,
}

/// The standard output of a child.
#[derive(Debug)]
pub struct ChildStdout {
    inner: Receiver,
}

/// The standard error of a child.
#[derive(Debug)]
pub struct ChildStderr {
    inner: Receiver,
}

macro_rules! stream {
    ($($stream:ident: $end:ident;)*) => {$(
        impl $stream {
            /// Converts the stream of a std child and sets it to non-blocking mode.
            ///
            /// # Errors
            /// Fails if the socket cannot be registered with the reactor.
            ///
            /// # Panics
            /// Panics if no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_std(inner: process::$stream) -> io::Result<Self> {
                set_nonblocking(&inner, true)?;
                Ok(Self {
                    inner: $end::from_owned_fd_unchecked(inner.into())?,
                })
            }

            /// Returns the descriptor in blocking mode, as other programs expect it.
            ///
            /// # Errors
            /// Fails if the system's `fcntl` does.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                self.inner.into_blocking_fd()
            }
        }

        impl TryFrom<$stream> for Stdio {
            type Error = io::Error;

            /// Converts into a [`Stdio`], to pass it to another child.
            fn try_from(stream: $stream) -> io::Result<Self> {
                Ok(stream.into_owned_fd()?.into())
            }
        }

        descriptor!($stream: |stream| stream.inner.as_fd());
    )*};
}

stream! {
    ChildStdin: Sender;
    ChildStdout: Receiver;
    ChildStderr: Receiver;
}

shared_read!(ChildStdout: |stream| stream.inner.io);
shared_read!(ChildStderr: |stream| stream.inner.io);
// Shutting it down does nothing.
shared_write!(ChildStdin: |stream| stream.inner.io, |_stream| Ok(()));
