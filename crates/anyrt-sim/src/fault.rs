//! Faults of the network: partitions, holds, bad links.

use std::fmt;
use std::sync::Arc;

use crate::net::link::Link;
use crate::node::Node;
use crate::runtime::{Sim, SimRuntime};
use crate::trace::Event;
use crate::world::World;

impl SimRuntime {
    /// Sets the quality of all links without a setting of their own.
    ///
    /// # Panics
    /// Panics if a probability is not between 0 and 1.
    #[track_caller]
    pub fn set_link(&self, link: Link) {
        check(&link);
        self.world().net().links.set(None, link);
    }

    /// Cuts the network between two groups of nodes until the guard is dropped: no packet passes
    /// either way.
    ///
    /// Datagrams are lost, including those in flight. TCP retransmits its segments at growing
    /// intervals, so connections continue after the partition has healed; after about a quarter of
    /// an hour they fail with `ETIMEDOUT`.
    ///
    /// # Panics
    /// Panics if a group is empty or a node is in both.
    #[track_caller]
    #[must_use = "the partition heals when the guard is dropped"]
    pub fn partition(&self, some: &[&Node], others: &[&Node]) -> Partition {
        let pairs = both_ways(some, others);
        match self.causes(some, || {
            format!("a partition of {}", between(some, "from", others))
        }) {
            true => Partition::new(self.world(), pairs),
            false => Partition::new(self.world(), Vec::new()),
        }
    }

    /// As [`partition`](Self::partition), but only packets from the first group to the second are
    /// lost.
    ///
    /// # Panics
    /// Panics if a group is empty or a node is in both.
    #[track_caller]
    #[must_use = "the partition heals when the guard is dropped"]
    pub fn partition_one_way(&self, from: &[&Node], to: &[&Node]) -> Partition {
        let pairs = pairs(from, to);
        match self.causes(from, || {
            format!("a one-way partition {}", between(from, "to", to))
        }) {
            true => Partition::new(self.world(), pairs),
            false => Partition::new(self.world(), Vec::new()),
        }
    }

    /// Keeps back all packets between two groups until the guard is dropped; then they arrive in
    /// the order in which they reached the hold.
    ///
    /// # Panics
    /// Panics if a group is empty or a node is in both.
    #[track_caller]
    #[must_use = "the packets go on when the guard is dropped"]
    pub fn hold(&self, some: &[&Node], others: &[&Node]) -> Hold {
        let pairs = both_ways(some, others);
        match self.causes(some, || {
            format!("a hold between {}", between(some, "and", others))
        }) {
            true => Hold::new(self.world(), pairs),
            false => Hold::new(self.world(), Vec::new()),
        }
    }

    /// Returns `true` if a fault that the test asks for happens in this execution.
    fn causes(&self, some: &[&Node], text: impl FnOnce() -> String) -> bool {
        let world = self.world();
        let first = some.first().map_or(0, |node| node.state().id());
        world.injected.by_test(world.nanos(), first, text)
    }
}

#[track_caller]
fn check(link: &Link) {
    for (name, value) in [("loss", link.loss), ("duplication", link.duplication)] {
        assert!(
            (0.0..=1.0).contains(&value),
            "`Link::{name}` is a probability from 0 to 1, and cannot be {value}"
        );
    }
}

/// Names the nodes of a fault.
pub(crate) fn between(some: &[&Node], word: &str, others: &[&Node]) -> String {
    let names = |nodes: &[&Node]| {
        let names: Vec<_> = nodes.iter().map(|node| node.name()).collect();
        names.join(", ")
    };
    format!("{} {word} {}", names(some), names(others))
}

/// Returns the links between two groups, in both directions.
#[track_caller]
pub(crate) fn both_ways(some: &[&Node], others: &[&Node]) -> Vec<(usize, usize)> {
    let pairs = pairs(some, others);
    pairs
        .into_iter()
        .flat_map(|(a, b)| [(a, b), (b, a)])
        .collect()
}

/// Returns the links from one group to the other.
#[track_caller]
pub(crate) fn pairs(some: &[&Node], others: &[&Node]) -> Vec<(usize, usize)> {
    assert!(
        !some.is_empty() && !others.is_empty(),
        "there must be a node on each side of a partition or a hold; these are {:?}",
        between(some, "and", others)
    );
    let ids = |nodes: &[&Node]| -> Vec<_> { nodes.iter().map(|node| node.state().id()).collect() };
    let (some_ids, other_ids) = (ids(some), ids(others));
    if let Some(both) = some
        .iter()
        .find(|node| other_ids.contains(&node.state().id()))
    {
        panic!("the node {:?} cannot be on both sides", both.name());
    }
    let pair = |&a: &usize| other_ids.iter().map(move |&b| (a, b)).collect::<Vec<_>>();
    some_ids.iter().flat_map(pair).collect()
}

impl Sim {
    /// See [`SimRuntime::set_link`].
    ///
    /// # Panics
    /// Panics if a probability is not between 0 and 1.
    #[track_caller]
    pub fn set_link(&self, link: Link) {
        use anyrt_core::runtime::Owner;
        self.handle().set_link(link);
    }
}

impl Node {
    /// Sets the quality of the link from this node to another, in that direction only.
    ///
    /// # Panics
    /// Panics if a probability is not between 0 and 1.
    #[track_caller]
    pub fn set_link_to(&self, other: &Node, link: Link) {
        check(&link);
        let between = (self.state().id(), other.state().id());
        self.world().net().links.set(Some(between), link);
    }
}

/// A partition of the network; see [`SimRuntime::partition`]. Dropping it heals the network.
pub struct Partition {
    world: Arc<World>,
    pairs: Vec<(usize, usize)>,
}

impl Partition {
    /// Cuts these links; none, if the fault is left out.
    pub(crate) fn new(world: &Arc<World>, pairs: Vec<(usize, usize)>) -> Self {
        for &(from, to) in &pairs {
            world.net().links.cut(from, to);
        }
        if !pairs.is_empty() {
            world.note(Event::Fault(17));
        }
        Self {
            world: Arc::clone(world),
            pairs,
        }
    }

    /// Heals the network, as dropping it does.
    pub fn heal(self) {}
}

impl Drop for Partition {
    fn drop(&mut self) {
        if self.pairs.is_empty() {
            return;
        }
        let now = self.world.nanos();
        for &(from, to) in &self.pairs {
            self.world.net().heal(from, to, now);
        }
        self.world.note(Event::Fault(18));
        self.world.planned();
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition").finish_non_exhaustive()
    }
}

/// Packets that are held back; see [`SimRuntime::hold`]. Dropping it releases them.
pub struct Hold {
    world: Arc<World>,
    pairs: Vec<(usize, usize)>,
}

impl Hold {
    /// Holds these links; none, if the fault is left out.
    pub(crate) fn new(world: &Arc<World>, pairs: Vec<(usize, usize)>) -> Self {
        for &(from, to) in &pairs {
            world.net().links.hold(from, to);
        }
        if !pairs.is_empty() {
            world.note(Event::Fault(16));
        }
        Self {
            world: Arc::clone(world),
            pairs,
        }
    }

    /// Releases the packets, as dropping it does.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.pairs.is_empty() {
            return;
        }
        let now = self.world.nanos();
        for &(from, to) in &self.pairs {
            self.world.net().let_go(from, to, now);
        }
        self.world.note(Event::Fault(19));
        self.world.planned();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
