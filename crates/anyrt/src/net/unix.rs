//! What belongs to Unix sockets: addresses, the halves of a stream, credentials of the peer; and
//! pipes.
//!
//! The sockets themselves are in [`net`](super): [`UnixStream`], [`UnixListener`], [`UnixDatagram`]
//! and [`UnixSocket`](super::UnixSocket).

#[macro_use]
mod std_socket;

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
pub use ucred::{UCred, gid_t, pid_t, uid_t};

use datagram::UnixDatagram;
use listener::UnixListener;
use stream::UnixStream;

unwind_safe!(
    UnixDatagram,
    UnixListener,
    UnixStream,
    pipe::Sender,
    pipe::Receiver
);
