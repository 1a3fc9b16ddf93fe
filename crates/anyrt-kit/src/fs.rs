//! Files with Tokio's semantics, over any way of executing an operation.
//!
//! [`File`] manages the buffers and the order of operations, which are the same on every runtime. A
//! [`Disk`] executes one operation at a time, on a blocking thread ([`pool`]) or in the ring of a
//! shard.
//!
//! # What is promised
//! - A read requests as many bytes as the caller has room for, up to [`File::max_buf_size`]. A
//!   dropped read loses nothing: the next one returns the bytes.
//! - A write completes when its bytes have been copied. They are then written even if the future,
//!   the file or the runtime is dropped right after. Its error is returned by the next write, flush
//!   or shutdown.
//! - Operations of one file run one at a time. A seek is relative to the position that the caller
//!   has read to, not to data that was read ahead.
//! - Handles created by `try_clone` share the cursor, like descriptors created by `dup`. Each has
//!   its own buffer.
//!
//! # For runtime authors
//! Implement [`Disk`]. With a [`BlockingPool`](crate::executor::BlockingPool), [`pool::start`] is
//! the whole implementation.

mod buf;
mod disk;
mod file;
pub mod pool;

pub use buf::Buf;
pub use disk::{DEFAULT_MAX_BUF_SIZE, Disk, Reply, Request, perform, rewind, seek};
pub use file::File;
