//! The faults of one execution: each has an identity, is recorded when it happens, and can be left
//! out.
//!
//! An identity does not depend on earlier events: it is the number of a trouble in the plan of
//! [`Chaos`](crate::Chaos), of a packet on its link, of an operation on its disk, of a call of
//! `buggify!` at its place, or of a fault among those that the test causes. So leaving out one
//! fault does not rename the others, and minimising can try subsets of the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::random::{Concern, Random, mix};
use crate::runtime::Sim;

/// The environment variable with the only faults that happen in a replay.
pub const FAULTS_VARIABLE: &str = "ANYRT_SIM_FAULTS";

/// The value that stands for an empty list.
const NONE: &str = "none";

/// Further faults are counted but not kept.
const KEPT: usize = 100_000;

/// Identifies a fault within the executions of one seed.
///
/// | written | meaning |
/// |---|---|
/// | `3` | the third trouble of [`Chaos`](crate::Chaos) |
/// | `t2` | the second fault that the test causes itself, such as a partition or a crash |
/// | `1-2.57` | the 57th packet from node 1 to node 2; node 0 is `main`, the others are numbered as they were added |
/// | `d1.57` | the fault of the 57th operation on the disk of node 1 |
/// | `b3f2a.5` | the fifth call of a `buggify!`; the digits identify its place in the source |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId {
    source: Source,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Source {
    Chaos,
    Test,
    Link(u32, u32),
    Place(u16),
    Disk(u32),
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Chaos => write!(f, "{}", self.number),
            Source::Test => write!(f, "t{}", self.number),
            Source::Link(from, to) => write!(f, "{from}-{to}.{}", self.number),
            Source::Disk(node) => write!(f, "d{node}.{}", self.number),
            Source::Place(place) => write!(f, "b{place:04x}.{}", self.number),
        }
    }
}

/// The error for a text that is not a fault id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFaultId {
    text: String,
}

impl fmt::Display for InvalidFaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} names no fault: it must be as 3, t2, 1-2.57, d1.57 or b3f2a.5",
            self.text
        )
    }
}

impl std::error::Error for InvalidFaultId {}

impl FromStr for FaultId {
    type Err = InvalidFaultId;

    fn from_str(text: &str) -> Result<Self, InvalidFaultId> {
        let parse = || {
            let (source, number) = if let Some(number) = text.strip_prefix('t') {
                (Source::Test, number)
            } else if let Some(rest) = text.strip_prefix('b') {
                let (place, number) = rest.split_once('.')?;
                (Source::Place(u16::from_str_radix(place, 16).ok()?), number)
            } else if let Some(rest) = text.strip_prefix('d') {
                let (node, number) = rest.split_once('.')?;
                (Source::Disk(node.parse().ok()?), number)
            } else if let Some((link, number)) = text.split_once('.') {
                let (from, to) = link.split_once('-')?;
                (Source::Link(from.parse().ok()?, to.parse().ok()?), number)
            } else {
                (Source::Chaos, text)
            };
            let number = number.parse().ok()?;
            Some(Self { source, number })
        };
        parse().ok_or_else(|| InvalidFaultId {
            text: text.to_owned(),
        })
    }
}

/// Formats the faults for [`FAULTS_VARIABLE`].
pub(crate) fn list(faults: &BTreeSet<FaultId>) -> String {
    if faults.is_empty() {
        return NONE.to_owned();
    }
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    faults.join(",")
}

/// Parses the output of [`list`].
pub(crate) fn parse_list(text: &str) -> Result<BTreeSet<FaultId>, InvalidFaultId> {
    if text.trim() == NONE {
        return Ok(BTreeSet::new());
    }
    text.split(',').map(|id| id.trim().parse()).collect()
}

/// A fault that happened; see [`Sim::faults`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    id: FaultId,
    time: Duration,
    node: usize,
    what: String,
}

impl Fault {
    /// Returns its identity.
    pub fn id(&self) -> FaultId {
        self.id
    }

    /// Returns the virtual time at which it happened.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Returns the number of the node that it happened to, or of the first of them.
    pub(crate) fn node(&self) -> usize {
        self.node
    }

    /// Returns a description, with the names of the nodes.
    pub fn description(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}: {}", self.id, self.time, self.what)
    }
}

/// The fate of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hit {
    Lost,
    Doubled,
}

#[derive(Debug)]
enum Injection {
    Packet(Hit),
    Misbehaves(&'static str),
    Told { node: usize, text: String },
}

#[derive(Debug)]
struct Noted {
    id: FaultId,
    nanos: u64,
    what: Injection,
}

/// The faults of a world. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Injected {
    seed: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The only faults that happen; all, if `None`.
    only: Option<BTreeSet<FaultId>>,
    noted: Vec<Noted>,
    count: u64,
    /// The last number of each source.
    last: BTreeMap<Source, u64>,
}

impl State {
    fn next(&mut self, source: Source) -> FaultId {
        let last = self.last.entry(source).or_default();
        *last += 1;
        FaultId {
            source,
            number: *last,
        }
    }

    fn allows(&self, id: FaultId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&id))
    }

    fn note(&mut self, id: FaultId, nanos: u64, what: Injection) {
        self.count += 1;
        if self.noted.len() < KEPT {
            self.noted.push(Noted { id, nanos, what });
        }
    }
}

impl Injected {
    pub(crate) fn new(seed: u64, only: Option<BTreeSet<FaultId>>) -> Self {
        let state = State {
            only,
            ..State::default()
        };
        Self {
            seed,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the identity of the next trouble in a plan.
    pub(crate) fn next_trouble(&self) -> FaultId {
        self.lock().next(Source::Chaos)
    }

    pub(crate) fn allows(&self, id: FaultId) -> bool {
        self.lock().allows(id)
    }

    /// Records a trouble of `node`, and of the others that the text names.
    pub(crate) fn note(&self, id: FaultId, nanos: u64, node: usize, text: String) {
        self.lock().note(id, nanos, Injection::Told { node, text });
    }

    /// Records a fault that the test causes. Returns `false` if it is left out.
    pub(crate) fn by_test(&self, nanos: u64, node: usize, text: impl FnOnce() -> String) -> bool {
        let mut state = self.lock();
        let id = state.next(Source::Test);
        let allowed = state.allows(id);
        if allowed {
            let text = text();
            state.note(id, nanos, Injection::Told { node, text });
        }
        allowed
    }

    /// Decides the fate of the next packet of a link.
    pub(crate) fn packet(
        &self,
        nanos: u64,
        (from, to): (usize, usize),
        loss: f64,
        duplication: f64,
    ) -> Option<Hit> {
        if loss <= 0.0 && duplication <= 0.0 {
            return None;
        }
        let mut state = self.lock();
        let id = state.next(Source::Link(from as u32, to as u32));
        let link = mix(self.seed ^ mix(from as u64) ^ mix(!(to as u64)));
        let mut random = Random::new(mix(link ^ mix(id.number)), Concern::Faults);
        let hit = if random.chance(loss) {
            Hit::Lost
        } else if random.chance(duplication) {
            Hit::Doubled
        } else {
            return None;
        };
        if !state.allows(id) {
            return None;
        }
        state.note(id, nanos, Injection::Packet(hit));
        Some(hit)
    }

    /// Records the fault of the operation of that number on the disk of a node. Returns `false` if
    /// it is left out.
    pub(crate) fn disk(
        &self,
        nanos: u64,
        node: usize,
        number: u64,
        text: impl FnOnce() -> String,
    ) -> bool {
        let mut state = self.lock();
        let source = Source::Disk(node as u32);
        let id = FaultId { source, number };
        let allowed = state.allows(id);
        if allowed {
            let text = text();
            state.note(id, nanos, Injection::Told { node, text });
        }
        allowed
    }

    /// Returns `true` if the next call at a place misbehaves. The digest is that of seed and place.
    pub(crate) fn misbehaves(
        &self,
        nanos: u64,
        place: &'static str,
        digest: u64,
        probability: f64,
    ) -> bool {
        let mut state = self.lock();
        // Without the seed, so that a place always has the same name.
        let name = place
            .bytes()
            .fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        let id = state.next(Source::Place(name as u16));
        let mut random = Random::new(mix(digest ^ mix(id.number)), Concern::Buggify);
        let happens = random.chance(probability) && state.allows(id);
        if happens {
            state.note(id, nanos, Injection::Misbehaves(place));
        }
        happens
    }

    /// Returns all faults in order, with the names of these nodes.
    fn happened(&self, nodes: &[&str]) -> Vec<Fault> {
        let name = |node: u32| nodes.get(node as usize).copied().unwrap_or("?");
        let state = self.lock();
        let told = state.noted.iter().map(|noted| {
            let (node, what) = match (&noted.what, noted.id.source) {
                (Injection::Packet(hit), Source::Link(from, to)) => {
                    let what = match hit {
                        Hit::Lost => "is lost",
                        Hit::Doubled => "is doubled",
                    };
                    let text = format!("a packet from {} to {} {what}", name(from), name(to));
                    (from as usize, text)
                }
                (Injection::Packet(_), _) => (0, "a packet is lost or doubled".to_owned()),
                (Injection::Misbehaves(place), _) => (0, format!("buggify! at {place}")),
                (Injection::Told { node, text }, _) => (*node, text.clone()),
            };
            Fault {
                id: noted.id,
                time: Duration::from_nanos(noted.nanos),
                node,
                what,
            }
        });
        told.collect()
    }

    /// Returns the number of faults, including those that are not kept.
    pub(crate) fn count(&self) -> u64 {
        self.lock().count
    }
}

impl Sim {
    /// Returns the faults that have happened so far, in order: those of [`chaos`](Self::chaos),
    /// packets that were lost or duplicated, disk operations that failed or hung, calls of
    /// `buggify!` that returned `true`, and those that the test caused. At most 100,000 are kept.
    ///
    /// ```
    /// use anyrt_sim::{Chaos, Sim, SimRuntime};
    /// use anyrt_core::Timer;
    /// use std::time::Duration;
    ///
    /// let program = |sim: &Sim| {
    ///     sim.host("server", std::future::pending::<()>);
    ///     sim.chaos(Chaos::swarm());
    ///     sim.client("client", async {
    ///         let rt = SimRuntime::try_current().unwrap();
    ///         rt.sleep(Duration::from_secs(40)).await;
    ///     });
    ///     sim.run().unwrap();
    ///     sim.faults()
    /// };
    /// let all = program(&Sim::new(7));
    /// let second = all[1].id();
    /// let sim = Sim::builder().seed(7).only_faults([second]).build()?;
    /// assert_eq!(program(&sim).len(), 1);
    /// # Ok::<(), anyrt_core::error::BuildError>(())
    /// ```
    pub fn faults(&self) -> Vec<Fault> {
        use anyrt_core::runtime::Owner;
        let nodes = self.handle().nodes();
        let names: Vec<_> = nodes.iter().map(crate::node::Node::name).collect();
        self.handle().world().injected.happened(&names)
    }

    /// Returns the number of faults so far, including those that [`faults`](Self::faults) does not
    /// keep.
    pub fn fault_count(&self) -> u64 {
        use anyrt_core::runtime::Owner;
        self.handle().world().injected.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_read_back() {
        for text in ["3", "t2", "1-2.57", "d1.57", "b3f2a.5", "b000a.1"] {
            let id: FaultId = text.parse().expect("it is one");
            assert_eq!(id.to_string(), text);
        }
        for text in [
            "", "x", "-1", "t", "1-2", "1.2", "bxyz.1", "b1", "d1", "1-2.x",
        ] {
            let error = text.parse::<FaultId>().expect_err("it is none");
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn lists_are_read_back() {
        for text in ["none", "3,t2,1-2.57"] {
            let faults = parse_list(text).expect("it is one");
            assert_eq!(list(&faults), text);
        }
        assert!(parse_list("3,,4").is_err());
        assert!(parse_list("").is_err());
    }

    #[test]
    fn what_is_left_out_changes_no_other_packet() {
        let hits = |only| {
            let injected = Injected::new(5, only);
            for _ in 0..1_000 {
                injected.packet(0, (1, 2), 0.1, 0.1);
            }
            let happened = injected.happened(&[]);
            happened.iter().map(Fault::id).collect::<BTreeSet<_>>()
        };
        let all = hits(None);
        assert!((150..250).contains(&all.len()), "{}", all.len());
        let some: BTreeSet<_> = all.iter().copied().step_by(7).collect();
        assert_eq!(hits(Some(some.clone())), some);
        assert_eq!(hits(Some(BTreeSet::new())), BTreeSet::new());
    }
}
