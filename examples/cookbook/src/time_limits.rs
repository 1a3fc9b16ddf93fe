//! Limits the time of one operation, a task, or a whole request.
//!
//! Use `timeout` around an operation that waits. For a request of several steps pass one deadline
//! down. What guides miss: `timeout(limit, handle)` ends the wait and leaves the task running; a
//! limit per step adds up; code that never awaits cannot be interrupted by any timeout.

use std::future::pending;
use std::sync::Arc;

use anyrt::sync::Notify;
use anyrt::time::{Duration, Instant, MissedTickBehavior, interval, timeout, timeout_at};

const LIMIT: Duration = Duration::from_millis(20);

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: timeout
    // The future is dropped at the limit. A result that is ready by then is not lost.
    let late = timeout(LIMIT, pending::<u32>()).await;
    assert!(late.is_err());
    assert_eq!(timeout(Duration::ZERO, async { 7 }).await?, 7);
    // ANCHOR_END: timeout

    // ANCHOR: task
    // A task is not inside the timeout, only the wait for it is. Pass the handle as
    // `&mut`, and abort it.
    let witness = Arc::new(());
    let held = Arc::clone(&witness);
    let mut task = anyrt::spawn(async move {
        pending::<()>().await;
        drop(held);
    });
    if timeout(LIMIT, &mut task).await.is_err() {
        assert!(!task.is_finished());
        task.abort();
    }
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(Arc::strong_count(&witness), 1);
    // ANCHOR_END: task

    // ANCHOR: deadline
    // Both steps share one deadline: the second has the time that the first has left.
    let deadline = Instant::now() + LIMIT;
    let connected = timeout_at(deadline, async { "connected" }).await;
    let answered = timeout_at(deadline, pending::<&str>()).await;
    assert_eq!((connected.ok(), answered.ok()), (Some("connected"), None));
    assert!(Instant::now() >= deadline);
    // ANCHOR_END: deadline

    // ANCHOR: interval
    // The first tick completes at once. `Delay` keeps the period after a late tick; the default,
    // `Burst`, catches up.
    let mut ticks = interval(Duration::from_millis(2));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begin = ticks.tick().await;
    for _ in 0..5 {
        ticks.tick().await;
    }
    assert!(begin.elapsed() >= Duration::from_millis(10));
    // ANCHOR_END: interval

    // ANCHOR: retry
    let ready = Arc::new(Notify::new());
    let attempts = retry(4, |attempt| {
        let ready = Arc::clone(&ready);
        async move {
            if attempt == 3 {
                ready.notify_one();
            }
            timeout(Duration::from_millis(5), ready.notified())
                .await
                .ok()
                .map(|()| attempt)
        }
    })
    .await;
    assert_eq!(attempts, Some(3));
    // ANCHOR_END: retry

    println!("time_limits: one late, one aborted, one deadline shared, attempt 3 succeeded");
    Ok(())
}

/// Calls `attempt` until it succeeds, with a pause that doubles each time.
async fn retry<T, F: Future<Output = Option<T>>>(
    attempts: u32,
    mut attempt: impl FnMut(u32) -> F,
) -> Option<T> {
    let mut pause = Duration::from_millis(1);
    for number in 1..=attempts {
        if let Some(value) = attempt(number).await {
            return Some(value);
        }
        if number < attempts {
            anyrt::time::sleep(pause).await;
            pause *= 2;
        }
    }
    None
}
