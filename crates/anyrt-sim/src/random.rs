//! Random numbers from the seed, with a stream for each concern.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", 2014). It is implemented here because a recorded seed must reproduce the same
//! execution after an update, and crates of generators do not promise that.

use std::ops::RangeInclusive;

/// The use of a stream of random numbers. The streams are independent of each other: an application
/// that draws one more number does not change which task runs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// The next task, and the cost of a poll.
    Schedule = 1,
    /// Latencies and ports.
    Network = 2,
    /// Loss, duplication and reordering of packets.
    Faults = 3,
    /// Numbers that the application draws.
    Application = 4,
    /// The branch that a `select!` polls first.
    Branches = 5,
    /// The kinds and times of troubles.
    Chaos = 6,
    /// The places of the program that misbehave.
    Buggify = 7,
    /// Replacements for the operating system's random numbers.
    System = 8,
    /// The latencies and faults of disks, and the effects of a power failure.
    Disk = 9,
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of SplitMix64: each bit of the input changes about half of the output's.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    pub(crate) fn new(seed: u64, concern: Concern) -> Self {
        // Neighbouring seeds are mixed first, or their streams would be shifts of each other.
        let stream = mix(seed.wrapping_add(GOLDEN));
        Self {
            state: mix(stream ^ (concern as u64).wrapping_mul(GOLDEN)),
        }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Returns a number below `bound`, with equal probability (Lemire's method).
    ///
    /// `bound` must not be zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        debug_assert!(bound > 0);
        loop {
            let product = u128::from(self.next()) * u128::from(bound);
            let low = product as u64;
            if low >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        match high.checked_sub(low).and_then(|span| span.checked_add(1)) {
            Some(span) => low + self.below(span),
            // All numbers, or an empty range.
            None if low == 0 => self.next(),
            None => low,
        }
    }

    /// Returns a number from 0 up to, but not including, 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns `true` with that probability. Draws nothing for 0, so a disabled fault costs
    /// nothing.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.fraction() < probability
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The reference values of the authors' C program for the state 1234567.
        let mut random = Random { state: 1_234_567 };
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(expected, [random.next(), random.next(), random.next()]);
    }

    #[test]
    fn streams_and_seeds_differ() {
        let draw = |seed, concern| Random::new(seed, concern).next();
        let mut all: Vec<_> = (0..100)
            .flat_map(|seed| {
                [
                    Concern::Schedule,
                    Concern::Network,
                    Concern::Faults,
                    Concern::Application,
                ]
                .map(|concern| draw(seed, concern))
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 400);
    }

    #[test]
    fn numbers_below_a_bound_are_equally_likely() {
        let mut random = Random::new(7, Concern::Schedule);
        let mut seen = [0_u32; 6];
        for _ in 0..60_000 {
            seen[random.index(6)] += 1;
        }
        // Six standard deviations around 10,000.
        assert!(seen.iter().all(|n| (9_450..10_550).contains(n)), "{seen:?}");
        assert!((0..1_000).all(|_| (5..=7).contains(&random.within(5..=7))));
    }
}
