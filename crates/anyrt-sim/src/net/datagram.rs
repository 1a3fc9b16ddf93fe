//! Datagrams in flight, and the state of their sockets.

use std::collections::VecDeque;
use std::net::SocketAddr;

use anyrt_core::readiness::Ready;
use rustix::io::Errno;

use crate::rule::{Draft, MessageKind};
use crate::wait::Wakers;

/// A datagram in flight.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(super) socket: u64,
    pub(super) from_node: usize,
    pub(super) to_node: usize,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

impl Datagram {
    /// Returns its source and destination nodes.
    pub(super) fn nodes(&self) -> (usize, usize) {
        (self.from_node, self.to_node)
    }

    pub(super) fn draft(&self) -> Draft {
        Draft {
            kind: MessageKind::Datagram,
            from: self.from_node,
            to: self.to_node,
            source: self.from,
            destination: self.to,
            payload: self.bytes.clone(),
        }
    }
}

/// The state of a socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(super) node: usize,
    pub(super) local: SocketAddr,
    pub(super) bound: SocketAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) queue: VecDeque<(Vec<u8>, SocketAddr)>,
    pub(super) queued: usize,
    pub(super) error: Option<Errno>,
    pub(super) waiting: Wakers,
    pub(super) read_ticket: Option<u64>,
    pub(super) writing: Wakers,
    pub(super) write_ticket: Option<u64>,
    pub(super) dead: bool,
}

impl Socket {
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Returns the readiness that `poll` would report, without what an operation has found to be
    /// over.
    pub(super) fn ready(&self) -> Ready {
        let mut ready = Ready::EMPTY;
        let is_wrong = self.error.is_some() || self.dead;
        let has_any = !self.queue.is_empty() || self.waiting.stays();
        if !self.waiting.is_over() && (is_wrong || has_any) {
            ready |= Ready::READABLE;
        }
        if !self.writing.is_over() {
            ready |= Ready::WRITABLE;
        }
        if is_wrong {
            ready |= Ready::ERROR;
        }
        ready
    }
}
