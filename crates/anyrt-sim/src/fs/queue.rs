//! The disks of all nodes, and the operations that are under way: each happens at a time that the seed has chosen.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use rustix::io::Errno;
use tempfile::TempDir;

use super::faults::DiskFaults;
use super::store::Store;
use crate::random::{Concern, Random, mix};
use crate::runtime::SimRuntime;
use crate::trace::Event;
use crate::world::World;

/// What an operation does, as far as faults and times depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Neither reads nor changes what is on the disk.
    Look = 1,
    Read = 2,
    Write = 3,
    Sync = 4,
}

/// What an operation works with.
pub(super) struct Doing<'a> {
    pub(super) store: &'a mut Store,
    pub(super) random: &'a mut Random,
    pub(super) faults: DiskFaults,
}

/// Does a part of an operation. Once it is done, gives who waits for it.
type Step = Box<dyn FnMut(&mut Doing<'_>) -> Poll<Option<Waker>> + Send>;

struct Operation {
    rt: SimRuntime,
    what: What,
    step: Step,
}

/// See [the module](self).
pub(crate) struct Disks {
    random: Random,
    usual: DiskFaults,
    special: BTreeMap<usize, DiskFaults>,
    stores: BTreeMap<usize, Store>,
    /// By the time at which they happen.
    under_way: BTreeMap<(u64, u64), Operation>,
    number: u64,
    /// Where the disks are, as soon as there is one.
    directory: Option<TempDir>,
    is_over: bool,
}

impl Disks {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed, Concern::Disk),
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

    /// Works with the disk of a node, where its clock says `now`.
    pub(super) fn with<T>(
        &mut self,
        node: usize,
        now: SystemTime,
        job: impl FnOnce(&mut Doing<'_>) -> T,
    ) -> io::Result<T> {
        if self.is_over {
            return Err(over());
        }
        let faults = self.faults(node);
        if !self.stores.contains_key(&node) {
            if self.directory.is_none() {
                self.directory = Some(directory()?);
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
        let mut doing = Doing {
            store,
            random: &mut self.random,
            faults,
        };
        Ok(job(&mut doing))
    }

    /// Draws how long a step takes.
    fn latency(&mut self, node: usize, what: What) -> u64 {
        let faults = self.faults(node);
        let latency = match what {
            What::Sync => faults.sync_latency,
            _ => faults.latency,
        };
        let mut nanos = latency.draw(&mut self.random);
        if self.random.chance(faults.stalls) {
            nanos = nanos.saturating_add(faults.stall.draw(&mut self.random));
        }
        nanos
    }

    fn plan(&mut self, world: &World, now: u64, operation: Operation) {
        let latency = self.latency(operation.rt.node_state().id(), operation.what);
        self.number += 1;
        let at = (now.saturating_add(latency), self.number);
        self.under_way.insert(at, operation);
        self.tell(world);
    }

    fn tell(&self, world: &World) {
        let first = self.under_way.first_key_value();
        let due = first.map_or(u64::MAX, |((at, _), _)| *at);
        world.disk_due.store(due, Ordering::SeqCst);
    }

    fn take_of(&mut self, world: &World, is_meant: impl Fn(&Operation) -> bool) -> Vec<Operation> {
        let taken = self
            .under_way
            .extract_if(.., |_, operation| is_meant(operation));
        let taken = taken.map(|(_, operation)| operation).collect();
        self.tell(world);
        taken
    }
}

/// A directory in memory, where the system has one. Its name takes no random number, which the seed may be asked for.
fn directory() -> io::Result<TempDir> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("anyrt-sim-{}-{number}", process::id());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&name).rand_bytes(0);
        let made = builder
            .tempdir_in("/dev/shm")
            .or_else(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Err(error),
                _ => builder.tempdir(),
            });
        match made {
            // Of a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
    }
}

/// The process that had the file, or its machine, is gone.
fn over() -> io::Error {
    Errno::BADF.into()
}

impl World {
    pub(crate) fn disks(&self) -> MutexGuard<'_, Disks> {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is due on the disks.
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
            let stepped = disks.with(node, now, |doing| {
                let stepped = (operation.step)(doing);
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
                // Whoever waits hears of it when the operation is dropped.
                Err(_) => (Some(operation), 0),
            };
            drop(disks);
            drop(done);
            let content = (mix(what ^ mix(clock)) << 16) | node as u64;
            self.scheduler().note(nanos, Event::Disk(content));
        }
    }

    /// What the node has asked of its disk and was not done yet is not done.
    pub(crate) fn end_disk_use(&self, node: usize) {
        let is_of = |operation: &Operation| operation.rt.node_state().id() == node;
        let taken = self.disks().take_of(self, is_of);
        drop(taken);
    }

    pub(crate) fn has_disk(&self, node: usize) -> bool {
        self.disks().stores.contains_key(&node)
    }

    /// The power of a node fails.
    pub(crate) fn lose_unsynced(&self, node: usize, now: SystemTime) -> io::Result<()> {
        let mut disks = self.disks();
        if !disks.stores.contains_key(&node) {
            return Ok(());
        }
        let faults = disks.faults(node);
        disks.with(node, now, |doing| {
            doing.store.lose(faults.unsynced, doing.random)
        })?
    }

    /// The node has a new, empty disk.
    pub(crate) fn replace_disk(&self, node: usize) {
        let mut disks = self.disks();
        if let Some(store) = disks.stores.remove(&node) {
            store.destroy();
        }
    }

    /// Nobody waits for a disk any more, and the real directories are removed.
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

/// An operation that was started. It happens even if this is dropped; it does not if the node is crashed before.
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
    let operation = Operation {
        rt: rt.clone(),
        what,
        step,
    };
    let world = rt.world();
    let mut disks = world.disks();
    if disks.is_over {
        drop(disks);
        return job;
    }
    disks.plan(world, world.nanos(), operation);
    drop(disks);
    world.planned();
    job
}

/// Whether the disk fails. How a sync fails is its own matter.
fn fault(what: What, doing: &mut Doing<'_>) -> Option<io::Error> {
    let probability = match what {
        What::Read => doing.faults.read_error,
        What::Write => doing.faults.write_error,
        What::Look | What::Sync => 0.0,
    };
    doing.random.chance(probability).then(|| Errno::IO.into())
}
