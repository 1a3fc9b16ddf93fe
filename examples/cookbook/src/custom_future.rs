//! Futures by hand: what `poll` must do, and when it is called again.
//!
//! Use one where there is no `async` way to say it: a new kind of event, a combinator. Everything
//! else is an `async fn`.
//! What guides miss: `Pending` without a waker that will be called is a hang; the waker of the LAST
//! poll counts, because a future may move to another task; check the state again after the waker is
//! stored, or a wake-up in between is lost.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    assert_eq!(Countdown(3).await, "liftoff");

    let (gate, opener) = Gate::new();
    let waiting = anyrt::spawn(gate);
    // From a thread that belongs to no runtime.
    std::thread::spawn(move || opener.open(7))
        .join()
        .expect("it does not panic");
    assert_eq!(waiting.await?, 7);

    // The gate moves from one task to another; the second must be woken.
    let (mut gate, opener) = Gate::new();
    let polled_once = futures_util::poll!(&mut gate);
    assert!(polled_once.is_pending());
    let moved = anyrt::spawn(gate);
    opener.open(8);
    assert_eq!(moved.await?, 8);
    println!("custom_future: liftoff, and two gates opened");
    Ok(())
}

// ANCHOR: countdown
/// Ready after that number of polls.
struct Countdown(u32);

impl Future for Countdown {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        if self.0 == 0 {
            return Poll::Ready("liftoff");
        }
        self.0 -= 1;
        // Nothing else wakes it: without this line the task would never run again.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
// ANCHOR_END: countdown

// ANCHOR: gate
/// Waits until its [`Opener`] is called, on any thread.
struct Gate {
    state: Arc<Mutex<State>>,
}

struct Opener {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    value: Option<u32>,
    waker: Option<Waker>,
}

impl Gate {
    fn new() -> (Self, Opener) {
        let state = Arc::<Mutex<State>>::default();
        (
            Self {
                state: Arc::clone(&state),
            },
            Opener { state },
        )
    }
}

impl Future for Gate {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        // One lock over both steps: `open` comes before them or after them, never in between.
        let mut state = self.state.lock().expect("no holder panics");
        match state.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                match &mut state.waker {
                    // Clones only if it is another task's.
                    Some(waker) => waker.clone_from(cx.waker()),
                    empty => *empty = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

impl Opener {
    fn open(self, value: u32) {
        let waker = {
            let mut state = self.state.lock().expect("no holder panics");
            state.value = Some(value);
            state.waker.take()
        };
        // Outside the lock: a waker may run any code, even a poll of this future.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
// ANCHOR_END: gate
