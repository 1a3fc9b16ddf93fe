//! A waker and an executor by hand, in thirty lines without `unsafe`.
//!
//! Use it to understand what a runtime does, and in tests. `std::task::Wake` makes a waker of any
//! `Arc`.
//! What guides miss: a hand-written `RawWaker` is hardly ever needed; a loop that polls without
//! waiting burns a core; a wake before the wait must be remembered, which `thread::park` does.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use anyrt::sync::oneshot;
use anyrt::time::{Duration, sleep};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let (ping, pinged) = oneshot::channel();
    let (pong, ponged) = oneshot::channel();
    let task = anyrt::spawn(async move {
        let number: u32 = pinged.await?;
        // A timer of the runtime ...
        sleep(Duration::from_millis(1)).await;
        let _ = pong.send(number + 1);
        anyhow::Ok(())
    });
    // ... and our own executor on another thread: wakers connect the two.
    let by_hand = thread::spawn(move || {
        block_on(async move {
            let _ = ping.send(41);
            ponged.await
        })
    });
    task.await??;
    let (answer, polls) = by_hand.join().expect("it does not panic");
    assert_eq!(answer?, 42);
    // Once to begin, once after it was woken: it slept in between. (A thread may also wake
    // spuriously.)
    assert!(polls >= 1);

    // A waker that only counts shows when it is called.
    let count = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let (sender, receiver) = oneshot::channel();
    let mut receiver = pin!(receiver);
    assert!(receiver.as_mut().poll(&mut context).is_pending());
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    sender.send("now").expect("the receiver is there");
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(receiver.poll(&mut context), Poll::Ready(Ok("now")));
    println!("waker: 42 across two executors, one wake counted");
    Ok(())
}

// ANCHOR: block_on
/// Wakes a thread that is parked.
struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `future` on this thread. Returns its output, and how often it was polled.
fn block_on<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
    let mut context = Context::from_waker(&waker);
    for polls in 1.. {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return (output, polls);
        }
        // A wake-up during the poll is not lost: the next `park` returns at once.
        thread::park();
    }
    unreachable!("the numbers do not end")
}
// ANCHOR_END: block_on

/// Counts wake-ups.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
