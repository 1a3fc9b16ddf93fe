//! Limits how often something happens: a number per second, with a burst.
//!
//! Use it before calls to a service with a rate limit. To limit how many run at once, use a
//! semaphore. What guides miss: a `sleep` after each call adds the call's own time to the period;
//! an `interval` with its default behaviour makes up for a pause by a burst without limit; a task
//! that refills a counter runs even when there are no calls.

use std::sync::{Arc, Mutex};

use anyrt::task::JoinSet;
use anyrt::time::{Duration, Instant, sleep_until};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: use
    const PERIOD: Duration = Duration::from_millis(5);
    let limiter = Arc::new(RateLimiter::new(PERIOD, 3));
    let begin = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let limiter = Arc::clone(&limiter);
        calls.spawn(async move {
            limiter.acquire().await;
            begin.elapsed()
        });
    }
    let mut times = calls.join_all().await;
    times.sort_unstable();
    // Three at once, then one per period. A slow machine may be later, never earlier.
    for (number, time) in times.iter().enumerate().skip(3) {
        assert!(
            *time >= PERIOD * (number as u32 - 2),
            "call {number} came after {time:?}"
        );
    }
    // ANCHOR_END: use

    let strict = RateLimiter::new(Duration::from_secs(3600), 1);
    assert!(strict.try_acquire());
    assert!(!strict.try_acquire());
    println!("rate_limiter: 10 calls, 3 of them at once");
    Ok(())
}

// ANCHOR: limiter
/// One call per `period` on average, and up to `burst` at once after a pause.
///
/// It stores one instant, the time at which the next call is due if none was early. No task has to
/// refill a counter.
struct RateLimiter {
    period: Duration,
    /// The time by which a call may be early.
    tolerance: Duration,
    due: Mutex<Instant>,
}

impl RateLimiter {
    fn new(period: Duration, burst: u32) -> Self {
        Self {
            period,
            tolerance: period * (burst - 1),
            due: Mutex::new(Instant::now()),
        }
    }

    /// Waits for a turn. Turns are assigned in the order of the calls.
    ///
    /// # Cancel safety
    /// If the future is dropped after a turn was assigned, the turn is lost, so that later ones are
    /// not early.
    async fn acquire(&self) {
        let turn = {
            let mut due = self.due.lock().expect("no holder panics");
            let this = (*due).max(Instant::now());
            *due = this + self.period;
            this.checked_sub(self.tolerance)
        };
        if let Some(turn) = turn {
            sleep_until(turn).await;
        }
    }

    /// Takes a turn if one is available now. Returns whether it did.
    fn try_acquire(&self) -> bool {
        let now = Instant::now();
        let mut due = self.due.lock().expect("no holder panics");
        let early = due.saturating_duration_since(now);
        if early > self.tolerance {
            return false;
        }
        *due = (*due).max(now) + self.period;
        true
    }
}
// ANCHOR_END: limiter
