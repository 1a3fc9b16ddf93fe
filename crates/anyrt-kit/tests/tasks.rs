//! Tasks over a queue that the test polls by hand, one task at a time.

#[path = "../../anyrt-core/tests/common/mod.rs"]
mod common;

use std::collections::HashSet;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use anyrt_core::task::yield_now;
use anyrt_core::{AbortHandle, JoinError, JoinHandle};
use anyrt_kit::executor::{Runnable, TaskHandle, Tasks};
use common::{CountDrops, PanicOnDrop, message};
use concurrent_queue::ConcurrentQueue;
use futures_util::FutureExt;

/// Tasks, and the queue of those that are ready.
struct ByHand {
    tasks: Arc<Tasks>,
    ready: Arc<ConcurrentQueue<Runnable>>,
}

impl ByHand {
    fn new() -> Self {
        Self {
            tasks: Tasks::new(),
            ready: Arc::new(ConcurrentQueue::unbounded()),
        }
    }

    fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let ready = Arc::clone(&self.ready);
        self.tasks.spawn(future, move |runnable| {
            ready.push(runnable).expect("the queue takes everything");
        })
    }

    fn spawn_local<F: Future + 'static>(&self, future: F) -> TaskHandle<F::Output> {
        let ready = Arc::clone(&self.ready);
        self.tasks.spawn_local(future, move |runnable| {
            ready.push(runnable).expect("the queue takes everything");
        })
    }

    /// Polls the task that has been ready for the longest time.
    fn run_one(&self) {
        self.ready.pop().expect("a task is ready").run();
    }

    /// Polls until no task is ready. Returns the number of polls.
    fn run(&self) -> usize {
        let mut polls = 0;
        while let Ok(runnable) = self.ready.pop() {
            runnable.run();
            polls += 1;
        }
        polls
    }
}

/// The result of a task that has ended.
fn joined<T>(handle: TaskHandle<T>) -> Result<T, JoinError> {
    handle.now_or_never().expect("the task has ended")
}

/// Polls `future` once.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn spawn_never_polls_inside_the_call() {
    let tasks = ByHand::new();
    let polled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&polled);
    let handle = tasks.spawn(async move { flag.store(true, Ordering::SeqCst) });
    assert!(!polled.load(Ordering::SeqCst));
    assert!(!handle.is_finished());
    assert_eq!(tasks.run(), 1);
    assert!(polled.load(Ordering::SeqCst));
    assert!(handle.is_finished());
}

#[test]
fn a_result_waits_for_whoever_joins_late() {
    let tasks = ByHand::new();
    let handle = tasks.spawn(async { String::from("late") });
    tasks.run();
    assert!(tasks.tasks.is_empty());
    assert_eq!(joined(handle).unwrap(), "late");
}

#[test]
fn polling_the_handle_by_reference_loses_no_result() {
    let tasks = ByHand::new();
    let mut handle = tasks.spawn(async { 7 });
    assert!(poll_once(&mut handle).is_pending());
    tasks.run();
    assert!(matches!(poll_once(&mut handle), Poll::Ready(Ok(7))));
}

#[test]
#[should_panic]
fn polling_the_handle_after_its_result_panics() {
    let tasks = ByHand::new();
    let mut handle = tasks.spawn(async {});
    tasks.run();
    assert!(poll_once(&mut handle).is_ready());
    let _ = poll_once(&mut handle);
}

#[test]
fn dropping_the_handle_detaches_the_task() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let guard = drops.guard();
    drop(tasks.spawn(async move {
        yield_now().await;
        drop(guard);
    }));
    assert_eq!(tasks.run(), 2);
    assert_eq!(drops.get(), 1);
}

#[test]
fn aborting_a_queued_task_drops_it_unpolled() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let guard = drops.guard();
    let handle = tasks.spawn(async move {
        let _guard = guard;
        panic!("it is not polled");
    });
    handle.abort();
    assert!(!handle.is_finished(), "it was only asked to end");
    assert_eq!(drops.get(), 0);
    tasks.run();
    assert_eq!(drops.get(), 1);
    assert!(handle.is_finished());
    assert!(joined(handle).unwrap_err().is_cancelled());
}

#[test]
fn aborting_a_waiting_task_drops_it() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let guard = drops.guard();
    let handle = tasks.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    assert_eq!(tasks.run(), 1);
    assert_eq!((drops.get(), tasks.tasks.len()), (0, 1));
    handle.abort();
    assert_eq!(tasks.run(), 1);
    assert_eq!((drops.get(), tasks.tasks.len()), (1, 0));
    let id = handle.id();
    let error = joined(handle).unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert_eq!(error.id(), id);
}

#[test]
fn aborting_a_running_task_ends_it_at_its_next_await() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let guard = drops.guard();
    let inside = Arc::new(Barrier::new(2));
    let aborted = Arc::new(Barrier::new(2));
    let handle = {
        let (inside, aborted) = (Arc::clone(&inside), Arc::clone(&aborted));
        tasks.spawn(async move {
            let _guard = guard;
            inside.wait();
            aborted.wait();
            pending::<()>().await;
        })
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            inside.wait();
            handle.abort();
            assert!(!handle.is_finished());
            aborted.wait();
        });
        tasks.run_one();
    });
    assert_eq!(drops.get(), 0, "it was in the middle of a poll");
    assert_eq!(tasks.run(), 1);
    assert_eq!(drops.get(), 1);
    assert!(joined(handle).unwrap_err().is_cancelled());
}

#[test]
fn a_running_task_that_is_aborted_but_ends_keeps_its_result() {
    let tasks = ByHand::new();
    let slot = Arc::new(Mutex::new(None::<TaskHandle<u8>>));
    let own = Arc::clone(&slot);
    *slot.lock().unwrap() = Some(tasks.spawn(async move {
        own.lock().unwrap().as_ref().unwrap().abort();
        7
    }));
    tasks.run();
    assert_eq!(joined(slot.lock().unwrap().take().unwrap()).unwrap(), 7);
    // The late abort must not affect a later task in the same place.
    let next = tasks.spawn(async { 8 });
    tasks.run();
    assert_eq!(joined(next).unwrap(), 8);
}

#[test]
fn a_task_can_abort_itself() {
    let tasks = ByHand::new();
    let slot = Arc::new(Mutex::new(None));
    let own = Arc::clone(&slot);
    let handle = tasks.spawn(async move {
        let abort: anyrt_kit::executor::TaskAbortHandle = own.lock().unwrap().take().unwrap();
        abort.abort();
        yield_now().await;
        panic!("it goes no further");
    });
    *slot.lock().unwrap() = Some(handle.abort_handle());
    tasks.run();
    assert!(joined(handle).unwrap_err().is_cancelled());
}

#[test]
fn aborting_a_finished_task_changes_nothing() {
    let tasks = ByHand::new();
    let handle = tasks.spawn(async { 7 });
    let abort = handle.abort_handle();
    tasks.run();
    abort.abort();
    handle.abort();
    assert!(abort.is_finished());
    assert_eq!(tasks.run(), 0);
    assert_eq!(joined(handle).unwrap(), 7);
}

#[test]
fn aborting_twice_is_aborting_once() {
    let tasks = ByHand::new();
    let handle = tasks.spawn(pending::<()>());
    let abort = handle.abort_handle();
    tasks.run();
    handle.abort();
    abort.abort();
    assert_eq!(tasks.run(), 1);
    assert!(joined(handle).unwrap_err().is_cancelled());
    // A request for a former task must not affect a new task in the same place.
    let next = tasks.spawn(async { 1 });
    abort.abort();
    tasks.run();
    assert_eq!(joined(next).unwrap(), 1);
}

#[test]
fn cancel_waits_until_the_future_was_dropped() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let guard = drops.guard();
    let handle = tasks.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    tasks.run();
    let mut cancel = handle.cancel();
    assert!(poll_once(&mut cancel).is_pending());
    tasks.run();
    assert_eq!(drops.get(), 1);
    assert!(matches!(poll_once(&mut cancel), Poll::Ready(Err(e)) if e.is_cancelled()));
}

#[test]
fn a_panic_ends_its_task_alone() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let guard = drops.guard();
    let bad = tasks.spawn(async move {
        let _guard = guard;
        yield_now().await;
        panic!("only here");
    });
    let good = tasks.spawn(async { 1 });
    tasks.run();
    assert_eq!(drops.get(), 1);
    assert_eq!(message(joined(bad).unwrap_err()), "only here");
    assert_eq!(joined(good).unwrap(), 1);
}

#[test]
fn a_destructor_that_panics_during_abort_gives_its_panic() {
    let tasks = ByHand::new();
    let handle = tasks.spawn(async {
        let _bomb = PanicOnDrop("in the destructor");
        pending::<()>().await;
    });
    tasks.run();
    handle.abort();
    tasks.run();
    assert!(tasks.tasks.is_empty());
    assert_eq!(message(joined(handle).unwrap_err()), "in the destructor");
}

/// Panics when it is polled, and is dropped only after that.
struct PanicInPoll<T>(T);

impl<T> Future for PanicInPoll<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        panic!("in the poll");
    }
}

#[test]
fn of_two_panics_the_first_one_is_reported() {
    let tasks = ByHand::new();
    let handle = tasks.spawn(PanicInPoll(PanicOnDrop("in the destructor")));
    tasks.run();
    assert!(tasks.tasks.is_empty());
    assert_eq!(message(joined(handle).unwrap_err()), "in the poll");
}

#[test]
fn a_panic_whose_payload_panics_when_dropped_harms_nobody() {
    /// Panics with a payload that panics when it is dropped.
    struct Nested;
    impl Drop for Nested {
        fn drop(&mut self) {
            std::panic::panic_any(PanicOnDrop("in the payload"));
        }
    }
    let tasks = ByHand::new();
    // In the destructor of a future that has already panicked.
    let handle = tasks.spawn(PanicInPoll(Nested));
    let panicking = handle.abort_handle();
    tasks.run();
    assert!(panicking.is_finished());
    assert_eq!(message(joined(handle).unwrap_err()), "in the poll");
    // In a result that is never joined.
    drop(tasks.spawn(async { Nested }));
    drop(tasks.spawn(async { std::panic::panic_any(PanicOnDrop("in the payload")) }));
    tasks.run();
    assert!(tasks.tasks.is_empty());
}

#[test]
fn a_dropped_runnable_cancels_its_task() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let guard = drops.guard();
    let handle = tasks.spawn(async move {
        let _guard = guard;
    });
    drop(tasks.ready.pop().unwrap());
    assert_eq!(drops.get(), 1);
    assert!(tasks.tasks.is_empty());
    assert!(joined(handle).unwrap_err().is_cancelled());
}

#[test]
fn closing_ends_all_tasks_and_those_to_come() {
    let tasks = ByHand::new();
    let drops = CountDrops::new();
    let spawn = || {
        let guard = drops.guard();
        tasks.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        })
    };
    let waiting = spawn();
    tasks.run();
    let queued = spawn();
    tasks.tasks.close();
    let late = spawn();
    assert_eq!(drops.get(), 1, "the late one is dropped at once");
    assert!(late.is_finished());
    tasks.run();
    assert_eq!(drops.get(), 3);
    for handle in [waiting, queued, late] {
        assert!(joined(handle).unwrap_err().is_cancelled());
    }
}

#[test]
fn drained_waits_for_close_and_for_the_last_task() {
    let tasks = ByHand::new();
    let owner = Arc::clone(&tasks.tasks);
    let mut drained = Box::pin(async move { owner.drained().await });
    assert!(poll_once(&mut drained).is_pending(), "it is open");
    let handle = tasks.spawn(pending::<()>());
    tasks.tasks.close();
    assert!(poll_once(&mut drained).is_pending(), "one is left");
    tasks.run();
    assert!(poll_once(&mut drained).is_ready());
    drop(handle);
}

#[test]
fn a_task_spawned_by_a_destructor_at_the_end_ends_as_well() {
    struct SpawnOnDrop(Arc<ByHand>, CountDrops);
    impl Drop for SpawnOnDrop {
        fn drop(&mut self) {
            let guard = self.1.guard();
            self.0.spawn(async move { drop(guard) });
        }
    }
    let tasks = Arc::new(ByHand::new());
    let drops = CountDrops::new();
    let guard = SpawnOnDrop(Arc::clone(&tasks), drops.clone());
    tasks.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    tasks.run();
    tasks.tasks.close();
    tasks.run();
    assert_eq!(drops.get(), 1);
    assert!(tasks.tasks.is_empty());
}

#[test]
fn an_output_that_panics_when_dropped_harms_nobody() {
    let tasks = ByHand::new();
    // Detached before it runs, and another one after.
    drop(tasks.spawn(async { PanicOnDrop("before") }));
    tasks.run();
    let handle = tasks.spawn(async { PanicOnDrop("after") });
    tasks.run();
    drop(handle);
    assert!(tasks.tasks.is_empty());
    assert_eq!(Arc::strong_count(&tasks.tasks), 1, "no task is left over");
}

#[test]
fn ids_are_unique_across_runtimes_and_time() {
    let (one, two) = (ByHand::new(), ByHand::new());
    let mut ids = HashSet::new();
    for _ in 0..1000 {
        for tasks in [&one, &two] {
            let handle = tasks.spawn(async {});
            assert!(ids.insert(handle.id()));
            assert_eq!(handle.abort_handle().id(), handle.id());
            tasks.run();
        }
    }
}

#[test]
fn a_local_task_woken_on_another_thread_is_polled_at_home() {
    let tasks = ByHand::new();
    let home = thread::current().id();
    let waker = Arc::new(Mutex::new(None::<Waker>));
    let seen = Arc::clone(&waker);
    // Because of the `Rc` the future must not leave the thread.
    let polls = Rc::new(());
    let handle = tasks.spawn_local(async move {
        let mut first = true;
        poll_fn(|cx| {
            assert_eq!(thread::current().id(), home);
            *seen.lock().unwrap() = Some(cx.waker().clone());
            if std::mem::replace(&mut first, false) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        polls
    });
    tasks.run();
    thread::scope(|scope| {
        scope.spawn(|| waker.lock().unwrap().take().unwrap().wake());
    });
    assert_eq!(tasks.run(), 1);
    assert_eq!(Rc::strong_count(&joined(handle).unwrap()), 1);
}

#[test]
fn a_task_leaves_nothing_behind() {
    let tasks = ByHand::new();
    for i in 0..100 {
        let handle = tasks.spawn(async move {
            yield_now().await;
            vec![0; i]
        });
        if i % 3 == 0 {
            handle.abort();
        }
        tasks.run();
    }
    assert_eq!(Arc::strong_count(&tasks.tasks), 1);
    assert_eq!(Arc::strong_count(&tasks.ready), 1);
}
