//! The halves of a Unix stream.

use super::{SocketAddr, UnixStream};
use crate::net::halves::halves;

halves!(UnixStream, SocketAddr, |stream| &stream.io);

impl UnixStream {
    /// Borrows the stream as two halves, which can be used at the same time within one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split(self)
    }

    /// Splits the stream into two owned halves, which can move to different tasks.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        into_split(self)
    }
}
