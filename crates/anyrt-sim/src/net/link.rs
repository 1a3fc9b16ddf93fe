//! Links: how packets travel between two nodes, and the faults on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::random::Random;

/// The duration of a packet's way from one node to another, or of a disk operation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Any value between the two, with equal probability.
    Uniform(Duration, Duration),
    /// At least the first; the excess is mostly short and seldom long, the second on average.
    Exponential(Duration, Duration),
}

impl Latency {
    pub(crate) fn draw(self, random: &mut Random) -> u64 {
        match self {
            Self::Fixed(time) => nanos(time),
            Self::Uniform(low, high) => random.within(nanos(low)..=nanos(high)),
            Self::Exponential(least, mean) => {
                let more = -(1.0 - random.fraction()).ln() * nanos(mean) as f64;
                // A thousand times the mean does not occur in practice; a value that does not fit
                // into the type must not wrap.
                nanos(least).saturating_add(more as u64)
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

/// The quality of a link. TCP retransmits lost segments, so there a loss is a delay; lost datagrams
/// are gone.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// The latency of packets.
    pub latency: Latency,
    /// The probability that a packet is lost.
    pub loss: f64,
    /// The probability that a datagram arrives twice.
    pub duplication: f64,
    /// Whether datagrams may overtake each other. Segments of a connection never do.
    pub reordering: bool,
}

impl Default for Link {
    /// Returns a link with 100 µs to 1 ms of latency and no faults: a quiet data centre.
    fn default() -> Self {
        Self {
            latency: Latency::Uniform(Duration::from_micros(100), Duration::from_millis(1)),
            loss: 0.0,
            duplication: 0.0,
            reordering: false,
        }
    }
}

/// The latency within a node, in nanoseconds.
pub(super) const LOOPBACK: std::ops::RangeInclusive<u64> = 5_000..=20_000;

/// All links of a world.
#[derive(Debug, Default)]
pub(crate) struct Links {
    default: Link,
    special: BTreeMap<(usize, usize), Link>,
    /// The number of partitions that cut it.
    cuts: BTreeMap<(usize, usize), u32>,
    /// The number of holds that keep packets back on it.
    holds: BTreeMap<(usize, usize), u32>,
    /// The arrival time of the last datagram, if none may overtake another.
    last: BTreeMap<(usize, usize), u64>,
}

impl Links {
    pub(crate) fn set(&mut self, between: Option<(usize, usize)>, link: Link) {
        match between {
            Some(between) => _ = self.special.insert(between, link),
            None => self.default = link,
        }
    }

    pub(crate) fn usual(&self) -> Link {
        self.default
    }

    pub(crate) fn get(&self, from: usize, to: usize) -> Link {
        match self.special.get(&(from, to)) {
            Some(link) => *link,
            None => self.default,
        }
    }

    pub(crate) fn latency(&self, from: usize, to: usize, random: &mut Random) -> u64 {
        if from == to {
            return random.within(LOOPBACK);
        }
        self.get(from, to).latency.draw(random)
    }

    /// Returns the arrival time of a datagram that leaves now.
    pub(crate) fn arrival(&mut self, from: usize, to: usize, now: u64, random: &mut Random) -> u64 {
        let at = now + self.latency(from, to, random);
        if from != to && self.get(from, to).reordering {
            return at;
        }
        let last = self.last.entry((from, to)).or_default();
        // Not at the same nanosecond, for which the seed would choose the order.
        *last = at.max(*last + 1);
        *last
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        *self.cuts.entry((from, to)).or_default() += 1;
    }

    pub(crate) fn heal(&mut self, from: usize, to: usize) {
        release(&mut self.cuts, (from, to));
    }

    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.contains_key(&(from, to))
    }

    pub(crate) fn hold(&mut self, from: usize, to: usize) {
        *self.holds.entry((from, to)).or_default() += 1;
    }

    pub(crate) fn let_go(&mut self, from: usize, to: usize) {
        release(&mut self.holds, (from, to));
    }

    pub(crate) fn is_held(&self, from: usize, to: usize) -> bool {
        self.holds.contains_key(&(from, to))
    }
}

fn release(counts: &mut BTreeMap<(usize, usize), u32>, key: (usize, usize)) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
