//! What belongs to Unix sockets: addresses, the halves of a stream, credentials of the peer; and
//! pipes.
//!
//! The sockets themselves are in [`net`](super): [`UnixStream`], [`UnixListener`], [`UnixDatagram`] and
//! [`UnixSocket`](super::UnixSocket).

mod addr;
pub(super) mod datagram;
pub(super) mod listener;
pub mod pipe;
pub(super) mod socket;
mod split;
pub(super) mod stream;
mod ucred;

pub use addr::SocketAddr;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use ucred::UCred;

use datagram::UnixDatagram;
use listener::UnixListener;
use stream::UnixStream;

super::unwind_safe!(UnixDatagram UnixListener UnixStream pipe::Sender pipe::Receiver);

/// A user's id.
#[expect(non_camel_case_types, reason = "the system's name")]
pub type uid_t = u32;

/// A group's id.
#[expect(non_camel_case_types, reason = "the system's name")]
pub type gid_t = u32;

/// A process's id.
#[expect(non_camel_case_types, reason = "the system's name")]
pub type pid_t = i32;
