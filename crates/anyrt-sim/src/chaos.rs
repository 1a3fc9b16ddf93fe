//! Faults by one line: kinds of trouble that come and go by the seed.

use std::time::Duration;

use anyrt_core::{Spawner, Timer};

use crate::net::link::{Latency, Link};
use crate::node::Node;
use crate::random::{Concern, Random, mix};
use crate::runtime::{Sim, SimRuntime};

/// A kind of fault that [`Chaos`] causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// All links are slow and lose packets.
    BadLinks,
    /// The nodes are in two groups that do not reach each other.
    Partition,
    /// Packets of some nodes do not reach the others; the way back is open.
    OneWayPartition,
    /// Packets between two groups of nodes are kept back and arrive later.
    Hold,
    /// A host is killed, and started again.
    Crash,
    /// A host loses power, and is started again.
    PowerOff,
    /// A node stands still.
    Pause,
    /// The wall clock of a node is wrong.
    WrongClock,
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::BadLinks,
        Self::Partition,
        Self::OneWayPartition,
        Self::Hold,
        Self::Crash,
        Self::PowerOff,
        Self::Pause,
        Self::WrongClock,
    ];
}

/// Which faults happen, and for how long; see [`SimRuntime::chaos`].
///
/// After [`until`](Self::until) there are none any more, and all that was cut is healed: what the program promises
/// then must come about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Chaos {
    /// The kinds that may happen.
    pub kinds: Vec<Trouble>,
    /// Whether each seed has a part of the kinds only, about half. A fault that always happens may hide what another
    /// one would show.
    pub swarm: bool,
    /// How long a kind of trouble stays away, on average.
    pub every: Duration,
    /// How long it lasts, on average.
    pub lasting: Duration,
    /// The virtual time after which nothing happens any more.
    pub until: Duration,
}

impl Chaos {
    /// Each seed has about half of all kinds.
    pub fn swarm() -> Self {
        Self {
            swarm: true,
            ..Self::of(Trouble::ALL)
        }
    }

    /// These kinds, under every seed.
    pub fn of(kinds: impl IntoIterator<Item = Trouble>) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            swarm: false,
            every: Duration::from_secs(2),
            lasting: Duration::from_secs(1),
            until: Duration::from_secs(30),
        }
    }

    /// Leaves some kinds out.
    #[must_use]
    pub fn without(mut self, kinds: &[Trouble]) -> Self {
        self.kinds.retain(|kind| !kinds.contains(kind));
        self
    }

    /// Sets the virtual time after which nothing happens any more; 30 s unless set.
    #[must_use]
    pub fn until(mut self, until: Duration) -> Self {
        self.until = until;
        self
    }
}

impl SimRuntime {
    /// Causes faults from now on, which the seed chooses. Clients are cut off and paused, but only hosts are crashed.
    pub fn chaos(&self, chaos: Chaos) {
        let seed = self.seed();
        let mut choice = Random::new(seed, Concern::Chaos);
        let main = match self.world().nodes().all().first() {
            Some(main) => Self::of(self.world(), main),
            None => return,
        };
        for kind in chaos.kinds.iter().copied() {
            if chaos.swarm && choice.chance(0.5) {
                continue;
            }
            let random = Random::new(mix(seed ^ (kind as u64 + 1)), Concern::Chaos);
            let trouble = Loop {
                rt: main.clone(),
                random,
                kind,
                chaos: chaos.clone(),
            };
            drop(main.spawn(trouble.run()));
        }
    }
}

impl Sim {
    /// See [`SimRuntime::chaos`].
    pub fn chaos(&self, chaos: Chaos) {
        use anyrt_core::runtime::Owner;
        self.handle().chaos(chaos);
    }
}

/// One kind of trouble that comes and goes.
struct Loop {
    rt: SimRuntime,
    random: Random,
    kind: Trouble,
    chaos: Chaos,
}

impl Loop {
    async fn run(mut self) {
        loop {
            self.wait(self.chaos.every).await;
            if self.rt.elapsed() >= self.chaos.until {
                return;
            }
            self.happen().await;
        }
    }

    /// Waits for between nothing and twice the time.
    async fn wait(&mut self, average: Duration) {
        let nanos = u64::try_from(average.as_nanos()).unwrap_or(u64::MAX / 4);
        let nanos = self.random.within(0..=nanos.saturating_mul(2));
        self.rt.sleep(Duration::from_nanos(nanos)).await;
    }

    async fn last(&mut self) {
        self.wait(self.chaos.lasting).await;
    }

    /// All nodes but the one that `block_on` runs on.
    fn nodes(&self) -> Vec<Node> {
        self.rt.nodes().split_off(1)
    }

    fn one_of(&mut self, mut nodes: Vec<Node>) -> Option<Node> {
        match nodes.len() {
            0 => None,
            count => Some(nodes.swap_remove(self.random.index(count))),
        }
    }

    async fn happen(&mut self) {
        match self.kind {
            Trouble::BadLinks => {
                let before = self.rt.world().net().links.usual();
                let mut bad = Link::default();
                let most = Duration::from_millis(self.random.within(2..=200));
                bad.latency = Latency::Uniform(Duration::from_micros(100), most);
                bad.loss = self.random.fraction() * 0.2;
                bad.duplication = self.random.fraction() * 0.1;
                bad.reordering = self.random.chance(0.5);
                self.rt.set_link(bad);
                self.last().await;
                self.rt.set_link(before);
            }
            Trouble::Partition | Trouble::OneWayPartition | Trouble::Hold => {
                let mut nodes = self.nodes();
                if nodes.len() < 2 {
                    return self.last().await;
                }
                self.random.shuffle(&mut nodes);
                let at = 1 + self.random.index(nodes.len() - 1);
                let (some, others) = nodes.split_at(at);
                let [some, others] = [some, others].map(|nodes| nodes.iter().collect::<Vec<_>>());
                let (mut cut, mut held) = (None, None);
                match self.kind {
                    Trouble::Partition => cut = Some(self.rt.partition(&some, &others)),
                    Trouble::Hold => held = Some(self.rt.hold(&some, &others)),
                    _ => cut = Some(self.rt.partition_one_way(&some, &others)),
                }
                self.last().await;
                drop((cut, held));
            }
            Trouble::Crash | Trouble::PowerOff => {
                let mut hosts = self.nodes();
                hosts.retain(|node| node.is_up() && node.is_host());
                let host = self.one_of(hosts);
                if let Some(host) = &host {
                    match self.kind {
                        Trouble::Crash => host.crash(),
                        _ => host.power_off(),
                    }
                }
                self.last().await;
                if let Some(host) = host {
                    host.restart();
                }
            }
            Trouble::Pause => {
                let nodes = self.nodes();
                let node = self.one_of(nodes);
                if let Some(node) = &node {
                    node.pause();
                }
                self.last().await;
                if let Some(node) = node {
                    node.resume();
                }
            }
            Trouble::WrongClock => {
                let nodes = self.nodes();
                let node = self.one_of(nodes);
                if let Some(node) = &node {
                    // Up to an hour, either way.
                    let nanos = self.random.below(7_200_000_000_000);
                    node.set_clock_offset(nanos.cast_signed() - 3_600_000_000_000);
                }
                self.last().await;
                if let Some(node) = node {
                    node.set_clock_offset(0);
                }
            }
        }
    }
}
