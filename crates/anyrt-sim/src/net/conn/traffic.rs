//! How connections open, carry segments and end.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use rustix::io::Errno;

use super::{Conn, End, Segment};
use crate::net::carried::Carried;
use crate::net::ports::Protocol;
use crate::net::route::error;
use crate::net::{Arrival, Net};
use crate::random::mix;
use crate::trace::Event;

const SECOND: u64 = 1_000_000_000;
/// The delay of the first retransmission; each further one doubles it.
const FIRST_REPETITION: u64 = SECOND / 5;
/// The longest delay between two retransmissions.
const LAST_REPETITION: u64 = 120 * SECOND;
/// A connection times out after this long without an acknowledgement; equivalent to Linux's
/// `tcp_retries2` of 15.
const GIVE_UP: u64 = 924 * SECOND;
/// The number of SYN retransmissions; Linux's `tcp_syn_retries`, 127 s in total.
const SYN_REPETITIONS: u32 = 6;

impl Net {
    // ---- Opening --------------------------------------------------------------------------------

    /// Sends a SYN.
    pub(crate) fn connect(
        &mut self,
        now: u64,
        (node, local): (usize, SocketAddr),
        (to, remote): (usize, SocketAddr),
    ) -> u64 {
        let mut client = End::new(node, local);
        (client.exists, client.connecting, client.closed) = (true, true, false);
        let ends = [client, End::new(to, remote)];
        let conn = self.id();
        let pipes = Default::default();
        self.conns.insert(conn, Conn { ends, pipes });
        let at = now + self.latency(node, to);
        self.plan(at, Arrival::Syn { conn, attempt: 0 });
        conn
    }

    pub(in crate::net) fn syn_arrives(
        &mut self,
        now: u64,
        id: u64,
        attempt: u32,
        woken: &mut Vec<Waker>,
    ) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let ([client, server], pipes) = (&conn.ends, &conn.pipes);
        if !client.connecting {
            debug_assert!(pipes[0].queue.is_empty());
            self.forget(id);
            return;
        }
        let (from, to, remote) = (client.node, server.node, server.local);
        let arrival = Arrival::Syn { conn: id, attempt };
        if self.hold_back(from, to, arrival).is_none() {
            return;
        }
        let lost = !self.passes(from, to) || self.is_lost(now, from, to);
        let listener = self.ports.find(to, Protocol::Tcp, remote);
        let full = listener.is_some_and(|id| self.listeners.get(&id).is_none_or(|l| l.is_full()));
        if attempt > SYN_REPETITIONS {
            // The last SYN was not answered in time either.
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.ends[0].abort(Errno::TIMEDOUT, woken);
            }
            return;
        }
        if lost || full {
            let again = Arrival::Syn {
                conn: id,
                attempt: attempt + 1,
            };
            self.plan(now + (SECOND << attempt), again);
            return;
        }
        self.note(mix(id ^ 4));
        self.arrives(now, from, to, Carried::Connect);
        match listener.and_then(|id| self.listeners.get_mut(&id)) {
            Some(listener) => {
                listener.queue.push_back(id);
                listener.waiting.take(woken);
                let mapped = listener.is_ipv6() && remote.is_ipv4();
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.ends[1].mapped = mapped;
                    (conn.ends[1].exists, conn.ends[1].closed) = (true, false);
                }
                self.send(now, id, 1, Segment::SynAck);
            }
            None => self.send(now, id, 1, Segment::Rst),
        }
    }

    /// Polls for the answer to the SYN.
    pub(crate) fn poll_connected(
        &mut self,
        id: u64,
        ticket: &mut Option<u64>,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<()>>, Option<Waker>) {
        if let Err(error) = self.alive() {
            return (Poll::Ready(Err(error)), None);
        }
        let Some(end) = self.conns.get_mut(&id).map(|conn| &mut conn.ends[0]) else {
            return (Poll::Ready(Err(error(Errno::TIMEDOUT))), None);
        };
        if let Some(errno) = end.error.take() {
            return (Poll::Ready(Err(error(errno))), None);
        }
        if !end.connecting {
            return (Poll::Ready(Ok(())), None);
        }
        let old = end.writing.register(ticket, cx.waker());
        (Poll::Pending, old)
    }

    // ---- In flight -----------------------------------------------------------------------------

    pub(super) fn send(&mut self, now: u64, id: u64, from: usize, segment: Segment) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let (node, to) = (conn.ends[from].node, conn.ends[1 - from].node);
        let mut at = now + self.latency(node, to);
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let pipe = &mut conn.pipes[from];
        if let Some((last, _)) = pipe.queue.back() {
            at = at.max(last + 1);
        }
        pipe.queue.push_back((at, segment));
        if !std::mem::replace(&mut pipe.planned, true) {
            self.plan(at, Arrival::Segment { conn: id, from });
        }
    }

    fn is_lost(&mut self, now: u64, from: usize, to: usize) -> bool {
        if std::mem::take(&mut self.loses) {
            self.notes.push(Event::Fault(2));
            return true;
        }
        let loss = self.links.get(from, to).loss;
        let lost = from != to && self.injected.packet(now, (from, to), loss, 0.0).is_some();
        if lost {
            self.notes.push(Event::Fault(2));
        }
        lost
    }

    pub(in crate::net) fn segment_arrives(
        &mut self,
        now: u64,
        id: u64,
        from: usize,
        woken: &mut Vec<Waker>,
    ) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let (node, to) = (conn.ends[from].node, conn.ends[1 - from].node);
        let arrival = Arrival::Segment { conn: id, from };
        if self.hold_back(node, to, arrival).is_none() {
            return;
        }
        let lost = !self.passes(node, to) || self.is_lost(now, node, to);
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let pipe = &mut conn.pipes[from];
        pipe.planned = false;
        // Resets are not retransmitted.
        if lost && !matches!(pipe.queue.front(), None | Some((_, Segment::Rst))) {
            let since = *pipe.since.get_or_insert(now);
            if now - since > GIVE_UP {
                pipe.queue.clear();
                conn.ends[from].abort(Errno::TIMEDOUT, woken);
                self.forget_if_over(id);
                return;
            }
            let wait = (FIRST_REPETITION << pipe.repetitions.min(16)).min(LAST_REPETITION);
            pipe.repetitions += 1;
            pipe.planned = true;
            self.plan(now + wait, Arrival::Segment { conn: id, from });
            return;
        }
        (pipe.repetitions, pipe.since) = (0, None);
        let Some((_, segment)) = pipe.queue.pop_front() else {
            return;
        };
        if !lost {
            self.note(mix(id ^ segment.digest().rotate_left(from as u32)));
            self.arrives(now, node, to, Carried::from(&segment));
            self.receive(now, id, 1 - from, segment, woken);
        }
        if let Some(conn) = self.conns.get_mut(&id) {
            let pipe = &mut conn.pipes[from];
            if let Some((at, _)) = pipe.queue.front()
                && !pipe.planned
            {
                let at = (*at).max(now);
                pipe.planned = true;
                self.plan(at, Arrival::Segment { conn: id, from });
            }
        }
        self.forget_if_over(id);
    }

    /// Processes a segment that has reached this end.
    fn receive(&mut self, now: u64, id: u64, to: usize, segment: Segment, woken: &mut Vec<Waker>) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let end = &mut conn.ends[to];
        match segment {
            Segment::SynAck => {
                end.connecting = false;
                end.wake(woken);
            }
            Segment::Rst if end.exists => {
                let errno = match end {
                    End {
                        connecting: true, ..
                    } => Errno::CONNREFUSED,
                    // The peer had already sent its FIN.
                    End { eof: true, .. } => Errno::PIPE,
                    _ => Errno::CONNRESET,
                };
                end.abort(errno, woken);
                conn.pipes[to].queue.clear();
            }
            Segment::Rst => {}
            Segment::Data(bytes) => {
                // No one can ever read it.
                let deaf = end.closed || (end.shut_read && end.fin_sent);
                if end.exists && !deaf {
                    end.received.extend(bytes);
                    end.reading.take(woken);
                    return;
                }
                if end.exists {
                    end.abort(Errno::CONNRESET, woken);
                }
                if conn.ends[1 - to].exists {
                    self.send(now, id, to, Segment::Rst);
                }
            }
            Segment::Fin if end.exists => {
                end.eof = true;
                end.reading.take(woken);
                let (node, peer) = (end.node, conn.ends[1 - to].node);
                let at = now + self.latency(node, peer);
                self.plan(
                    at,
                    Arrival::FinSeen {
                        conn: id,
                        end: 1 - to,
                    },
                );
            }
            Segment::Fin => {
                if conn.ends[1 - to].exists {
                    self.send(now, id, to, Segment::Rst);
                }
            }
        }
    }

    /// Processes the acknowledgement that the peer has read this many bytes.
    pub(in crate::net) fn taken(
        &mut self,
        now: u64,
        id: u64,
        end: usize,
        bytes: usize,
        woken: &mut Vec<Waker>,
    ) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let (reader, writer) = (conn.ends[1 - end].node, conn.ends[end].node);
        let arrival = Arrival::Taken {
            conn: id,
            end,
            bytes,
        };
        if self.hold_back(reader, writer, arrival).is_none() {
            return;
        }
        let passes = self.passes(reader, writer);
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if passes {
            let told = bytes + std::mem::take(&mut conn.ends[1 - end].untold);
            let end = &mut conn.ends[end];
            end.unread = end.unread.saturating_sub(told);
            end.writing.take(woken);
            self.note(mix(id ^ now));
        } else {
            conn.ends[1 - end].untold += bytes;
        }
    }

    pub(in crate::net) fn repeat_lost_acknowledgements(
        &mut self,
        from: usize,
        to: usize,
        now: u64,
    ) {
        let mut lost = Vec::new();
        for (&conn, entry) in &mut self.conns {
            for end in 0..2 {
                let there = entry.ends[1 - end].node == from && entry.ends[end].node == to;
                if there && entry.ends[1 - end].untold > 0 {
                    lost.push(Arrival::Taken {
                        conn,
                        end,
                        bytes: 0,
                    });
                }
            }
        }
        for arrival in lost {
            let at = now + self.latency(from, to);
            self.plan(at, arrival);
        }
    }

    pub(in crate::net) fn fin_seen(&mut self, now: u64, id: u64, end: usize) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.ends[end].fin_seen = true;
            self.note(mix(id ^ now ^ 5));
        }
        self.forget_if_over(id);
    }

    /// Ends this end of the connection because its node goes down.
    pub(in crate::net) fn end_dies(
        &mut self,
        id: u64,
        at: usize,
        says_goodbye: bool,
        now: u64,
        woken: &mut Vec<Waker>,
    ) {
        if says_goodbye {
            self.close(now, (id, at));
        }
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let end = &mut conn.ends[at];
        end.closed = true;
        end.wake(woken);
        if !says_goodbye {
            end.exists = false;
            conn.pipes[at].queue.clear();
        }
        self.forget_if_over(id);
    }

    /// Removes the connection once both ends are closed and nothing is in flight.
    pub(in crate::net) fn forget_if_over(&mut self, id: u64) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let quiet = conn.pipes.iter().all(|pipe| pipe.queue.is_empty());
        let connecting = conn.ends.iter().any(|end| end.connecting);
        if quiet && !connecting && conn.ends.iter().all(|end| end.closed) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u64) {
        if let Some(conn) = self.conns.remove(&id) {
            let client = &conn.ends[0];
            self.ports.disconnect(client.node, client.local.port());
        }
    }
}
