//! Histories of operations, and the check that one object could have returned all answers:
//! linearizability (feature `history`).
//!
//! Clients of a simulated store record their requests and answers. [`History::check`] then searches
//! for an order of all operations in which each takes effect at one moment between its call and its
//! return, and each answer is the one that a single [`Model`] of the store would return. If there
//! is no such order, some client has observed an error: a stale value, a lost write, two holders of
//! one lock.
//!
//! ```
//! use anyrt_core::Timer;
//! use anyrt_sim::history::{Answer, History, Operation, Register};
//! use anyrt_sim::{Sim, SimRuntime};
//! use std::time::Duration;
//!
//! let sim = Sim::new(1);
//! let history = History::<Register<u32>>::new();
//! let mut writer = history.client("writer");
//! sim.client("writer", async move {
//!     writer.invoke(Operation::Write(1));
//!     // Here the program writes.
//!     writer.ret(Answer::Done);
//! });
//! let mut reader = history.client("reader");
//! sim.client("reader", async move {
//!     let rt = SimRuntime::try_current().unwrap();
//!     rt.sleep(Duration::from_secs(1)).await;
//!     reader.invoke(Operation::Read);
//!     // A replica that has not received the write yet answers 0.
//!     reader.ret(Answer::Value(0));
//! });
//! sim.run().unwrap();
//!
//! let violation = history.check().unwrap_err();
//! assert!(violation.to_string().contains("reader"), "{violation}");
//! ```
//!
//! # Operations without an answer
//! If a client crashes, or gives up after a time-out, its operation may have happened or not, and
//! may even happen later. If a client invokes another operation before it records the answer of the
//! last one, that one stays open. An operation that is known not to have happened is withdrawn by
//! [`Client::fail`].
//!
//! # The checker
//! The search is that of Wing, Gong and Lowe, implemented by the crate `todc-utils`. Its time grows
//! with the number of concurrent operations, so leave few without an answer. Each
//! [part](Model::part) of the model, such as a key, is checked by itself.

mod check;
mod models;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::runtime::SimRuntime;

pub use check::Violation;
pub use models::{Answer, KeyValue, MapAnswer, MapOperation, Operation, Register};

/// The behaviour of an object for clients that call it one after the other.
///
/// For implementors: [`apply`](Self::apply) must depend on its arguments only.
pub trait Model: 'static {
    /// The request of a client.
    type Op: Clone + Debug + Send + 'static;
    /// The answer to a request.
    type Ret: Clone + Debug + PartialEq + Send + 'static;
    /// The state of the object.
    type State: Clone + Eq + Hash + Debug;
    /// Names a part of the object that is independent of all others; `()` if there is only one
    /// part.
    type Part: Ord + Debug;

    /// Returns the initial state of a part.
    fn init() -> Self::State;

    /// Returns the state of the part after the operation, and the answer.
    fn apply(state: &Self::State, op: &Self::Op) -> (Self::State, Self::Ret);

    /// Returns the part that an operation applies to.
    fn part(op: &Self::Op) -> Self::Part;

    /// Returns what an operation reads and leaves. The report and the search use it to leave
    /// operations out; see [`Effect`].
    ///
    /// The default is `None`: the operation is always kept.
    fn effect(op: &Self::Op, ret: Option<&Self::Ret>) -> Option<Effect> {
        let _ = (op, ret);
        None
    }
}

/// The state that an operation reads, and the state that it leaves.
///
/// An operation that leaves a value is left out only if no other operation reads that value, so
/// that leaving it out changes no answer. This is correct for operations that replace the whole
/// state of their part and for those that do not change it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The state that its answer shows, formatted by `Debug`.
    pub sees: Option<String>,
    /// The state that it leaves, formatted by `Debug`; `None` if it changes nothing.
    pub leaves: Option<String>,
}

/// One operation of a history.
struct Record<M: Model> {
    client: Arc<str>,
    op: M::Op,
    called: Moment,
    /// `None` until there is an answer.
    returned: Option<(Moment, M::Ret)>,
}

/// The moment of a record.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Its position among all records.
    place: u64,
    /// The virtual time; `None` outside of a simulation.
    time: Option<Duration>,
}

struct Notes<M: Model> {
    /// The next position.
    place: u64,
    next: u64,
    records: BTreeMap<u64, Record<M>>,
}

impl<M: Model> Notes<M> {
    fn moment(&mut self) -> Moment {
        self.place += 1;
        Moment {
            place: self.place,
            time: SimRuntime::with_current(SimRuntime::elapsed),
        }
    }
}

/// The requests and answers of clients. Clones record to the same history.
pub struct History<M: Model> {
    notes: Arc<Mutex<Notes<M>>>,
}

impl<M: Model> History<M> {
    /// Returns an empty history.
    pub fn new() -> Self {
        let notes = Notes {
            place: 0,
            next: 0,
            records: BTreeMap::new(),
        };
        Self {
            notes: Arc::new(Mutex::new(notes)),
        }
    }

    /// Returns a recorder for a client that has one request at a time. Reports use the name.
    pub fn client(&self, name: &str) -> Client<M> {
        Client {
            history: self.clone(),
            name: name.into(),
            open: None,
        }
    }

    /// Returns the number of operations.
    pub fn len(&self) -> usize {
        self.lock().records.len()
    }

    /// Returns `true` if nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Notes<M>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Model> Default for History<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Model> Clone for History<M> {
    fn clone(&self) -> Self {
        Self {
            notes: Arc::clone(&self.notes),
        }
    }
}

impl<M: Model> Debug for History<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("len", &self.len()).finish()
    }
}

/// Records the requests and answers of one client; see [`History::client`].
pub struct Client<M: Model> {
    history: History<M>,
    name: Arc<str>,
    /// The operation without an answer.
    open: Option<u64>,
}

impl<M: Model> Client<M> {
    /// Records a request. Call it before anything is sent.
    ///
    /// If the last operation has no answer yet, it stays without one: it may have happened, or may
    /// happen later.
    pub fn invoke(&mut self, op: M::Op) {
        let mut notes = self.history.lock();
        let called = notes.moment();
        notes.next += 1;
        let number = notes.next;
        let record = Record {
            client: Arc::clone(&self.name),
            op,
            called,
            returned: None,
        };
        notes.records.insert(number, record);
        self.open = Some(number);
    }

    /// Records the answer. Call it after the whole answer has arrived.
    ///
    /// # Panics
    /// Panics if no operation is open.
    #[track_caller]
    pub fn ret(&mut self, ret: M::Ret) {
        let number = self.take_open();
        let mut notes = self.history.lock();
        let moment = notes.moment();
        if let Some(record) = notes.records.get_mut(&number) {
            record.returned = Some((moment, ret));
        }
    }

    /// Withdraws the operation: it has not happened and never will.
    ///
    /// # Panics
    /// Panics if no operation is open.
    #[track_caller]
    pub fn fail(&mut self) {
        let number = self.take_open();
        self.history.lock().records.remove(&number);
    }

    #[track_caller]
    fn take_open(&mut self) -> u64 {
        match self.open.take() {
            Some(number) => number,
            None => panic!(
                "the client {:?} has no operation without an answer: call `invoke` before `ret` or `fail`",
                self.name
            ),
        }
    }
}

impl<M: Model> Debug for Client<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .field("waits", &self.open.is_some())
            .finish_non_exhaustive()
    }
}
