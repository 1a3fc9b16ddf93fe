//! The task tracker: which tasks count, until when, and which waiters are woken.

mod common;

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;

use anyrt_core::{JoinHandle, TaskTracker};
use common::{CountDrops, CountWakes, Rt, block_on, within_a_minute};
use futures_util::FutureExt;

fn is_done(tracker: &TaskTracker) -> bool {
    tracker.wait().now_or_never().is_some()
}

#[test]
fn wait_needs_both_closed_and_empty() {
    let tracker = TaskTracker::new();
    assert!(!is_done(&tracker), "empty but open");
    let token = tracker.token();
    assert!(tracker.close());
    assert!(!tracker.close(), "closed already");
    assert!(!is_done(&tracker), "closed but not empty");
    drop(token);
    assert!(is_done(&tracker));
    assert!(tracker.reopen());
    assert!(!tracker.reopen(), "open already");
    assert!(!is_done(&tracker));
}

#[test]
fn len_counts_tokens_and_futures() {
    let tracker = TaskTracker::new();
    let token = tracker.token();
    let more = token.clone();
    let future = tracker.track_future(pending::<()>());
    assert_eq!((tracker.len(), tracker.is_empty()), (3, false));
    assert_eq!(more.task_tracker().len(), 3);
    drop((token, more, future));
    assert_eq!((tracker.len(), tracker.is_empty()), (0, true));
}

#[test]
fn closing_refuses_no_task() {
    let tracker = TaskTracker::new();
    tracker.close();
    let token = tracker.token();
    assert!(tracker.is_closed());
    assert!(!is_done(&tracker));
    drop(token);
    assert!(is_done(&tracker));
}

#[test]
fn a_moment_of_being_done_is_enough() {
    let tracker = TaskTracker::new();
    let mut before = pin!(tracker.wait());
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    assert!(before.as_mut().poll(&mut cx).is_pending());
    let mut unpolled = pin!(tracker.wait());

    tracker.close();
    tracker.reopen();
    let token = tracker.token();
    assert_eq!(wakes.get(), 1);
    assert!(before.as_mut().poll(&mut cx).is_ready());
    assert!(unpolled.as_mut().poll(&mut cx).is_ready());

    let mut after = pin!(tracker.wait());
    assert!(after.as_mut().poll(&mut cx).is_pending());
    drop(token);
    assert!(after.as_mut().poll(&mut cx).is_pending(), "it is open");
}

#[test]
fn everybody_who_waits_is_woken_by_the_last_task() {
    let tracker = TaskTracker::new();
    let tokens = [tracker.token(), tracker.token()];
    tracker.close();
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(tracker.wait())).collect();
    for wait in &mut waiting {
        assert!(wait.as_mut().poll(&mut cx).is_pending());
    }
    // A dropped waiter is not.
    waiting.pop();
    let [first, last] = tokens;
    drop(first);
    assert_eq!(wakes.get(), 0);
    drop(last);
    assert_eq!(wakes.get(), 2);
    for wait in &mut waiting {
        assert!(wait.as_mut().poll(&mut cx).is_ready());
    }
}

#[test]
fn a_task_counts_until_its_future_was_dropped() {
    let tracker = TaskTracker::new();
    let seen = tracker.clone();
    struct OnDrop<F: FnMut()>(F);
    impl<F: FnMut()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let lens = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = Arc::clone(&lens);
    let guard = OnDrop(move || record.lock().unwrap().push(seen.len()));
    let mut future = Box::pin(tracker.track_future(async move {
        let _guard = guard;
        pending::<()>().await;
    }));
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(future);
    assert_eq!(*lens.lock().unwrap(), [1]);
    assert!(tracker.is_empty());
}

#[test]
fn tasks_that_end_panic_or_are_aborted_all_stop_counting() {
    within_a_minute(|| {
        let rt = Rt::new();
        let tracker = TaskTracker::new();
        let drops = CountDrops::new();
        let guard = drops.guard();
        tracker.spawn_on(&rt, async move { drop(guard) });
        tracker.spawn_on(&rt, async { panic!("a panic counts as an end") });
        let aborted = tracker.spawn_on(&rt, pending::<()>());
        tracker.spawn_blocking_on(&rt, || ());
        tracker.spawn_blocking_on(&rt, || panic!("here, too"));
        let handle = rt.clone();
        rt.block_on(async {
            tracker.spawn_local_on(&handle, async {});
            tracker.close();
            aborted.abort();
            tracker.wait().await;
        });
        assert_eq!((tracker.len(), drops.get()), (0, 1));
        rt.pool.shutdown(None);
        rt.queue.drain();
        drop(tracker.spawn_on(&rt, pending::<()>()));
        drop(tracker.spawn_blocking_on(&rt, || ()));
        assert!(tracker.is_empty(), "what an ended runtime refuses");
    });
}

#[test]
fn what_the_tasks_did_is_seen_by_who_waited() {
    within_a_minute(|| {
        for _ in 0..2_000 {
            let tracker = TaskTracker::new();
            let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            for _ in 0..2 {
                let (token, count) = (tracker.token(), Arc::clone(&count));
                thread::spawn(move || {
                    count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    drop(token);
                });
            }
            tracker.close();
            block_on(tracker.wait());
            assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 2);
        }
    });
}
