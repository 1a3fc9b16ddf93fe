//! TCP connections: an ordered pipe in each direction, and Linux's rules for opening, closing and
//! resetting.
//!
//! There are no fixed-size packets, windows or sequence numbers. One write sends one segment, which
//! arrives after the latency of the link and never overtakes an earlier one. Lost segments are
//! retransmitted with exponential backoff until the connection times out.

mod calls;
mod traffic;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::task::Waker;

use anyrt_core::readiness::Ready;
use rustix::io::Errno;

use crate::random::mix;
use crate::wait::Wakers;

pub(crate) use calls::Reader;

/// The capacity of one direction, in flight and unread together. About Linux's initial buffer
/// sizes.
pub(crate) const CAPACITY: usize = 256 * 1024;

/// A segment in flight.
#[derive(Debug)]
pub(crate) enum Segment {
    /// The peer's system has accepted the connection.
    SynAck,
    Data(Vec<u8>),
    Fin,
    Rst,
}

impl Segment {
    /// Returns a digest of the content, for the trace.
    fn digest(&self) -> u64 {
        match self {
            Self::SynAck => 1,
            Self::Fin => 2,
            Self::Rst => 3,
            Self::Data(bytes) => bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                mix(hash ^ u64::from_le_bytes(word))
            }),
        }
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// Each segment with its arrival time if it is not lost.
    queue: VecDeque<(u64, Segment)>,
    /// The arrival of the head is scheduled or held back.
    planned: bool,
    /// The number of retransmissions of the head, and the time of its first loss.
    repetitions: u32,
    since: Option<u64>,
}

/// The state of one end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) node: usize,
    pub(crate) local: SocketAddr,
    /// An IPv4 connection of an IPv6 listener: the application sees mapped addresses.
    mapped: bool,
    /// The connection is neither reset nor forgotten.
    exists: bool,
    /// Waits for the answer to its SYN.
    connecting: bool,
    /// The application has dropped it, or never had it.
    closed: bool,
    received: VecDeque<u8>,
    /// The peer has sent its FIN.
    eof: bool,
    /// The error that the next operation returns.
    error: Option<Errno>,
    shut_read: bool,
    fin_sent: bool,
    fin_seen: bool,
    /// Bytes that were sent and that the peer has not read.
    unread: usize,
    /// Bytes read here whose acknowledgement a partition has dropped.
    untold: usize,
    pub(crate) nodelay: bool,
    pub(crate) linger_zero: bool,
    pub(super) reading: Wakers,
    pub(super) read_ticket: Option<u64>,
    pub(super) writing: Wakers,
    pub(super) write_ticket: Option<u64>,
}

impl End {
    fn new(node: usize, local: SocketAddr) -> Self {
        Self {
            node,
            local,
            mapped: false,
            exists: false,
            connecting: false,
            closed: true,
            received: VecDeque::new(),
            eof: false,
            error: None,
            shut_read: false,
            fin_sent: false,
            fin_seen: false,
            unread: 0,
            untold: 0,
            nodelay: false,
            linger_zero: false,
            reading: Wakers::default(),
            read_ticket: None,
            writing: Wakers::default(),
            write_ticket: None,
        }
    }

    fn wake(&mut self, woken: &mut Vec<Waker>) {
        self.reading.take(woken);
        self.writing.take(woken);
    }

    /// Ends the connection at once.
    fn abort(&mut self, errno: Errno, woken: &mut Vec<Waker>) {
        self.exists = false;
        self.connecting = false;
        self.error = Some(errno);
        self.unread = 0;
        self.wake(woken);
    }

    /// Returns the readiness that `poll` would report, without what an operation has found to be
    /// over.
    pub(super) fn ready(&self) -> Ready {
        let mut ready = Ready::EMPTY;
        if self.connecting {
            return ready;
        }
        let (is_wrong, ends_here) = (self.error.is_some(), !self.exists);
        let reads_no_more = self.eof || self.shut_read || ends_here;
        let has_data = !self.received.is_empty() || self.reading.stays();
        if !self.reading.is_over() && (reads_no_more || is_wrong || has_data) {
            ready |= Ready::READABLE;
        }
        let has_room = self.unread < CAPACITY;
        if !self.writing.is_over() && (self.fin_sent || ends_here || is_wrong || has_room) {
            ready |= Ready::WRITABLE;
        }
        if reads_no_more {
            ready |= Ready::READ_CLOSED;
        }
        if ends_here || (self.fin_sent && self.eof) {
            ready |= Ready::WRITE_CLOSED;
        }
        if is_wrong {
            ready |= Ready::ERROR;
        }
        ready
    }

    /// Takes the pending error.
    pub(super) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// Returns `true` in the state that Linux calls CLOSE.
    fn is_over(&self) -> bool {
        !self.exists || (self.eof && self.fin_sent && self.fin_seen)
    }
}

/// A connection. End 0 is the client.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) ends: [End; 2],
    pipes: [Pipe; 2],
}

impl Conn {
    /// Returns the local and the peer address as this end sees them.
    pub(super) fn addresses(&self, at: usize) -> [SocketAddr; 2] {
        let addresses = [self.ends[at].local, self.ends[1 - at].local];
        addresses.map(|address| match address {
            SocketAddr::V4(v4) if self.ends[at].mapped => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            address => address,
        })
    }

    /// Returns the next segment from this end.
    pub(super) fn next_segment(&self, from: usize) -> Option<&Segment> {
        self.pipes[from].queue.front().map(|(_, segment)| segment)
    }

    pub(crate) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        for end in &mut self.ends {
            end.wake(woken);
        }
    }
}
