//! The I/O traits and helpers: Tokio's own, on every backend.
//!
//! The streams of [`net`](crate::net) implement these traits and those of `futures_io`.

mod blocking;
pub(crate) mod bridge;
#[cfg(unix)]
pub(crate) mod fd_io;
pub(crate) mod read_buf;
pub(crate) mod scratch;
mod stdio;
#[cfg(unix)]
pub mod unix;

pub use anyrt_core::readiness::{Interest, Ready};
pub use stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};

#[doc(no_inline)]
pub use std::io::{Error, ErrorKind, Result, SeekFrom};
#[doc(no_inline)]
pub use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, DuplexStream, Empty, Join, Lines,
    ReadBuf, ReadHalf, Repeat, SimplexStream, Sink, Split, Take, WriteHalf, copy,
    copy_bidirectional, copy_bidirectional_with_sizes, copy_buf, duplex, empty, join, repeat,
    simplex, sink, split,
};
