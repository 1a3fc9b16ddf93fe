//! The wakers of waiting tasks, and the description of what they wait for in a report.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::task::Waker;

use anyrt_core::task::Id;
use anyrt_kit::executor::awaited_tasks;

/// The event that an operation of the simulator waits for. Reported in a deadlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Accept(SocketAddr),
    Connect(SocketAddr),
    Read(SocketAddr, SocketAddr),
    Write(SocketAddr, SocketAddr),
    Receive(SocketAddr),
    /// The object, and whether the operation writes to it.
    Descriptor(&'static str, bool),
    Signal(i32),
    Clients,
    /// The end of a task, by the id of its handle.
    Task(Id),
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(local) => write!(f, "a connection to {local}"),
            Self::Connect(peer) => write!(f, "an answer of {peer}"),
            Self::Read(local, peer) => write!(f, "data from {peer} at {local}"),
            Self::Write(local, peer) => write!(f, "room to send from {local} to {peer}"),
            Self::Receive(local) => write!(f, "a datagram to {local}"),
            Self::Descriptor(what, false) => write!(f, "data from {what}"),
            Self::Descriptor(what, true) => write!(f, "room to write to {what}"),
            Self::Signal(number) => write!(f, "the signal {number}"),
            Self::Clients => write!(f, "the end of all clients"),
            Self::Task(_) => write!(f, "the end of a task"),
        }
    }
}

/// The maximum number of entries in a report.
const MOST: usize = 8;

thread_local! {
    static WAITS: RefCell<Vec<Wait>> = const { RefCell::new(Vec::new()) };
}

/// Records that the task that is being polled waits for this.
pub(crate) fn note(wait: Wait) {
    // Also called while a thread ends.
    let _ = WAITS.try_with(|waits| {
        let mut waits = waits.borrow_mut();
        if waits.len() < MOST && !waits.contains(&wait) {
            waits.push(wait);
        }
    });
}

/// Runs `poll`, and records the tasks whose ends it waits for.
pub(crate) fn noting_tasks<T>(poll: impl FnOnce() -> T) -> T {
    let (value, tasks) = awaited_tasks(poll);
    for id in tasks {
        note(Wait::Task(id));
    }
    value
}

/// Returns what was recorded on this thread since the last call.
pub(crate) fn take() -> Vec<Wait> {
    WAITS.take()
}

/// The wakers of the tasks that wait for one event.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    wakers: Vec<(u64, Waker)>,
    next: u64,
    /// The number of events so far.
    events: u64,
    /// The last event that an operation has found to be over.
    over: u64,
    /// The last operation took all, and none has found nothing since.
    stays: bool,
}

impl Wakers {
    /// Registers the waker of a future that has the ticket, or assigns a ticket to it. Returns the
    /// replaced waker, to be dropped when no lock is held.
    #[must_use]
    pub(crate) fn register(&mut self, ticket: &mut Option<u64>, waker: &Waker) -> Option<Waker> {
        if let Some(ticket) = *ticket
            && let Some((_, old)) = self.wakers.iter_mut().find(|(other, _)| *other == ticket)
        {
            return (!old.will_wake(waker)).then(|| std::mem::replace(old, waker.clone()));
        }
        self.next += 1;
        *ticket = Some(self.next);
        self.wakers.push((self.next, waker.clone()));
        None
    }

    /// Removes a future that was dropped. Returns its waker, to be dropped when no lock is held.
    pub(crate) fn forget(&mut self, ticket: Option<u64>) -> Option<Waker> {
        let at = self
            .wakers
            .iter()
            .position(|(other, _)| Some(*other) == ticket)?;
        Some(self.wakers.swap_remove(at).1)
    }

    /// Takes all wakers, to be woken when no lock is held. A task that is woken and finds nothing
    /// registers again.
    pub(crate) fn take(&mut self, woken: &mut Vec<Waker>) {
        self.events += 1;
        woken.extend(self.wakers.drain(..).map(|(_, waker)| waker));
    }

    /// Returns the number of events so far.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Marks the event of that number as over, whatever the state of the socket, until the next
    /// event.
    pub(crate) fn set_over(&mut self, event: u64) {
        self.over = event + 1;
        self.stays = false;
    }

    /// Sets whether the socket counts as ready although nothing is left, until an operation finds
    /// that.
    pub(crate) fn set_stays(&mut self, stays: bool) {
        self.stays = stays;
    }

    /// See [`set_stays`](Self::set_stays).
    pub(crate) fn stays(&self) -> bool {
        self.stays
    }

    /// Returns `true` if the last event is over.
    pub(crate) fn is_over(&self) -> bool {
        self.over > self.events
    }
}
