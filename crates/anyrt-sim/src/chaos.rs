//! Random faults with one call: troubles that begin and end as the seed determines.

use std::time::Duration;

use anyrt_core::{Spawner, Timer};

use crate::fault::{Hold, Partition, between, both_ways, pairs};
use crate::injected::FaultId;
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
    /// The nodes are in two groups that cannot reach each other.
    Partition,
    /// Packets of some nodes do not reach the others; the opposite direction works.
    OneWayPartition,
    /// Packets between two groups of nodes are kept back and arrive later.
    Hold,
    /// A host is killed, and started again.
    Crash,
    /// A host loses power, and is started again.
    PowerOff,
    /// A node is paused.
    Pause,
    /// The wall clock of a node is wrong.
    WrongClock,
    /// The clocks of a node are too fast or too slow.
    ClockDrift,
    /// Reads and changes of files on a host's disk fail occasionally, and reads are short.
    DiskErrors,
    /// Syncs of a host's disk fail occasionally, and the data that they were to write may be lost.
    FailingSync,
    /// A host's disk is full.
    FullDisk,
    /// A host's disk hangs occasionally, for seconds.
    SlowDisk,
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::BadLinks,
        Self::Partition,
        Self::OneWayPartition,
        Self::Hold,
        Self::Crash,
        Self::PowerOff,
        Self::Pause,
        Self::WrongClock,
        Self::ClockDrift,
        Self::DiskErrors,
        Self::FailingSync,
        Self::FullDisk,
        Self::SlowDisk,
    ];
}

/// The kinds and durations of faults; see [`SimRuntime::chaos`].
///
/// At [`until`](Self::until) all faults end and all partitions are healed; from then on the program
/// must keep its promises.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Chaos {
    /// The kinds that may happen.
    pub kinds: Vec<Trouble>,
    /// `true` if each seed uses only about half of the kinds. A fault that always happens may hide
    /// what another one would show.
    pub swarm: bool,
    /// The average time between two troubles of a kind.
    pub every: Duration,
    /// The average duration of a trouble.
    pub lasting: Duration,
    /// The virtual time after which no fault happens.
    pub until: Duration,
}

impl Chaos {
    /// Uses about half of all kinds under each seed.
    pub fn swarm() -> Self {
        Self {
            swarm: true,
            ..Self::of(Trouble::ALL)
        }
    }

    /// Uses these kinds under every seed.
    pub fn of(kinds: impl IntoIterator<Item = Trouble>) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            swarm: false,
            every: Duration::from_secs(2),
            lasting: Duration::from_secs(1),
            until: Duration::from_secs(30),
        }
    }

    /// Excludes these kinds.
    #[must_use]
    pub fn without(mut self, kinds: &[Trouble]) -> Self {
        self.kinds.retain(|kind| !kinds.contains(kind));
        self
    }

    /// Sets the virtual time after which no fault happens; 30 s unless set.
    #[must_use]
    pub fn until(mut self, until: Duration) -> Self {
        self.until = until;
        self
    }
}

impl SimRuntime {
    /// Causes faults from now on, which the seed chooses. Clients are cut off and paused, but only
    /// hosts crash and have disk troubles.
    ///
    /// The whole plan is made in this call, so a fault can be [left
    /// out](crate::Builder::only_faults) without any change to the others.
    ///
    /// # Panics
    /// Panics if [`every`](Chaos::every) is zero.
    #[track_caller]
    pub fn chaos(&self, chaos: Chaos) {
        assert!(
            !chaos.every.is_zero(),
            "chaos cannot come every 0 s: `Chaos::every` must be longer"
        );
        let Some(main) = self.world().nodes().all().first().cloned() else {
            return;
        };
        let main = Self::of(self.world(), &main);
        let seed = self.seed();
        let mut choice = Random::new(seed, Concern::Chaos);
        let mut plan = Vec::new();
        for kind in chaos.kinds.iter().copied() {
            if chaos.swarm && choice.chance(0.5) {
                continue;
            }
            let random = Random::new(mix(seed ^ (kind as u64 + 1)), Concern::Chaos);
            plan.extend(chaos.plan(kind, self.elapsed(), random));
        }
        plan.sort_by_key(|planned| (planned.from, planned.kind as u64));
        for planned in plan {
            let happens = Happens {
                rt: main.clone(),
                id: self.world().injected.next_trouble(),
                planned,
            };
            drop(main.spawn(happens.run()));
        }
    }
}

impl Sim {
    /// See [`SimRuntime::chaos`].
    ///
    /// # Panics
    /// Panics if [`every`](Chaos::every) is zero.
    #[track_caller]
    pub fn chaos(&self, chaos: Chaos) {
        use anyrt_core::runtime::Owner;
        self.handle().chaos(chaos);
    }
}

impl Chaos {
    /// Decides when troubles of a kind begin and how long they last.
    fn plan(&self, kind: Trouble, now: Duration, mut random: Random) -> Vec<Planned> {
        let mut plan = Vec::new();
        let mut at = now;
        loop {
            at += about(&mut random, self.every);
            if at >= self.until || plan.len() == MOST {
                return plan;
            }
            let lasting = about(&mut random, self.lasting);
            plan.push(Planned {
                kind,
                from: at,
                lasting,
                random: Random::new(random.next(), Concern::Chaos),
            });
            at += lasting;
        }
    }
}

/// The maximum number of troubles of one kind: each has a task.
const MOST: usize = 10_000;

/// Returns a random duration from zero to twice the average.
fn about(random: &mut Random, average: Duration) -> Duration {
    let nanos = u64::try_from(average.as_nanos()).unwrap_or(u64::MAX / 4);
    Duration::from_nanos(random.within(0..=nanos.saturating_mul(2)))
}

/// A trouble, with the random stream that selects its nodes.
struct Planned {
    kind: Trouble,
    from: Duration,
    lasting: Duration,
    random: Random,
}

/// A trouble that begins and ends.
struct Happens {
    rt: SimRuntime,
    id: FaultId,
    planned: Planned,
}

impl Happens {
    async fn run(mut self) {
        let wait = self.planned.from.saturating_sub(self.rt.elapsed());
        self.rt.sleep(wait).await;
        if self.rt.world().injected.allows(self.id) {
            self.happen().await;
        }
    }

    async fn last(&self) {
        self.rt.sleep(self.planned.lasting).await;
    }

    fn note(&self, node: Option<&Node>, what: &str) {
        let world = self.rt.world();
        let node = node.map_or(0, |node| node.state().id());
        let text = format!("{what}, for {:?}", self.planned.lasting);
        world.injected.note(self.id, world.nanos(), node, text);
    }

    /// Returns all nodes except the one on which `block_on` runs.
    fn nodes(&self) -> Vec<Node> {
        self.rt.nodes().split_off(1)
    }

    fn one_of(&mut self, mut nodes: Vec<Node>) -> Option<Node> {
        match nodes.len() {
            0 => None,
            count => Some(nodes.swap_remove(self.planned.random.index(count))),
        }
    }

    async fn happen(&mut self) {
        match self.planned.kind {
            Trouble::BadLinks => self.bad_links().await,
            Trouble::Partition | Trouble::OneWayPartition | Trouble::Hold => self.split().await,
            Trouble::Crash | Trouble::PowerOff => self.end_a_host().await,
            Trouble::DiskErrors | Trouble::FailingSync | Trouble::FullDisk | Trouble::SlowDisk => {
                self.bad_disk().await
            }
            Trouble::Pause => {
                let nodes = self.nodes();
                let Some(node) = self.one_of(nodes) else {
                    return;
                };
                self.note(Some(&node), &format!("a pause of {}", node.name()));
                node.stand_still();
                self.last().await;
                node.resume();
            }
            Trouble::WrongClock => {
                let nodes = self.nodes();
                let Some(node) = self.one_of(nodes) else {
                    return;
                };
                // Up to an hour, either way.
                let nanos = self.planned.random.below(7_200_000_000_000);
                self.note(Some(&node), &format!("a wrong clock of {}", node.name()));
                node.put_clock(nanos.cast_signed() - 3_600_000_000_000);
                self.last().await;
                node.put_clock(0);
            }
            Trouble::ClockDrift => {
                let nodes = self.nodes();
                let Some(node) = self.one_of(nodes) else {
                    return;
                };
                // A tenth of the time, either way.
                let drift = self.planned.random.within(0..=200_000) as i32 - 100_000;
                let text = format!("a drift of {drift} ppm of the clock of {}", node.name());
                self.note(Some(&node), &text);
                node.drift(drift);
                self.last().await;
                node.drift(0);
            }
        }
    }

    async fn bad_links(&mut self) {
        let random = &mut self.planned.random;
        let mut bad = Link::default();
        let most = Duration::from_millis(random.within(2..=200));
        bad.latency = Latency::Uniform(Duration::from_micros(100), most);
        bad.loss = random.fraction() * 0.2;
        bad.duplication = random.fraction() * 0.1;
        bad.reordering = random.chance(0.5);
        self.note(None, "bad links");
        let before = self.rt.world().net().links.usual();
        self.rt.set_link(bad);
        self.last().await;
        self.rt.set_link(before);
    }

    async fn bad_disk(&mut self) {
        let mut hosts = self.nodes();
        hosts.retain(Node::is_host);
        let Some(host) = self.one_of(hosts) else {
            return;
        };
        let random = &mut self.planned.random;
        let before = host.disk_faults();
        let mut bad = before;
        let what = match self.planned.kind {
            Trouble::DiskErrors => {
                bad.read_error = random.fraction() * 0.2;
                bad.write_error = random.fraction() * 0.2;
                bad.short_reads = random.fraction();
                "errors on the disk of"
            }
            Trouble::FailingSync => {
                bad.sync_error = random.fraction() * 0.5;
                "failing syncs of the disk of"
            }
            Trouble::FullDisk => {
                // The files that the host removes may or may not free space.
                let used = match self.rt.world().has_disk(host.state().id()) {
                    true => host.disk().used().unwrap_or_default(),
                    false => 0,
                };
                bad.capacity = Some((used as f64 * random.fraction()) as u64);
                "a full disk of"
            }
            _ => {
                bad.stalls = random.fraction() * 0.5;
                "a slow disk of"
            }
        };
        self.note(Some(&host), &format!("{what} {}", host.name()));
        host.set_disk_faults(bad);
        self.last().await;
        // Another trouble may have begun or ended meanwhile.
        let mut after = host.disk_faults();
        match self.planned.kind {
            Trouble::DiskErrors => {
                after.read_error = before.read_error;
                after.write_error = before.write_error;
                after.short_reads = before.short_reads;
            }
            Trouble::FailingSync => after.sync_error = before.sync_error,
            Trouble::FullDisk => after.capacity = before.capacity,
            _ => after.stalls = before.stalls,
        }
        host.set_disk_faults(after);
    }

    async fn split(&mut self) {
        let mut nodes = self.nodes();
        if nodes.len() < 2 {
            return;
        }
        self.planned.random.shuffle(&mut nodes);
        let at = 1 + self.planned.random.index(nodes.len() - 1);
        let (some, others) = nodes.split_at(at);
        let [some, others] = [some, others].map(|nodes| nodes.iter().collect::<Vec<_>>());
        let (world, first) = (self.rt.world(), some.first().copied());
        let (mut cut, mut held) = (None, None);
        match self.planned.kind {
            Trouble::Hold => {
                let text = format!("a hold between {}", between(&some, "and", &others));
                self.note(first, &text);
                held = Some(Hold::new(world, both_ways(&some, &others)));
            }
            Trouble::OneWayPartition => {
                let text = format!("a one-way partition {}", between(&some, "to", &others));
                self.note(first, &text);
                cut = Some(Partition::new(world, pairs(&some, &others)));
            }
            _ => {
                let text = format!("a partition of {}", between(&some, "from", &others));
                self.note(first, &text);
                cut = Some(Partition::new(world, both_ways(&some, &others)));
            }
        }
        self.last().await;
        drop((cut, held));
    }

    async fn end_a_host(&mut self) {
        let mut hosts = self.nodes();
        hosts.retain(|node| node.is_up() && node.is_host());
        let Some(host) = self.one_of(hosts) else {
            return;
        };
        let says_goodbye = self.planned.kind == Trouble::Crash;
        let what = match says_goodbye {
            true => "a crash of",
            false => "a power failure of",
        };
        self.note(Some(&host), &format!("{what} {}", host.name()));
        host.end(says_goodbye);
        self.last().await;
        host.restart();
    }
}
