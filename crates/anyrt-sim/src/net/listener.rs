//! The state of listeners.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::wait::Wakers;

/// The state of a listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) node: usize,
    pub(super) local: SocketAddr,
    /// Connections that wait to be accepted.
    pub(super) queue: VecDeque<u64>,
    pub(super) backlog: usize,
    pub(super) waiting: Wakers,
    /// The ticket of the task that polls.
    pub(super) ticket: Option<u64>,
    /// Its node has gone down.
    pub(super) dead: bool,
}

impl Listener {
    pub(super) fn is_ipv6(&self) -> bool {
        self.local.is_ipv6()
    }

    pub(super) fn is_full(&self) -> bool {
        // Linux queues one more than the backlog.
        self.queue.len() > self.backlog
    }
}
