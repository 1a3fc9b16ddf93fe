//! Places in the program that the simulator knows by name: those that may misbehave, and those that
//! must be reached under some seed.

use std::collections::BTreeMap;

use crate::random::{Concern, Random, mix};
use crate::runtime::SimRuntime;

/// The places of one execution.
#[derive(Debug)]
pub(crate) struct Places {
    seed: u64,
    sometimes: BTreeMap<&'static str, bool>,
}

/// The share of the places that misbehave under a seed, and the share of their calls that do.
const ACTIVE: f64 = 0.25;
const FIRES: f64 = 0.25;

impl Places {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            sometimes: BTreeMap::new(),
        }
    }

    /// Returns the digest of a place that may misbehave under the seed.
    fn active(&self, place: &str) -> Option<u64> {
        let digest = place.bytes().fold(self.seed, |hash, byte| {
            mix(hash.wrapping_add(u64::from(byte)).wrapping_add(1))
        });
        // The same for the whole execution, regardless of the number of calls.
        let active = Random::new(digest, Concern::Buggify).chance(ACTIVE);
        active.then_some(digest)
    }
}

impl SimRuntime {
    /// Returns `true` if the program should misbehave here: under a quarter of the seeds, and then
    /// in a quarter of the calls.
    ///
    /// The facade's `buggify!` calls it with the place in the source. Use it for rare paths of the
    /// program itself: a small buffer, an early time-out, a delay between two steps.
    pub fn buggify(&self, place: &'static str) -> bool {
        let world = self.world();
        let active = world.places().active(place);
        active.is_some_and(|digest| {
            let nanos = world.nanos();
            world.injected.misbehaves(nanos, place, digest, FIRES)
        })
    }

    /// Records whether an event happened that must happen under some seed. A test with many seeds
    /// fails if the event was recorded and never happened: the seeds then do not cover that case.
    pub fn sometimes(&self, name: &'static str, happened: bool) {
        let mut places = self.world().places();
        *places.sometimes.entry(name).or_default() |= happened;
    }
}

impl Places {
    /// Returns the events recorded by [`SimRuntime::sometimes`].
    pub(crate) fn sometimes(&self) -> &BTreeMap<&'static str, bool> {
        &self.sometimes
    }
}
