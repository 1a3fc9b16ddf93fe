//! Timers: each shard keeps its own, and one alarm for the earliest of them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use anyrt_core::coop;
use anyrt_core::{Timer, time};

use crate::runtime::GlommioRuntime;
use crate::shard::Shard;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock behind Timer::now"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The timers of one shard.
#[derive(Default)]
pub(crate) struct Timers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The id tells timers of the same instant apart.
    pending: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
    closed: bool,
}

impl Timers {
    /// Adds a timer. Gives its id, and whether it is now the earliest; `None` when the shard has ended.
    fn insert(&self, deadline: Instant, waker: Waker) -> Option<(u64, bool)> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.next_id += 1;
        let key = (deadline, state.next_id);
        state.pending.insert(key, waker);
        let first = state.pending.first_key_value().map(|(first, _)| *first);
        Some((key.1, first == Some(key)))
    }

    fn remove(&self, deadline: Instant, id: u64) {
        let waker = self.lock().pending.remove(&(deadline, id));
        drop(waker);
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        let state = self.lock();
        state.pending.first_key_value().map(|((at, _), _)| *at)
    }

    /// Gathers the wakers of the timers that are due.
    pub(crate) fn fire(&self, now: Instant, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        while let Some(first) = state.pending.first_entry() {
            if first.key().0 > now {
                return;
            }
            wakers.push(first.remove());
        }
    }

    /// Wakes all: who polls again learns that the shard has ended.
    pub(crate) fn close(&self) {
        let pending = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.pending)
        };
        for waker in pending.into_values() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("pending", &self.lock().pending.len())
            .finish_non_exhaustive()
    }
}

/// Waits until a deadline.
///
/// It is kept by the shard that polls it, or by any shard of its runtime if it is polled elsewhere.
///
/// # Panics
/// When it is polled before its deadline but after its runtime has ended, as Tokio's does.
pub struct Sleep {
    deadline: Instant,
    runtime: GlommioRuntime,
    armed: Option<Armed>,
}

struct Armed {
    shard: Arc<Shard>,
    id: u64,
    /// A clone of what the shard keeps, to compare without the lock.
    waker: Waker,
}

impl Sleep {
    fn disarm(&mut self) {
        if let Some(armed) = self.armed.take() {
            armed.shard.timers().remove(self.deadline, armed.id);
        }
    }

    fn arm(&mut self, waker: &Waker) {
        let shard = self
            .runtime
            .current_shard()
            .unwrap_or_else(|| self.runtime.any_shard());
        let Some((id, earliest)) = shard.timers().insert(self.deadline, waker.clone()) else {
            panic!(
                "a sleep was polled after its Glommio runtime had ended: nobody is left to wake it"
            );
        };
        if earliest {
            shard.wake();
        }
        self.armed = Some(Armed {
            shard,
            id,
            waker: waker.clone(),
        });
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let charge = ready!(coop::poll_proceed(cx));
        if now() >= self.deadline {
            self.disarm();
            charge.made_progress();
            return Poll::Ready(());
        }
        match &self.armed {
            Some(armed)
                if armed.waker.will_wake(cx.waker()) && !armed.shard.timers().is_closed() => {}
            _ => {
                self.disarm();
                self.arm(cx.waker());
            }
        }
        Poll::Pending
    }
}

impl time::Sleep for Sleep {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_elapsed(&self) -> bool {
        now() >= self.deadline
    }

    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        let former = std::mem::replace(&mut self.deadline, deadline);
        let Some(armed) = self.armed.take() else {
            return;
        };
        // Who polled last is woken at the new deadline without polling again.
        let timers = armed.shard.timers();
        timers.remove(former, armed.id);
        if let Some((id, earliest)) = timers.insert(deadline, armed.waker.clone()) {
            if earliest {
                armed.shard.wake();
            }
            self.armed = Some(Armed { id, ..armed });
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("armed", &self.armed.is_some())
            .finish_non_exhaustive()
    }
}

impl Timer for GlommioRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep {
            deadline,
            runtime: self.clone(),
            armed: None,
        }
    }
}
