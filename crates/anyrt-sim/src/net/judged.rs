//! Messages as the rules of the test see them, and the effect of the rules' decisions.

use std::task::Waker;

use super::conn::Segment;
use super::{Arrival, Net};
use crate::rule::{Draft, MessageKind, Verdict};
use crate::trace::Event;

impl Net {
    /// Removes the next arrival that is due, and returns it with its time.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<(u64, Arrival)> {
        let first = self.events.first_entry()?;
        let at = first.key().0;
        (at <= now).then(|| (at, first.remove()))
    }

    pub(crate) fn take_notes(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.notes)
    }

    /// Returns the message of an arrival, if it arrives and the rules apply to it.
    pub(crate) fn draft(&self, arrival: &Arrival) -> Option<Draft> {
        let draft = match arrival {
            Arrival::Syn { conn, .. } => {
                let [client, server] = &self.conns.get(conn)?.ends;
                Draft {
                    kind: MessageKind::Connect,
                    from: client.node,
                    to: server.node,
                    source: client.local,
                    destination: server.local,
                    payload: Vec::new(),
                }
            }
            &Arrival::Segment { conn, from } => {
                let conn = self.conns.get(&conn)?;
                let (sender, receiver) = (&conn.ends[from], &conn.ends[1 - from]);
                let (kind, payload) = match conn.next_segment(from)? {
                    Segment::SynAck => (MessageKind::Accepted, Vec::new()),
                    Segment::Data(bytes) => (MessageKind::Data, bytes.clone()),
                    Segment::Fin => (MessageKind::End, Vec::new()),
                    Segment::Rst => (MessageKind::Reset, Vec::new()),
                };
                Draft {
                    kind,
                    from: sender.node,
                    to: receiver.node,
                    source: sender.local,
                    destination: receiver.local,
                    payload,
                }
            }
            Arrival::Datagram(datagram) => datagram.draft(),
            _ => return None,
        };
        let arrives =
            self.passes(draft.from, draft.to) && !self.links.is_held(draft.from, draft.to);
        arrives.then_some(draft)
    }

    /// Applies the decision of the rules to an arrival.
    pub(crate) fn execute(
        &mut self,
        (at, arrival): (u64, Arrival),
        verdict: Verdict,
        woken: &mut Vec<Waker>,
    ) {
        match (verdict, arrival) {
            (Verdict::Drop, Arrival::Datagram(_)) => self.notes.push(Event::Fault(3)),
            (Verdict::Drop, arrival) => {
                self.loses = true;
                self.deliver(at, arrival, woken);
                self.loses = false;
            }
            (Verdict::Delay(time), arrival) => {
                self.notes.push(Event::Fault(20));
                let later = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                let arrival = Arrival::Judged(Box::new(arrival));
                self.plan(at.saturating_add(later), arrival);
            }
            (Verdict::Duplicate, Arrival::Datagram(datagram)) => {
                self.notes.push(Event::Fault(4));
                let (from, to) = datagram.nodes();
                let copy = Box::new(Arrival::Datagram(datagram.clone()));
                let later = at + self.latency(from, to);
                self.plan(later, Arrival::Judged(copy));
                self.deliver(at, Arrival::Datagram(datagram), woken);
            }
            (Verdict::Pass | Verdict::Duplicate, arrival) => self.deliver(at, arrival, woken),
        }
    }
}
