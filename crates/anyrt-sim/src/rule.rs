//! Rules: the test decides the fate of single messages.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use anyrt_core::runtime::Owner;

use crate::failure::{FailureKind, place};
use crate::node::NodeState;
use crate::runtime::{Sim, SimRuntime};
use crate::trace::Event;
use crate::world::World;

/// The kind of a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// A request for a TCP connection.
    Connect,
    /// The answer to it: the system has accepted the connection.
    Accepted,
    /// Bytes of a TCP connection, sent by one write.
    Data,
    /// The end of one direction of a TCP connection, a FIN.
    End,
    /// The end of a TCP connection by an RST, including the refusal of a request.
    Reset,
    /// A UDP datagram.
    Datagram,
    /// A look-up of a name, which is the payload. It comes from port 0 and goes to port 53 of no
    /// node.
    Lookup,
}

/// A message that is about to arrive, as a [rule](SimRuntime::rule) sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<'a> {
    /// The kind of the message.
    pub kind: MessageKind,
    /// The name of the sending node.
    pub from: &'a str,
    /// The name of the receiving node; for a look-up, the name to resolve.
    pub to: &'a str,
    /// The source address.
    pub source: SocketAddr,
    /// The destination address.
    pub destination: SocketAddr,
    /// The bytes of data and datagrams, the name of a look-up, or nothing.
    pub payload: &'a [u8],
    /// The virtual time since the simulation began.
    pub time: Duration,
}

/// The decision of a [rule](SimRuntime::rule) about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The message arrives, unless another rule decides otherwise.
    Pass,
    /// The message is lost. A packet of a connection is retransmitted at growing intervals, and the
    /// rules are called again; a look-up fails after five seconds.
    Drop,
    /// The message arrives later by this time. Later packets of its connection wait.
    Delay(Duration),
    /// The message arrives twice, if it is a datagram; TCP hides duplicates.
    Duplicate,
}

/// A message without the names of its nodes.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) kind: MessageKind,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) payload: Vec<u8>,
}

type Judge = dyn FnMut(&Message<'_>) -> Verdict + Send;

/// The rules of a world.
#[derive(Default)]
pub(crate) struct Rules {
    list: Mutex<Vec<(u64, Arc<Mutex<Judge>>)>>,
    next: Mutex<u64>,
    /// Whether there are any; most simulations have none.
    any: AtomicBool,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Rules {
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::SeqCst)
    }

    fn add(&self, judge: Arc<Mutex<Judge>>) -> u64 {
        let id = {
            let mut next = lock(&self.next);
            *next += 1;
            *next
        };
        lock(&self.list).push((id, judge));
        self.any.store(true, Ordering::SeqCst);
        id
    }

    fn remove(&self, id: u64) {
        let mut list = lock(&self.list);
        let at = list.iter().position(|(other, _)| *other == id);
        let removed = at.map(|at| list.remove(at));
        self.any.store(!list.is_empty(), Ordering::SeqCst);
        drop(list);
        drop(removed);
    }

    fn all(&self) -> Vec<Arc<Mutex<Judge>>> {
        let list = lock(&self.list);
        list.iter().map(|(_, judge)| Arc::clone(judge)).collect()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("rules", &lock(&self.list).len())
            .finish_non_exhaustive()
    }
}

impl World {
    /// Calls the rules, in the order in which they were added, until one does not let the message
    /// pass. No lock of the world may be held: a rule may use the simulation.
    fn judge(&self, message: &Message<'_>) -> Verdict {
        for judge in self.rules.all() {
            place::note_panics();
            let asked = catch_unwind(AssertUnwindSafe(|| lock(&judge)(message)));
            match asked {
                Ok(Verdict::Pass) => {}
                Ok(verdict) => return verdict,
                Err(_) => {
                    let place =
                        place::take().map_or_else(String::new, |place| format!(" at {place}"));
                    self.fail(FailureKind::Panic, format!("a rule panicked{place}"));
                }
            }
        }
        Verdict::Pass
    }

    /// Returns the decision of the rules about a message of the network.
    pub(crate) fn judge_draft(&self, draft: &Draft) -> Verdict {
        let (from, to) = {
            let nodes = self.nodes();
            (nodes.get(draft.from), nodes.get(draft.to))
        };
        let (Some(from), Some(to)) = (from, to) else {
            return Verdict::Pass;
        };
        self.judge(&Message {
            kind: draft.kind,
            from: from.name(),
            to: to.name(),
            source: draft.source,
            destination: draft.destination,
            payload: &draft.payload,
            time: self.elapsed(),
        })
    }

    /// Returns the decision of the rules about a look-up.
    pub(crate) fn judge_lookup(&self, node: &NodeState, host: &str) -> Verdict {
        if !self.rules.any() {
            return Verdict::Pass;
        }
        self.judge(&Message {
            kind: MessageKind::Lookup,
            from: node.name(),
            to: host,
            source: (node.ipv4(), 0).into(),
            destination: (Ipv4Addr::UNSPECIFIED, 53).into(),
            payload: host.as_bytes(),
            time: self.elapsed(),
        })
    }

    /// Delivers the due messages that the rules let pass. Returns the events for the trace.
    pub(crate) fn deliver_by_rules(&self, nanos: u64, woken: &mut Vec<Waker>) -> Vec<Event> {
        self.net().look_at_descriptors(nanos);
        loop {
            let due = self.net().take_due(nanos);
            let Some(due) = due else {
                return self.net().take_notes();
            };
            let draft = self.net().draft(&due.1);
            // The lock is not held here: a rule may use the network.
            let verdict = draft.map_or(Verdict::Pass, |draft| self.judge_draft(&draft));
            self.net().execute(due, verdict, woken);
        }
    }
}

impl SimRuntime {
    /// Calls `rule` for each message before it arrives, until the guard is dropped. Use it for
    /// faults that the simulator does not have.
    ///
    /// Rules see every message that partitions and holds let through, also within a node, but no
    /// acknowledgements. Unix sockets and pipes are not part of the network. Rules are called in
    /// the order in which they were set, until one returns something other than [`Verdict::Pass`].
    ///
    /// A rule must depend only on the message, on earlier messages and on the seed
    /// ([`random`](Self::random)); otherwise the execution cannot be replayed. If it panics, the
    /// simulation fails.
    ///
    /// ```
    /// use anyrt_core::{Net, Timer};
    /// use anyrt_sim::{MessageKind, Sim, SimRuntime, Verdict};
    /// use std::time::Duration;
    ///
    /// let sim = Sim::new(1);
    /// sim.host("server", || async {
    ///     let listener = SimRuntime::try_current().unwrap().bind_tcp("0.0.0.0:80").await.unwrap();
    ///     std::future::pending::<()>().await;
    ///     drop(listener);
    /// });
    /// sim.client("client", async {
    ///     let rt = SimRuntime::try_current().unwrap();
    ///     rt.sleep(Duration::from_millis(1)).await;
    ///     // The first request is lost, and repeated after a second.
    ///     let mut requests = 0;
    ///     let _lost = rt.rule(move |message| {
    ///         requests += u32::from(message.kind == MessageKind::Connect);
    ///         match requests {
    ///             1 => Verdict::Drop,
    ///             _ => Verdict::Pass,
    ///         }
    ///     });
    ///     rt.connect_tcp("server:80").await.unwrap();
    ///     assert!(rt.elapsed() > Duration::from_secs(1));
    /// });
    /// sim.run().unwrap();
    /// ```
    #[must_use = "the rule is removed when the guard is dropped"]
    #[track_caller]
    pub fn rule(&self, rule: impl FnMut(&Message<'_>) -> Verdict + Send + 'static) -> Rule {
        let world = Arc::clone(self.world());
        let place = Location::caller();
        let happens = world
            .injected
            .by_test(world.nanos(), 0, || format!("the rule of {place}"));
        let id = happens.then(|| world.rules.add(Arc::new(Mutex::new(rule))));
        Rule { world, id }
    }
}

impl Sim {
    /// See [`SimRuntime::rule`].
    #[must_use = "the rule is removed when the guard is dropped"]
    #[track_caller]
    pub fn rule(&self, rule: impl FnMut(&Message<'_>) -> Verdict + Send + 'static) -> Rule {
        self.handle().rule(rule)
    }
}

/// A rule for messages; see [`SimRuntime::rule`]. Dropping it removes the rule.
pub struct Rule {
    world: Arc<World>,
    /// `None` if the fault is left out.
    id: Option<u64>,
}

impl Rule {
    /// Removes the rule, as dropping it does.
    pub fn remove(self) {}
}

impl Drop for Rule {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.world.rules.remove(id);
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").finish_non_exhaustive()
    }
}
