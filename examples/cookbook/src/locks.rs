//! Shares state and meets at points: mutex, rwlock, semaphore, notify, barrier.
//!
//! Use `std::sync::Mutex` for data that is only touched between awaits, the async `Mutex` when the
//! guard must live across an `.await`, a semaphore to limit how many do something at once. What
//! guides miss: an async mutex is not "the mutex for async code" but the slower one for a special
//! case; a condition must be checked after `notified()` was created, or a wake-up between the two
//! is lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyrt::sync::{Barrier, Mutex as AsyncMutex, Notify, RwLock, Semaphore};
use anyrt::task::{JoinSet, yield_now};

const TASKS: usize = 10;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: mutex
    // The guard is gone before the next `.await`; the compiler refuses to spawn the task otherwise.
    let total = Arc::new(Mutex::new(0));
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let total = Arc::clone(&total);
        tasks.spawn(async move {
            *total.lock().expect("no holder panics") += number;
            yield_now().await;
        });
    }
    tasks.join_all().await;
    assert_eq!(*total.lock().expect("no holder panics"), 45);

    // Here the guard has to live across an `.await`: no task may see only one half of the change.
    let pair = Arc::new(AsyncMutex::new((0, 0)));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let pair = Arc::clone(&pair);
        tasks.spawn(async move {
            let mut pair = pair.lock().await;
            assert_eq!(pair.0, pair.1);
            pair.0 += 1;
            yield_now().await;
            pair.1 += 1;
        });
    }
    tasks.join_all().await;
    assert_eq!(*pair.lock().await, (TASKS, TASKS));
    // ANCHOR_END: mutex

    // ANCHOR: rwlock
    // Many readers at once, or one writer. Worth it only when reads are long and writes rare.
    let routes = RwLock::new(vec!["/"]);
    {
        let (first, second) = anyrt::join!(routes.read(), routes.read());
        assert_eq!(first.len() + second.len(), 2);
    }
    routes.write().await.push("/metrics");
    assert_eq!(routes.read().await.len(), 2);
    // ANCHOR_END: rwlock

    // ANCHOR: semaphore
    let slots = Arc::new(Semaphore::new(3));
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (slots, inside, most) = (Arc::clone(&slots), Arc::clone(&inside), Arc::clone(&most));
        tasks.spawn(async move {
            let _slot = slots.acquire().await.expect("nobody closes it");
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            yield_now().await;
            inside.fetch_sub(1, Ordering::SeqCst);
        });
    }
    tasks.join_all().await;
    let most = most.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most));
    // ANCHOR_END: semaphore

    // ANCHOR: notify
    let gate = Arc::new((AtomicBool::new(false), Notify::new()));
    let waiting = anyrt::spawn({
        let gate = Arc::clone(&gate);
        async move {
            loop {
                // First the future, then the check: a `notify_waiters` in between reaches it.
                let opened = gate.1.notified();
                if gate.0.load(Ordering::Acquire) {
                    return "open";
                }
                opened.await;
            }
        }
    });
    gate.0.store(true, Ordering::Release);
    gate.1.notify_waiters();
    assert_eq!(waiting.await?, "open");
    // ANCHOR_END: notify

    // ANCHOR: barrier
    // No task continues before all have arrived. Exactly one is the leader.
    let barrier = Arc::new(Barrier::new(TASKS));
    let arrived = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (barrier, arrived) = (Arc::clone(&barrier), Arc::clone(&arrived));
        tasks.spawn(async move {
            arrived.fetch_add(1, Ordering::SeqCst);
            let leads = barrier.wait().await.is_leader();
            assert_eq!(arrived.load(Ordering::SeqCst), TASKS);
            leads
        });
    }
    assert_eq!(
        tasks
            .join_all()
            .await
            .iter()
            .filter(|leads| **leads)
            .count(),
        1
    );
    // ANCHOR_END: barrier

    println!("locks: total 45, at most 3 inside, the gate is open, {TASKS} met");
    Ok(())
}
