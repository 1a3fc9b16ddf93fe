//! Pipes, anonymous and named.
//!
//! [`pipe`] creates both ends of an anonymous pipe, for a child process or between threads.
//! [`OpenOptions`] opens one end of a named pipe (FIFO).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::task::{Context, Poll};

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};

use crate::backend::simulated::check_real;
use crate::io::fd_io::{self, descriptor, try_read, try_write};
use crate::io::unix::AsyncFd;
use crate::io::{Interest, Ready};
use crate::net::halves::{shared_read, shared_write};

/// Creates an anonymous pipe: bytes written to the sender are read from the receiver.
///
/// # Errors
/// Fails if the system's `pipe` does.
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
///
/// let (mut sender, mut receiver) = anyrt::net::unix::pipe::pipe()?;
/// sender.write_all(b"hello").await?;
/// drop(sender);
/// let mut text = String::new();
/// receiver.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(()) });
/// ```
#[track_caller]
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (receiver, sender) = io::pipe()?;
    fd_io::set_nonblocking(&receiver, true)?;
    fd_io::set_nonblocking(&sender, true)?;
    Ok((
        Sender::from_owned_fd_unchecked(sender.into())?,
        Receiver::from_owned_fd_unchecked(receiver.into())?,
    ))
}

/// Options for opening a named pipe.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// Creates the default options: either for reading or for writing, and only if the file is a
    /// pipe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether to open the pipe for both reading and writing; `false` by default.
    ///
    /// If set, opening a sender needs no receiver, and a receiver does not see the end of the
    /// stream when the last sender is closed.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn read_write(&mut self, value: bool) -> &mut Self {
        self.read_write = value;
        self
    }

    /// Sets whether to skip the check that the file is a pipe; `false` by default.
    pub fn unchecked(&mut self, value: bool) -> &mut Self {
        self.unchecked = value;
        self
    }

    /// Opens the read end of the pipe at `path`, without waiting for a sender.
    ///
    /// # Errors
    /// Fails if the system's `open` does, or with [`io::ErrorKind::InvalidInput`] if the file is
    /// not a pipe.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        Receiver::from_file_unchecked(self.open(path.as_ref(), End::Receiver)?)
    }

    /// Opens the write end of the pipe at `path`.
    ///
    /// # Errors
    /// Fails if the system's `open` does, with `ENXIO` if there is no receiver, or with
    /// [`io::ErrorKind::InvalidInput`] if the file is not a pipe.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn open_sender<P: AsRef<Path>>(&self, path: P) -> io::Result<Sender> {
        Sender::from_file_unchecked(self.open(path.as_ref(), End::Sender)?)
    }

    fn open(&self, path: &Path, end: End) -> io::Result<File> {
        let mut options = File::options();
        options
            .read(end == End::Receiver)
            .write(end == End::Sender)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.read_write {
            options.read(true).write(true);
        }
        check_real("a named pipe")?;
        let file = options.open(path)?;
        if !self.unchecked {
            check_pipe(&file)?;
        }
        Ok(file)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Receiver,
    Sender,
}

/// The write end of a pipe.
///
/// A write fails with [`io::ErrorKind::BrokenPipe`] once all receivers are closed.
#[derive(Debug)]
pub struct Sender {
    pub(crate) io: AsyncFd<File>,
}

/// The read end of a pipe.
///
/// The stream ends when the last sender is closed. A named pipe continues when another sender opens
/// it.
#[derive(Debug)]
pub struct Receiver {
    pub(crate) io: AsyncFd<File>,
}

/// Methods of both ends.
macro_rules! end {
    ($end:ident, $interest:ident, $flag:ident) => {
        impl $end {
            /// Converts an open file and sets it to non-blocking mode.
            ///
            /// # Errors
            /// Fails with [`io::ErrorKind::InvalidInput`] if the file is not a pipe, or is open for
            /// the other direction only.
            ///
            /// # Panics
            /// Panics if no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_file(file: File) -> io::Result<Self> {
                Self::from_owned_fd(file.into())
            }

            /// Like [`from_file`](Self::from_file), for a descriptor.
            ///
            /// # Errors
            /// See [`from_file`](Self::from_file).
            ///
            /// # Panics
            /// Panics if no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_owned_fd(owned_fd: OwnedFd) -> io::Result<Self> {
                check_pipe(&owned_fd)?;
                let mode = fcntl_getfl(&owned_fd)? & OFlags::RWMODE;
                if mode != OFlags::$flag && mode != OFlags::RDWR {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        concat!("not in O_", stringify!($flag), " or O_RDWR access mode"),
                    ));
                }
                fd_io::set_nonblocking(&owned_fd, true)?;
                Self::from_owned_fd_unchecked(owned_fd)
            }

            /// Converts an open file, which must be a pipe in non-blocking mode; this is not
            /// checked.
            ///
            /// # Errors
            /// Fails if the socket cannot be registered with the reactor.
            ///
            /// # Panics
            /// Panics if no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_file_unchecked(file: File) -> io::Result<Self> {
                Ok(Self {
                    io: AsyncFd::with_interest(file, Interest::$interest)?,
                })
            }

            /// Like [`from_file_unchecked`](Self::from_file_unchecked), for a descriptor.
            ///
            /// # Errors
            /// Fails if the socket cannot be registered with the reactor.
            ///
            /// # Panics
            /// Panics if no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_owned_fd_unchecked(owned_fd: OwnedFd) -> io::Result<Self> {
                Self::from_file_unchecked(owned_fd.into())
            }

            /// Waits until the pipe is ready for any part of `interest`.
            ///
            /// The readiness may be gone by the next operation, which then returns
            /// [`io::ErrorKind::WouldBlock`].
            ///
            /// # Errors
            /// Fails if the runtime of the pipe has ended.
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                Ok(self.io.ready(interest).await?.ready())
            }

            /// Calls `f`, which makes a system call on this pipe, if the pipe is marked as ready.
            ///
            /// `f` must return [`io::ErrorKind::WouldBlock`] if and only if the pipe is not ready.
            ///
            /// # Errors
            /// Returns [`io::ErrorKind::WouldBlock`] if the pipe is not ready, or else the error of
            /// `f`.
            pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                self.io.try_now(Interest::$interest, |_| f())
            }

            /// Returns the descriptor in blocking mode, as other programs expect it.
            ///
            /// # Errors
            /// Fails if the system's `fcntl` does.
            pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
                let fd = self.into_nonblocking_fd()?;
                fd_io::set_nonblocking(&fd, false)?;
                Ok(fd)
            }

            /// Returns the descriptor in non-blocking mode.
            ///
            /// # Errors
            /// Never fails; the signature is Tokio's.
            pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
                Ok(self.io.into_inner().into())
            }
        }

        descriptor!($end: |end| end.io.get_ref().as_fd());
    };
}

end!(Sender, WRITABLE, WRONLY);
end!(Receiver, READABLE, RDONLY);

impl Sender {
    /// Waits until there is room to write, or all receivers are closed.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for room to write. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx).map_ok(drop)
    }
}

impl Receiver {
    /// Waits until data is available, or all senders are closed.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Polls for available data. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(cx).map_ok(drop)
    }
}

try_read!(Receiver);
try_write!(
    Sender,
    "Writes as many bytes as fit. Up to `PIPE_BUF` bytes are written as a whole or not at all."
);
shared_read!(Receiver: |receiver| receiver.io);
// Shutting it down does nothing: dropping the sender ends the stream.
shared_write!(Sender: |sender| sender.io, |_sender| Ok(()));

fn check_pipe(fd: impl AsFd) -> io::Result<()> {
    if FileType::from_raw_mode(fstat(fd)?.st_mode) != FileType::Fifo {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a pipe"));
    }
    Ok(())
}
