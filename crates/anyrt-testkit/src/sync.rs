//! An event that both tasks and threads can wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Opens once and stays open. Clones are the same gate.
///
/// It belongs to no runtime, so it works across runtimes and plain threads.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    wakers: Vec<Waker>,
}

impl Gate {
    /// Creates a closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate and wakes all waiters.
    pub fn open(&self) {
        let wakers = {
            let mut state = self.lock();
            state.open = true;
            std::mem::take(&mut state.wakers)
        };
        self.inner.opened.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Returns `true` if the gate is open.
    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Waits in a task until the gate opens.
    pub fn wait(&self) -> GateWait {
        GateWait { gate: self.clone() }
    }

    /// Blocks the thread until the gate opens.
    pub fn wait_blocking(&self) {
        let mut state = self.lock();
        while !state.open {
            state = self
                .inner
                .opened
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The future of [`Gate::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct GateWait {
    gate: Gate,
}

impl Future for GateWait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.gate.lock();
        if state.open {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
