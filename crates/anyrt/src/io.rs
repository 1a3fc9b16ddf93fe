//! The I/O traits and helpers: Tokio's own, on every backend.
//!
//! The streams of [`net`](crate::net) implement these traits and those of `futures_io`.
//!
//! # Reading and writing
//! ```
//! # anyrt::__private::run_example(async || {
//! use anyrt::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex};
//!
//! // Two connected ends in memory, of up to 64 bytes each; sockets and files work the same way.
//! let (mut client, server) = duplex(64);
//! let task = anyrt::spawn(async move {
//!     let mut lines = BufReader::new(server).lines();
//!     let mut count = 0;
//!     while let Some(line) = lines.next_line().await? {
//!         count += line.len();
//!     }
//!     std::io::Result::Ok(count)
//! });
//! client.write_all(b"first\nsecond\n").await?;
//! drop(client); // the end of the stream
//! assert_eq!(task.await??, 11);
//!
//! let mut number = &[0, 0, 1, 0][..];
//! assert_eq!(number.read_u32().await?, 256);
//! # Ok(()) });
//! ```
//!
//! # Copying
//! ```
//! # anyrt::__private::run_example(async || {
//! use anyrt::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, duplex};
//!
//! let mut out = Vec::new();
//! assert_eq!(copy(&mut &b"hello"[..], &mut out).await?, 5);
//!
//! // A proxy: both directions until both have ended.
//! let ((mut client, mut front), (mut back, mut server)) = (duplex(64), duplex(64));
//! let proxy = anyrt::spawn(async move { copy_bidirectional(&mut front, &mut back).await });
//! client.write_all(b"ping").await?;
//! client.shutdown().await?;
//! let mut request = String::new();
//! server.read_to_string(&mut request).await?;
//! assert_eq!(request, "ping");
//! drop(server);
//! assert_eq!(proxy.await??, (4, 0));
//! # Ok(()) });
//! ```

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
