//! What tasks wait for: the wakers of those who wait, and how a report tells of it.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::task::Waker;

/// What an operation of the simulator waits for. Told when all tasks wait for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Accept(SocketAddr),
    Connect(SocketAddr),
    Read(SocketAddr, SocketAddr),
    Write(SocketAddr, SocketAddr),
    Receive(SocketAddr),
    /// What it is, and whether to write to it.
    Descriptor(&'static str, bool),
    Signal(i32),
    Clients,
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
        }
    }
}

/// More would not be read.
const MOST: usize = 8;

thread_local! {
    static WAITS: RefCell<Vec<Wait>> = const { RefCell::new(Vec::new()) };
}

/// The task that is being polled waits for this.
pub(crate) fn note(wait: Wait) {
    // Also called while a thread ends.
    let _ = WAITS.try_with(|waits| {
        let mut waits = waits.borrow_mut();
        if waits.len() < MOST && !waits.contains(&wait) {
            waits.push(wait);
        }
    });
}

/// What was noted on this thread since the last call.
pub(crate) fn take() -> Vec<Wait> {
    WAITS.take()
}

/// The wakers of those who wait for one event.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    wakers: Vec<(u64, Waker)>,
    next: u64,
    /// How often the event was there.
    events: u64,
    /// Which of them somebody has found to be over.
    over: u64,
}

impl Wakers {
    /// Registers the waker of a future that has the ticket, or gives it one. The waker that it replaces is given out,
    /// to be dropped when no lock is held.
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

    /// Forgets a future that was dropped. The waker is given out, to be dropped when no lock is held.
    pub(crate) fn forget(&mut self, ticket: Option<u64>) -> Option<Waker> {
        let at = self
            .wakers
            .iter()
            .position(|(other, _)| Some(*other) == ticket)?;
        Some(self.wakers.swap_remove(at).1)
    }

    /// Takes all, to be woken when no lock is held. Who is woken and finds nothing registers again.
    pub(crate) fn take(&mut self, woken: &mut Vec<Waker>) {
        self.events += 1;
        woken.extend(self.wakers.drain(..).map(|(_, waker)| waker));
    }

    /// How often the event was there.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// What the event of that number told is over, whatever the socket looks like, until it comes again.
    pub(crate) fn set_over(&mut self, event: u64) {
        self.over = event + 1;
    }

    /// Whether the last event is over.
    pub(crate) fn is_over(&self) -> bool {
        self.over > self.events
    }
}
