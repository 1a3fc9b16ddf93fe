//! Signals, which the test sends to a node: [`Node::signal`](crate::Node::signal).
//!
//! As on Unix, the first listener for a kind of signal replaces the system's default action, until
//! the node is restarted.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::runtime::SimRuntime;
use crate::wait::{self, Wait};

pub(crate) const KILL: i32 = 9;
pub(crate) const STOP: i32 = 19;
pub(crate) const CONT: i32 = 18;
/// `SIGILL`, `SIGFPE` and `SIGSEGV` are faults of the program itself.
const REFUSED: [i32; 5] = [KILL, STOP, 4, 8, 11];
/// `SIGCHLD`, `SIGURG` and `SIGWINCH` do nothing by default.
pub(crate) const IGNORED: [i32; 3] = [17, 23, 28];
/// The last one of Linux.
pub(crate) const LAST: i32 = 64;

/// The listeners of one life of a node.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// A kind that once had listeners keeps its entry.
    listeners: Mutex<BTreeMap<i32, Vec<Weak<Shared>>>>,
}

#[derive(Debug)]
struct Shared {
    number: i32,
    state: Mutex<SignalState>,
}

#[derive(Debug, Default)]
struct SignalState {
    came: bool,
    waker: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Receives one kind of signal. Signals that arrive between two calls count as one.
pub struct Signal {
    shared: Arc<Shared>,
}

/// Listens for a signal of the current node from now on.
///
/// # Errors
/// Fails for `SIGKILL`, `SIGSTOP`, faults such as `SIGSEGV` and numbers that are not signals, and
/// if no node is current.
pub fn listen(number: i32) -> io::Result<Signal> {
    let Some(rt) = SimRuntime::try_current() else {
        return Err(io::Error::other("no simulated node is current"));
    };
    if !(1..=LAST).contains(&number) || REFUSED.contains(&number) {
        let message = format!("Refusing to register signal {number}");
        return Err(io::Error::other(message));
    }
    let shared = Arc::new(Shared {
        number,
        state: Mutex::default(),
    });
    let mut listeners = lock(&rt.life().signals.listeners);
    let kind = listeners.entry(number).or_default();
    kind.retain(|listener| listener.strong_count() > 0);
    kind.push(Arc::downgrade(&shared));
    drop(listeners);
    Ok(Signal { shared })
}

impl Signal {
    /// Polls for the next signal; the waker of the last call is woken. Never returns `None`.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let mut state = lock(&self.shared.state);
        if std::mem::take(&mut state.came) {
            return Poll::Ready(Some(()));
        }
        wait::note(Wait::Signal(self.shared.number));
        let old = state.waker.replace(cx.waker().clone());
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("number", &self.shared.number)
            .finish_non_exhaustive()
    }
}

impl Signals {
    /// Passes a signal to its listeners; `false` if it never had any.
    pub(crate) fn tell(&self, number: i32) -> bool {
        let Some(listeners) = lock(&self.listeners).get(&number).cloned() else {
            return false;
        };
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            let waker = {
                let mut state = lock(&listener.state);
                state.came = true;
                state.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        true
    }
}
