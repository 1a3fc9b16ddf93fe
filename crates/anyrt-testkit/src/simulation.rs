//! Simulated runtimes: a case runs under many seeds, and its peers run on a second node.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;

use anyrt_core::net::{Net, SocketOptions};
use anyrt_core::runtime::Owner;

pub(crate) mod node;

use node::{AnyNode, Node};

thread_local! {
    /// The peers of the case on this thread. Without any, they are sockets of the operating system.
    static PEERS: RefCell<Option<Arc<Peers>>> = const { RefCell::new(None) };
    /// This thread is a job that stands for a plain thread.
    static STANDS_IN: RefCell<Option<Arc<Peers>>> = const { RefCell::new(None) };
}

/// The executions of each case: one for each seed.
#[derive(Debug, Clone)]
pub struct Seeds {
    /// The seeds. Every fourth is run twice, to compare the
    /// [fingerprints](Simulation::fingerprint).
    pub range: Range<u64>,
    /// The command that runs the case `{case}` under the seed `{seed}` alone, printed on failure.
    pub replay: &'static str,
}

impl Seeds {
    pub(crate) fn is_compared(seed: u64) -> bool {
        seed.is_multiple_of(4)
    }

    pub(crate) fn replay(&self, case: &str, seed: u64) -> String {
        let seed = seed.to_string();
        self.replay.replace("{seed}", &seed).replace("{case}", case)
    }
}

/// A runtime with its own network, built for one execution of a case, and a second node for the
/// peers of the case.
pub struct Simulation<O: Owner> {
    pub(crate) owner: O,
    pub(crate) peers: Peers,
}

impl<O: Owner> Simulation<O>
where
    <O::Handle as Net>::TcpStream: SocketOptions,
{
    /// Creates a simulation of `owner`, whose address is `here`, and of a node `peers` in the same
    /// network, whose address is `there`.
    pub fn new(owner: O, here: IpAddr, peers: O::Handle, there: IpAddr) -> Self {
        let node = Node {
            rt: peers,
            ip: there,
            block_on: None,
        };
        let peers = Peers {
            here: SocketAddr::new(here, 0),
            fingerprint: None,
            in_lock_step: false,
            node: Box::new(node),
        };
        Self { owner, peers }
    }

    /// Tells that no thread may run beside the simulation: what cases do on plain threads, they do
    /// in blocking jobs of the peers' node, where `block_on` waits for a future and lets the
    /// simulation go on.
    pub fn in_lock_step(
        mut self,
        peers: O::Handle,
        block_on: impl Fn(&O::Handle, Pin<&mut dyn Future<Output = ()>>) + Send + Sync + 'static,
    ) -> Self {
        let node = Node {
            rt: peers,
            ip: self.peers.node.ip(),
            block_on: Some(Arc::new(block_on)),
        };
        self.peers.node = Box::new(node);
        self.peers.in_lock_step = true;
        self
    }

    /// Sets what must be equal after two executions under one seed. It returns `None` if something
    /// foreign took part.
    pub fn fingerprint(
        mut self,
        fingerprint: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        self.peers.fingerprint = Some(Box::new(fingerprint));
        self
    }
}

impl<O: Owner> fmt::Debug for Simulation<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// Where the other side of the network cases lives.
pub(crate) struct Peers {
    pub(crate) node: Box<dyn AnyNode>,
    /// Any port of the runtime under test, as the node sees it.
    pub(crate) here: SocketAddr,
    in_lock_step: bool,
    fingerprint: Option<Box<dyn Fn() -> Option<u64> + Send + Sync>>,
}

impl Peers {
    pub(crate) fn fingerprint(&self) -> Option<u64> {
        self.fingerprint.as_ref().and_then(|of| of())
    }
}

/// Sets the peers of the case on this thread.
pub(crate) fn set_peers(peers: Option<Arc<Peers>>) {
    PEERS.set(peers);
}

/// Returns the peers of the case on this thread, if they are simulated.
pub(crate) fn peers() -> Option<Arc<Peers>> {
    PEERS.with_borrow(Clone::clone)
}

/// Runs `work` in a job that stands for a plain thread, or gives it back if threads may run beside
/// the case.
pub(crate) fn stand_in<F: FnOnce() + Send + 'static>(work: F) -> Result<(), F> {
    let Some(peers) = peers().filter(|peers| peers.in_lock_step) else {
        return Err(work);
    };
    let there = Arc::clone(&peers);
    peers.node.spawn_blocking(Box::new(move || {
        PEERS.set(Some(Arc::clone(&there)));
        STANDS_IN.set(Some(there));
        work();
        STANDS_IN.set(None);
        PEERS.set(None);
    }));
    Ok(())
}

/// Waits for `future` in a job that stands for a plain thread; `None` on any other thread, where
/// the future was not polled.
pub(crate) fn wait_as_stand_in<F: Future>(future: &mut Option<F>) -> Option<F::Output> {
    let peers = STANDS_IN.with_borrow(Clone::clone)?;
    let future = future.take()?;
    let mut output = None;
    peers.node.block_on(pin!(async {
        output = Some(future.await);
    }));
    output
}
