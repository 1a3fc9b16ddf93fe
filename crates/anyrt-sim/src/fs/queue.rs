//! The disks of all nodes and the operations in progress, each of which takes place at a time that
//! the seed chooses.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use rustix::io::Errno;

use super::directory::TemporaryDirectory;
use super::faults::DiskFaults;
use super::store::Store;
use crate::injected::Injected;
use crate::random::{Concern, Random, mix};
use crate::runtime::SimRuntime;
use crate::trace::Event;
use crate::world::World;

/// The kind of an operation, as far as faults and times depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Neither reads nor changes the contents of the disk.
    Look = 1,
    Read = 2,
    Write = 3,
    Sync = 4,
}

/// The context of an operation.
pub(super) struct Doing<'a> {
    pub(super) store: &'a mut Store,
    /// Used by this operation only, so that its draws do not affect others.
    pub(super) random: &'a mut Random,
    pub(super) faults: DiskFaults,
    fate: &'a Fate,
}

impl Doing<'_> {
    /// Returns `true` if a fault of that probability hits the operation.
    pub(super) fn suffers(&mut self, probability: f64, what: &str) -> bool {
        self.random.chance(probability) && self.fate.allows(what)
    }
}

/// The faults of an operation.
struct Fate {
    injected: Injected,
    /// The node, if faults may happen at all.
    rt: Option<SimRuntime>,
    number: u64,
}

impl Fate {
    fn allows(&self, what: &str) -> bool {
        let Some(rt) = &self.rt else {
            return false;
        };
        let (node, nanos) = (rt.node_state(), rt.world().nanos());
        let text = || format!("{what} of {}", node.name());
        self.injected.disk(nanos, node.id(), self.number, text)
    }
}

/// A step of an operation. When done, returns the waker of the task that waits for it.
type Step = Box<dyn FnMut(&mut Doing<'_>) -> Poll<Option<Waker>> + Send>;

struct DiskOperation {
    rt: SimRuntime,
    what: What,
    fate: Fate,
    random: Random,
    step: Step,
}

/// See [the module](self).
pub(crate) struct Disks {
    seed: u64,
    injected: Injected,
    /// The number of operations and power failures of each disk.
    counts: BTreeMap<usize, u64>,
    usual: DiskFaults,
    special: BTreeMap<usize, DiskFaults>,
    stores: BTreeMap<usize, Store>,
    /// Ordered by the time at which they happen.
    under_way: BTreeMap<(u64, u64), DiskOperation>,
    number: u64,
    /// The location of the disks, once there is one.
    directory: Option<TemporaryDirectory>,
    is_over: bool,
}

impl Disks {
    pub(crate) fn new(seed: u64, injected: Injected) -> Self {
        Self {
            seed,
            injected,
            counts: BTreeMap::new(),
            usual: DiskFaults::default(),
            special: BTreeMap::new(),
            stores: BTreeMap::new(),
            under_way: BTreeMap::new(),
            number: 0,
            directory: None,
            is_over: false,
        }
    }

    pub(super) fn faults(&self, node: usize) -> DiskFaults {
        *self.special.get(&node).unwrap_or(&self.usual)
    }

    pub(super) fn set_faults(&mut self, node: Option<usize>, faults: DiskFaults) {
        match node {
            Some(node) => drop(self.special.insert(node, faults)),
            None => self.usual = faults,
        }
    }

    /// Returns the number of the next operation or power failure of a disk, and its random numbers.
    fn next(&mut self, node: usize) -> (u64, Random) {
        let number = self.counts.entry(node).or_default();
        *number += 1;
        let own = mix(self.seed ^ mix(!(node as u64))) ^ mix(*number);
        (*number, Random::new(own, Concern::Disk))
    }

    /// Runs `job` on the disk of a node at the clock reading `now`, without faults.
    pub(super) fn with<T>(
        &mut self,
        node: usize,
        now: SystemTime,
        job: impl FnOnce(&mut Doing<'_>) -> T,
    ) -> io::Result<T> {
        let fate = Fate {
            injected: self.injected.clone(),
            rt: None,
            number: 0,
        };
        let mut random = Random::new(self.seed, Concern::Disk);
        self.doing(node, now, &fate, &mut random, job)
    }

    fn doing<T>(
        &mut self,
        node: usize,
        now: SystemTime,
        fate: &Fate,
        random: &mut Random,
        job: impl FnOnce(&mut Doing<'_>) -> T,
    ) -> io::Result<T> {
        if self.is_over {
            return Err(over());
        }
        let faults = self.faults(node);
        if !self.stores.contains_key(&node) {
            if self.directory.is_none() {
                self.directory = Some(TemporaryDirectory::new()?);
            }
            let Some(directory) = &self.directory else {
                return Err(over());
            };
            self.number += 1;
            // A disk that was wiped had another name.
            let name = format!("{node}-{}", self.number);
            let store = Store::new(directory.path().join(name))?;
            self.stores.insert(node, store);
        }
        let Some(store) = self.stores.get_mut(&node) else {
            return Err(over());
        };
        store.set(now, faults.capacity);
        Ok(job(&mut Doing {
            store,
            random,
            faults,
            fate,
        }))
    }

    /// Draws the duration of a step, and plans it.
    fn plan(&mut self, world: &World, now: u64, mut operation: DiskOperation) {
        let faults = self.faults(operation.rt.node_state().id());
        let latency = match operation.what {
            What::Sync => faults.sync_latency,
            _ => faults.latency,
        };
        let random = &mut operation.random;
        let mut nanos = latency.draw(random);
        if random.chance(faults.stalls) {
            let stall = faults.stall.draw(random);
            if operation.fate.allows("a stall of the disk") {
                nanos = nanos.saturating_add(stall);
            }
        }
        self.number += 1;
        let at = (now.saturating_add(nanos), self.number);
        self.under_way.insert(at, operation);
        self.tell(world);
    }

    fn tell(&self, world: &World) {
        let first = self.under_way.first_key_value();
        let due = first.map_or(u64::MAX, |((at, _), _)| *at);
        world.disk_due.store(due, Ordering::SeqCst);
    }

    fn take_of(
        &mut self,
        world: &World,
        is_meant: impl Fn(&DiskOperation) -> bool,
    ) -> Vec<DiskOperation> {
        let taken = self
            .under_way
            .extract_if(.., |_, operation| is_meant(operation));
        let taken = taken.map(|(_, operation)| operation).collect();
        self.tell(world);
        taken
    }
}

/// Returns the error of operations after a crash.
fn over() -> io::Error {
    Errno::BADF.into()
}

impl World {
    pub(crate) fn disks(&self) -> MutexGuard<'_, Disks> {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Executes the operations that are due.
    pub(crate) fn use_disks(&self, nanos: u64, woken: &mut Vec<Waker>) {
        while self.disk_due.load(Ordering::SeqCst) <= nanos {
            let first = {
                let mut disks = self.disks();
                let first = disks.under_way.pop_first();
                disks.tell(self);
                first
            };
            let Some((_, mut operation)) = first else {
                return;
            };
            let now = operation.rt.system_time();
            let node = operation.rt.node_state().id();
            let mut disks = self.disks();
            let DiskOperation {
                fate, random, step, ..
            } = &mut operation;
            let stepped = disks.doing(node, now, fate, random, |doing| {
                let stepped = step(doing);
                (stepped, doing.store.clock())
            });
            let what = operation.what as u64;
            let (done, clock) = match stepped {
                Ok((Poll::Pending, clock)) => {
                    disks.plan(self, nanos, operation);
                    (None, clock)
                }
                Ok((Poll::Ready(waker), clock)) => {
                    woken.extend(waker);
                    (Some(operation), clock)
                }
                // Dropping the operation wakes the waiting task.
                Err(_) => (Some(operation), 0),
            };
            drop(disks);
            drop(done);
            let content = (mix(what ^ mix(clock)) << 16) | node as u64;
            self.scheduler().note(nanos, Event::Disk(content));
        }
    }

    /// Cancels the operations of a node.
    pub(crate) fn end_disk_use(&self, node: usize) {
        let is_of = |operation: &DiskOperation| operation.rt.node_state().id() == node;
        let taken = self.disks().take_of(self, is_of);
        drop(taken);
    }

    pub(crate) fn has_disk(&self, node: usize) -> bool {
        self.disks().stores.contains_key(&node)
    }

    /// Loses the unsynced changes of a node.
    pub(crate) fn lose_unsynced(&self, node: usize, now: SystemTime) -> io::Result<()> {
        let mut disks = self.disks();
        if !disks.stores.contains_key(&node) {
            return Ok(());
        }
        let (_, mut random) = disks.next(node);
        disks.with(node, now, |doing| {
            doing.store.lose(doing.faults.unsynced, &mut random)
        })?
    }

    /// Replaces the disk of a node with an empty one.
    pub(crate) fn replace_disk(&self, node: usize) {
        let mut disks = self.disks();
        if let Some(store) = disks.stores.remove(&node) {
            store.destroy();
        }
    }

    /// Cancels all operations and removes the real directories.
    pub(crate) fn end_disks(&self) {
        let (taken, directory) = {
            let mut disks = self.disks();
            disks.is_over = true;
            disks.stores.clear();
            (disks.take_of(self, |_| true), disks.directory.take())
        };
        drop((taken, directory));
    }
}

struct Slot<T> {
    result: Option<io::Result<T>>,
    waker: Option<Waker>,
    is_over: bool,
}

fn lock<T>(slot: &Mutex<Slot<T>>) -> MutexGuard<'_, Slot<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A started operation. It takes place even if this is dropped, unless the node crashes first.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Job<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

impl<T> std::fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

/// The other end of a [`Job`]; dropped with the operation.
struct Giver<T>(Arc<Mutex<Slot<T>>>);

impl<T> Giver<T> {
    fn give(&self, result: io::Result<T>) -> Option<Waker> {
        let mut slot = lock(&self.0);
        slot.result = Some(result);
        slot.waker.take()
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = lock(&self.0);
            slot.is_over = true;
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Job<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = lock(&self.slot);
        if let Some(result) = slot.result.take() {
            return Poll::Ready(result);
        }
        if slot.is_over {
            return Poll::Ready(Err(over()));
        }
        let old = slot.waker.replace(cx.waker().clone());
        drop(slot);
        drop(old);
        Poll::Pending
    }
}

/// Starts an operation on the disk of the node, of one step or, where `step` is pending, more.
pub(super) fn submit<T: Send + 'static>(
    rt: &SimRuntime,
    what: What,
    mut step: impl FnMut(&mut Doing<'_>) -> Poll<io::Result<T>> + Send + 'static,
) -> Job<T> {
    let slot = Arc::new(Mutex::new(Slot {
        result: None,
        waker: None,
        is_over: false,
    }));
    let job = Job {
        slot: Arc::clone(&slot),
    };
    let giver = Giver(slot);
    if !rt.node_state().is_alive(rt.life()) {
        return job;
    }
    let step = Box::new(move |doing: &mut Doing<'_>| {
        if let Some(error) = fault(what, doing) {
            return Poll::Ready(giver.give(Err(error)));
        }
        step(doing).map(|result| giver.give(result))
    });
    let world = rt.world();
    let mut disks = world.disks();
    if disks.is_over {
        drop(disks);
        return job;
    }
    let (number, random) = disks.next(rt.node_state().id());
    let fate = Fate {
        injected: disks.injected.clone(),
        rt: Some(rt.clone()),
        number,
    };
    let operation = DiskOperation {
        rt: rt.clone(),
        what,
        fate,
        random,
        step,
    };
    disks.plan(world, world.nanos(), operation);
    drop(disks);
    world.planned();
    job
}

/// Returns an error if the disk fails. Syncs handle their faults themselves.
fn fault(what: What, doing: &mut Doing<'_>) -> Option<io::Error> {
    let (probability, text) = match what {
        What::Read => (doing.faults.read_error, "a failing read from the disk"),
        What::Write => (doing.faults.write_error, "a failing write to the disk"),
        What::Look | What::Sync => return None,
    };
    doing.suffers(probability, text).then(|| Errno::IO.into())
}
