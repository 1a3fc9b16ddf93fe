//! Histories of operations, and whether one object could have answered so: linearizability (feature `history`).
//!
//! Clients of a simulated store note what they ask for and what they are answered. [`History::check`] then looks for an
//! order of all operations in which each takes effect at one moment between its call and its return, and each answer is
//! the one that a single [`Model`] of the store would have given. If there is none, some client has seen what it must not:
//! a stale value, a lost write, two holders of one lock.
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
//!     // A replica that has not heard of it yet answers 0.
//!     reader.ret(Answer::Value(0));
//! });
//! sim.run().unwrap();
//!
//! let violation = history.check().unwrap_err();
//! assert!(violation.to_string().contains("reader"), "{violation}");
//! ```
//!
//! # Operations without an answer
//! An operation whose client is crashed, or gives up after a time-out, may have happened or not, then or later. So a client
//! that invokes another operation before it notes the answer of the last one leaves that one open; what is known not to
//! have happened is taken back by [`Client::fail`].
//!
//! # The checker
//! The search is that of Wing, Gong and Lowe, by the crate `todc-utils`. Its time grows with the number of operations that
//! are under way at once, so leave few without an answer. A history is checked for each [part](Model::part) of the model
//! by itself, such as a key.

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

/// What an object promises to clients that ask one after the other.
///
/// For implementors: [`apply`](Self::apply) must depend on its arguments only.
pub trait Model: 'static {
    /// What a client asks for.
    type Op: Clone + Debug + Send + 'static;
    /// What it is answered.
    type Ret: Clone + Debug + PartialEq + Send + 'static;
    /// What the object keeps.
    type State: Clone + Eq + Hash + Debug;
    /// Names a part of the object that is independent of all others; `()` if it has one part only.
    type Part: Ord + Debug;

    /// Returns the state of a part at the beginning.
    fn init() -> Self::State;

    /// Returns the state of the part after the operation, and the answer.
    fn apply(state: &Self::State, op: &Self::Op) -> (Self::State, Self::Ret);

    /// Returns the part that an operation is about.
    fn part(op: &Self::Op) -> Self::Part;

    /// Returns what an operation sees and leaves, by which the report and the search leave operations out; see [`Effect`].
    ///
    /// The default is `None`: the operation is always kept.
    fn effect(op: &Self::Op, ret: Option<&Self::Ret>) -> Option<Effect> {
        let _ = (op, ret);
        None
    }
}

/// What an operation sees of the state and what it leaves there.
///
/// An operation that leaves a value is left out only if no other one sees that value: the others could not tell. This
/// holds for operations that replace the whole state of their part, and for those that leave it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The state that its answer shows, written by `Debug`.
    pub sees: Option<String>,
    /// The state that it leaves, written by `Debug`; `None` if it changes nothing.
    pub leaves: Option<String>,
}

/// One operation of a history.
struct Record<M: Model> {
    client: Arc<str>,
    op: M::Op,
    called: Moment,
    /// `None` while it has no answer.
    returned: Option<(Moment, M::Ret)>,
}

/// The moment at which something was noted.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Its place among all that was noted.
    place: u64,
    /// The virtual time; `None` outside of a simulation.
    time: Option<Duration>,
}

struct Notes<M: Model> {
    /// The next place.
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

/// What clients have asked for and been answered. Clones note in the same history.
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

    /// Returns a recorder for a client that asks for one thing at a time. Reports use the name.
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

    /// Returns `true` if nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks that some order of the operations explains all answers so far.
    ///
    /// # Errors
    /// The [`Violation`], if there is none.
    pub fn check(&self) -> Result<(), Violation> {
        let notes = self.lock();
        let records: Vec<_> = notes.records.values().collect();
        check::check(&records)
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

/// Notes what one client asks for and is answered; see [`History::client`].
pub struct Client<M: Model> {
    history: History<M>,
    name: Arc<str>,
    /// The operation that has no answer yet.
    open: Option<u64>,
}

impl<M: Model> Client<M> {
    /// Notes that the client asks for something. Call it before anything is sent.
    ///
    /// If the last operation has no answer yet, it stays without one: it may have happened, or may happen later.
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

    /// Notes the answer. Call it after everything of it has arrived.
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

    /// Takes the operation back: it is known not to have happened, and never to happen.
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
