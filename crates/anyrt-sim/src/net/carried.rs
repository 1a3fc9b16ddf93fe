//! Messages that have arrived, for the trace of a recorded execution.

use std::time::Duration;

use super::Net;
use super::conn::Segment;
use crate::perfetto::Told;

/// The content of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    Connect,
    Accept,
    Data(usize),
    End,
    Reset,
    Datagram(usize),
}

impl From<&Segment> for Carried {
    fn from(segment: &Segment) -> Self {
        match segment {
            Segment::SynAck => Self::Accept,
            Segment::Data(bytes) => Self::Data(bytes.len()),
            Segment::Fin => Self::End,
            Segment::Rst => Self::Reset,
        }
    }
}

/// A message that has arrived.
#[derive(Debug)]
pub(super) struct CarriedMessage {
    nanos: u64,
    from: usize,
    to: usize,
    carried: Carried,
}

impl Net {
    /// Records messages from now on.
    pub(crate) fn record(&mut self) {
        self.messages = Some(Vec::new());
    }

    /// Records that a message arrives at `to`, if messages are recorded.
    pub(super) fn arrives(&mut self, nanos: u64, from: usize, to: usize, carried: Carried) {
        if let Some(messages) = &mut self.messages {
            messages.push(CarriedMessage {
                nanos,
                from,
                to,
                carried,
            });
        }
    }

    /// Returns the arrived messages in order, with the names of these nodes.
    pub(crate) fn told(&self, nodes: &[&str]) -> Vec<Told> {
        let messages = self.messages.iter().flatten();
        let told = messages.map(|message| {
            let what = match message.carried {
                Carried::Connect => "connection asked for".to_owned(),
                Carried::Accept => "connection accepted".to_owned(),
                Carried::Data(bytes) => format!("{bytes} bytes"),
                Carried::End => "end of data".to_owned(),
                Carried::Reset => "connection reset".to_owned(),
                Carried::Datagram(bytes) => format!("datagram of {bytes} bytes"),
            };
            let from = nodes.get(message.from).copied().unwrap_or("nowhere");
            Told {
                time: Duration::from_nanos(message.nanos),
                node: message.to,
                text: format!("message from {from}: {what}"),
            }
        });
        told.collect()
    }
}
