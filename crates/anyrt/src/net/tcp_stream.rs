//! TCP streams and their halves.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};

use anyrt_core::Net;
use anyrt_core::TcpStream as _;
use anyrt_core::net::ToSocketAddrs;

use crate::backend::{Each, async_std, each, glommio, smol, tokio};
use crate::runtime::Handle;

/// The halves belong to different streams. They come back.
pub type ReuniteError = anyrt_core::error::ReuniteError<OwnedReadHalf, OwnedWriteHalf>;

/// A connection.
///
/// It implements the I/O traits of Tokio ([`io`](crate::io)) and of `futures_io`. Shutting it down sends FIN: the
/// peer reads to the end, and this side can still read.
///
/// # Examples
/// ```no_run
/// use anyrt::io::AsyncWriteExt;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut stream = anyrt::net::TcpStream::connect("127.0.0.1:7000").await?;
/// stream.write_all(b"hello").await?;
/// # Ok(()) }
/// ```
pub struct TcpStream {
    pub(super) inner: Each<
        tokio::net::TcpStream,
        smol::net::TcpStream,
        async_std::net::TcpStream,
        glommio::net::TcpStream,
    >,
}

impl TcpStream {
    /// Connects to the first of `address`'s addresses that answers.
    ///
    /// # Errors
    /// The error of the last address, or of the resolution; [`io::ErrorKind::InvalidInput`] when there is no
    /// address at all.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropping it closes the half-open connection.
    pub async fn connect<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        Handle::current().connect_tcp(address).await
    }

    /// Takes over a connected socket, which must be non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses it.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        Handle::current().tcp_stream_from_std(stream)
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// As the system's `getpeername`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        each!(&self.inner, stream => stream.peer_addr())
    }

    /// The address of this side.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(&self.inner, stream => stream.local_addr())
    }

    /// Whether small writes leave at once (`TCP_NODELAY`); they do not unless set.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    pub fn nodelay(&self) -> io::Result<bool> {
        each!(&self.inner, stream => stream.nodelay())
    }

    /// Makes small writes leave at once.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        each!(&self.inner, stream => stream.set_nodelay(nodelay))
    }

    /// Waits for data and copies it without taking it; gives the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// As the system's `recv`.
    ///
    /// # Cancel safety
    /// Takes nothing, whenever it is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        each!(&self.inner, stream => stream.peek(buf).await)
    }

    /// Two halves that can live in two tasks. Dropping the writing half sends FIN.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let (read, write) = match self.inner {
            Each::Tokio(stream) => {
                let (read, write) = stream.into_split();
                (Each::Tokio(read), Each::Tokio(write))
            }
            Each::Smol(stream) => {
                let (read, write) = stream.into_split();
                (Each::Smol(read), Each::Smol(write))
            }
            Each::AsyncStd(stream) => {
                let (read, write) = stream.into_split();
                (Each::AsyncStd(read), Each::AsyncStd(write))
            }
            Each::Glommio(stream) => {
                let (read, write) = stream.into_split();
                (Each::Glommio(read), Each::Glommio(write))
            }
        };
        (
            OwnedReadHalf { inner: read },
            OwnedWriteHalf { inner: write },
        )
    }
}

impl anyrt_core::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf;
    type OwnedWriteHalf = OwnedWriteHalf;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        each!(&self.inner, stream => stream.shutdown(how))
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.peek(buf).await
    }

    fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }

    fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<Self, ReuniteError> {
        read.reunite(write)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, stream => fmt::Debug::fmt(stream, f))
    }
}

type ReadHalf<S> = <S as anyrt_core::TcpStream>::OwnedReadHalf;
type WriteHalf<S> = <S as anyrt_core::TcpStream>::OwnedWriteHalf;

/// The reading half of a [`TcpStream`]. Dropping it alone does nothing to the connection.
pub struct OwnedReadHalf {
    pub(super) inner: Each<
        ReadHalf<tokio::net::TcpStream>,
        ReadHalf<smol::net::TcpStream>,
        ReadHalf<async_std::net::TcpStream>,
        ReadHalf<glommio::net::TcpStream>,
    >,
}

/// The writing half of a [`TcpStream`]. Dropping it sends FIN.
pub struct OwnedWriteHalf {
    pub(super) inner: Each<
        WriteHalf<tokio::net::TcpStream>,
        WriteHalf<smol::net::TcpStream>,
        WriteHalf<async_std::net::TcpStream>,
        WriteHalf<glommio::net::TcpStream>,
    >,
}

impl OwnedReadHalf {
    /// The stream that the halves came from.
    ///
    /// # Errors
    /// The halves, when they are not of one stream.
    pub fn reunite(self, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        /// In terms of the facade's halves.
        fn wrong<R, W>(
            error: anyrt_core::error::ReuniteError<R, W>,
            read: impl FnOnce(R) -> OwnedReadHalf,
            write: impl FnOnce(W) -> OwnedWriteHalf,
        ) -> ReuniteError {
            anyrt_core::error::ReuniteError(read(error.0), write(error.1))
        }
        macro_rules! reunite {
            ($stream:ty, $variant:path, $read:ident, $write:ident) => {
                match <$stream>::reunite($read, $write) {
                    Ok(stream) => Ok(TcpStream {
                        inner: $variant(stream),
                    }),
                    Err(error) => Err(wrong(
                        error,
                        |half| OwnedReadHalf {
                            inner: $variant(half),
                        },
                        |half| OwnedWriteHalf {
                            inner: $variant(half),
                        },
                    )),
                }
            };
        }
        match (self.inner, write.inner) {
            (Each::Tokio(r), Each::Tokio(w)) => {
                reunite!(tokio::net::TcpStream, Each::Tokio, r, w)
            }
            (Each::Smol(r), Each::Smol(w)) => {
                reunite!(smol::net::TcpStream, Each::Smol, r, w)
            }
            (Each::AsyncStd(r), Each::AsyncStd(w)) => {
                reunite!(async_std::net::TcpStream, Each::AsyncStd, r, w)
            }
            (Each::Glommio(r), Each::Glommio(w)) => {
                reunite!(glommio::net::TcpStream, Each::Glommio, r, w)
            }
            (read, write) => Err(anyrt_core::error::ReuniteError(
                Self { inner: read },
                OwnedWriteHalf { inner: write },
            )),
        }
    }
}

impl OwnedWriteHalf {
    /// The stream that the halves came from.
    ///
    /// # Errors
    /// The halves, when they are not of one stream.
    pub fn reunite(self, read: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        read.reunite(self)
    }

    /// Drops the half without telling the peer; the connection ends with the reading half.
    pub fn forget(self) {
        each!(self.inner, half => half.forget());
    }
}

macro_rules! half {
    ($($half:ident)*) => {$(
        impl $half {
            /// The address of the other side.
            ///
            /// # Errors
            /// As the system's `getpeername`.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                each!(&self.inner, half => half.peer_addr())
            }

            /// The address of this side.
            ///
            /// # Errors
            /// As the system's `getsockname`.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                each!(&self.inner, half => half.local_addr())
            }
        }

        impl fmt::Debug for $half {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                each!(&self.inner, half => fmt::Debug::fmt(half, f))
            }
        }
    )*};
}
half!(OwnedReadHalf OwnedWriteHalf);
