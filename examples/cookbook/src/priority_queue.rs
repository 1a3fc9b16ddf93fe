//! A queue that returns the most urgent job first, and within one priority the oldest.
//!
//! Use it when some jobs must overtake others. If two classes are enough, two channels and a
//! `biased` `select!` are less.
//! What guides miss: `BinaryHeap` alone is not fair among equals, so a job may wait forever; one
//! `notify_one` per push wakes too few consumers if two pushes happen before any of them waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};

use anyrt::sync::Notify;
use anyrt::task::JoinSet;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let queue = Arc::new(PriorityQueue::new());
    for (priority, job) in [(1, "a"), (9, "b"), (1, "c"), (5, "d"), (9, "e"), (1, "f")] {
        queue.push(priority, job);
    }
    let mut order = String::new();
    for _ in 0..6 {
        order += queue.pop().await.expect("six were pushed");
    }
    assert_eq!(order, "bedacf");

    // Consumers that are already waiting. Each job goes to exactly one, and the end to all.
    let mut consumers = JoinSet::new();
    for _ in 0..4 {
        let queue = Arc::clone(&queue);
        consumers.spawn(async move {
            let mut taken = 0;
            while queue.pop().await.is_some() {
                taken += 1;
                anyrt::task::yield_now().await;
            }
            taken
        });
    }
    for job in 0..1_000_u32 {
        queue.push((job % 3) as u8, "job");
    }
    queue.close();
    let taken: u32 = consumers.join_all().await.iter().sum();
    assert_eq!(taken, 1_000);
    println!("priority_queue: {order}, then {taken} jobs among 4 consumers");
    Ok(())
}

// ANCHOR: queue
struct PriorityQueue<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    heap: BinaryHeap<Entry<T>>,
    pushed: u64,
    closed: bool,
}

impl<T> PriorityQueue<T> {
    fn new() -> Self {
        let state = State {
            heap: BinaryHeap::new(),
            pushed: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    fn push(&self, priority: u8, value: T) {
        let mut state = self.state.lock().expect("no holder panics");
        let number = state.pushed;
        state.pushed += 1;
        state.heap.push(Entry {
            key: (priority, Reverse(number)),
            value,
        });
        drop(state);
        self.changed.notify_one();
    }

    /// Returns the most urgent job, or `None` once the queue is closed and empty.
    async fn pop(&self) -> Option<T> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state.lock().expect("no holder panics");
                if let Some(entry) = state.heap.pop() {
                    // `Notify` keeps one permit, however many pushes there were: pass it on.
                    if !state.heap.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(entry.value);
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Closes the queue. Consumers get the remaining jobs, then `None`.
    fn close(&self) {
        self.state.lock().expect("no holder panics").closed = true;
        self.changed.notify_waiters();
    }
}

/// Ordered by priority, then by age, regardless of the value.
struct Entry<T> {
    key: (u8, Reverse<u64>),
    value: T,
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}
// ANCHOR_END: queue
