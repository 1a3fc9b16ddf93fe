//! Messages that have arrived, for the trace of a recorded execution.

use std::time::Duration;

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
    pub(super) nanos: u64,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) carried: Carried,
}

impl CarriedMessage {
    /// Returns the message as a note in the trace, with the names of these nodes.
    pub(super) fn told(&self, nodes: &[&str]) -> Told {
        let what = match self.carried {
            Carried::Connect => "connection asked for".to_owned(),
            Carried::Accept => "connection accepted".to_owned(),
            Carried::Data(bytes) => format!("{bytes} bytes"),
            Carried::End => "end of data".to_owned(),
            Carried::Reset => "connection reset".to_owned(),
            Carried::Datagram(bytes) => format!("datagram of {bytes} bytes"),
        };
        let from = nodes.get(self.from).copied().unwrap_or("nowhere");
        Told {
            time: Duration::from_nanos(self.nanos),
            node: self.to,
            text: format!("message from {from}: {what}"),
        }
    }
}
