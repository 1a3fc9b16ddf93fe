//! Pipes, those that have a name among them.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use bytes::BufMut;
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};

use crate::io::bridge::{futures_read, futures_write};
use crate::io::fd_io;
use crate::io::read_buf::read_buf;
use crate::io::unix::AsyncFd;
use crate::io::{Interest, Ready};

/// A pipe without a name: what is written to the sender is read from the receiver.
///
/// # Errors
/// As the system's `pipe`.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
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

/// How to open a pipe that has a name.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// The defaults: for reading or writing alone, and only a pipe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to open it for reading and writing at once.
    ///
    /// Then opening a sender needs no receiver, and a receiver comes to no end when the last sender goes.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn read_write(&mut self, value: bool) -> &mut Self {
        self.read_write = value;
        self
    }

    /// Whether to take it for granted that the file is a pipe.
    pub fn unchecked(&mut self, value: bool) -> &mut Self {
        self.unchecked = value;
        self
    }

    /// Opens the reading end of the pipe at `path`; it does not wait for a sender.
    ///
    /// # Errors
    /// As the system's `open`; [`io::ErrorKind::InvalidInput`] when the file is no pipe.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        Receiver::from_file_unchecked(self.open(path.as_ref(), End::Receiver)?)
    }

    /// Opens the writing end of the pipe at `path`.
    ///
    /// # Errors
    /// As the system's `open`, which is `ENXIO` when nobody reads; [`io::ErrorKind::InvalidInput`] when the file is
    /// no pipe.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
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

/// The writing end of a pipe.
///
/// When nobody reads any more, a write is [`io::ErrorKind::BrokenPipe`].
#[derive(Debug)]
pub struct Sender {
    io: AsyncFd<File>,
}

/// The reading end of a pipe.
///
/// It comes to the end when the last sender is gone; a pipe with a name goes on when another sender opens it.
#[derive(Debug)]
pub struct Receiver {
    io: AsyncFd<File>,
}

/// What both ends can do.
macro_rules! end {
    ($end:ident, $interest:expr, $flag:expr, $modes:literal) => {
        impl $end {
            /// Takes over an open file, and makes it non-blocking.
            ///
            /// # Errors
            /// [`io::ErrorKind::InvalidInput`] when it is no pipe, or opened for the other direction alone.
            ///
            /// # Panics
            /// When no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_file(file: File) -> io::Result<Self> {
                Self::from_owned_fd(file.into())
            }

            /// As [`from_file`](Self::from_file), of a descriptor.
            ///
            /// # Errors
            /// As [`from_file`](Self::from_file).
            ///
            /// # Panics
            /// When no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_owned_fd(owned_fd: OwnedFd) -> io::Result<Self> {
                check_pipe(&owned_fd)?;
                let mode = fcntl_getfl(&owned_fd)? & OFlags::RWMODE;
                if mode != $flag && mode != OFlags::RDWR {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        concat!("not in ", $modes, " access mode"),
                    ));
                }
                fd_io::set_nonblocking(&owned_fd, true)?;
                Self::from_owned_fd_unchecked(owned_fd)
            }

            /// Takes over an open file, which is taken for a non-blocking pipe.
            ///
            /// # Errors
            /// As the reactor refuses it.
            ///
            /// # Panics
            /// When no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_file_unchecked(file: File) -> io::Result<Self> {
                Ok(Self {
                    io: AsyncFd::with_interest(file, $interest)?,
                })
            }

            /// As [`from_file_unchecked`](Self::from_file_unchecked), of a descriptor.
            ///
            /// # Errors
            /// As the reactor refuses it.
            ///
            /// # Panics
            /// When no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_owned_fd_unchecked(owned_fd: OwnedFd) -> io::Result<Self> {
                Self::from_file_unchecked(owned_fd.into())
            }

            /// Waits until the pipe is ready for something of `interest`.
            ///
            /// What is told may be over by the next attempt, which then is [`io::ErrorKind::WouldBlock`].
            ///
            /// # Errors
            /// When the runtime of the pipe has ended.
            ///
            /// # Cancel safety
            /// Changes nothing.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                Ok(self.io.ready(interest).await?.ready())
            }

            /// Runs `f`, a system call on this pipe, if the pipe is known to be ready.
            ///
            /// `f` gives [`io::ErrorKind::WouldBlock`] when the pipe is not ready, and only then.
            ///
            /// # Errors
            /// [`io::ErrorKind::WouldBlock`] when the pipe is not ready; those of `f`.
            pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
                self.io.try_now($interest, |_| f())
            }

            /// The descriptor, made blocking, as other programs expect theirs.
            ///
            /// # Errors
            /// As the system's `fcntl`.
            pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
                let fd = self.into_nonblocking_fd()?;
                fd_io::set_nonblocking(&fd, false)?;
                Ok(fd)
            }

            /// The descriptor, still non-blocking.
            ///
            /// # Errors
            /// Never; the signature is Tokio's.
            pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
                Ok(self.io.into_inner().into())
            }
        }

        impl AsRawFd for $end {
            fn as_raw_fd(&self) -> RawFd {
                self.io.get_ref().as_raw_fd()
            }
        }

        impl AsFd for $end {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.io.get_ref().as_fd()
            }
        }
    };
}

end!(
    Sender,
    Interest::WRITABLE,
    OFlags::WRONLY,
    "O_WRONLY or O_RDWR"
);
end!(
    Receiver,
    Interest::READABLE,
    OFlags::RDONLY,
    "O_RDONLY or O_RDWR"
);

impl Sender {
    /// Waits until there is room to write, or nobody reads any more.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for room to write; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx).map_ok(drop)
    }

    /// Writes what there is room for; what fits into `PIPE_BUF` is written as a whole or not at all.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; those of the system.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |mut pipe| pipe.write(buf))
    }

    /// Writes what there is room for, of several buffers in one system call.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |mut pipe| pipe.write_vectored(buf))
    }
}

impl Receiver {
    /// Waits until there is something to read, or nobody writes any more.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Polls for something to read; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(cx).map_ok(drop)
    }

    /// Reads what is there; nothing when nobody writes any more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; those of the system.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |mut pipe| pipe.read(buf))
    }

    /// Reads what is there into several buffers, one after the other.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |mut pipe| pipe.read_vectored(bufs))
    }

    /// Reads what is there, to the end of `buf`.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_now(Interest::READABLE, |mut pipe| {
            read_buf(buf, |room| pipe.read(room))
        })
    }
}

impl AsyncWrite for Sender {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        fd_io::poll_write(&self.io, cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        fd_io::poll_write_vectored(&self.io, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: the end is told by dropping the sender.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        fd_io::poll_read(&self.io, cx, buf)
    }
}

futures_read!(Receiver);
futures_write!(Sender);

fn check_pipe(fd: impl AsFd) -> io::Result<()> {
    if FileType::from_raw_mode(fstat(fd)?.st_mode) != FileType::Fifo {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a pipe"));
    }
    Ok(())
}
