//! The run queue with real threads: they share the work, find it and are woken for it.

#[path = "../../anyrt-core/tests/common/mod.rs"]
mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use anyrt_core::channel::{Receiver, Sender, UnboundedSender};
use anyrt_core::runtime::Config;
use anyrt_core::task::yield_now;
use anyrt_core::{AbortHandle, CancellationToken, JoinHandle};
use anyrt_kit::executor::{Run, RunQueue, TaskAbortHandle, Turns, local};
use anyrt_kit::queue::{bounded, unbounded};
use common::{CountDrops, block_on, within_a_minute};

/// Threads that work on a queue until they are told to stop.
struct Workers {
    queue: Arc<RunQueue>,
    stop: CancellationToken,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Workers {
    fn start(count: usize) -> Self {
        let (queue, stop) = (RunQueue::new(), CancellationToken::new());
        let threads = (0..count)
            .map(|_| {
                let (queue, stop) = (Arc::clone(&queue), stop.clone());
                thread::spawn(move || block_on(queue.run_until(stop.cancelled())))
            })
            .collect();
        Self {
            queue,
            stop,
            threads,
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            thread.join().expect("a worker does not panic");
        }
        self.queue.drain();
    }
}

#[test]
fn two_threads_work_at_the_same_time() {
    within_a_minute(|| {
        let workers = Workers::start(2);
        // Neither gets past the barrier alone.
        let barrier = Arc::new(Barrier::new(2));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                workers.queue.spawn(async move {
                    barrier.wait();
                    thread::current().id()
                })
            })
            .collect();
        let ids: Vec<ThreadId> = tasks.into_iter().map(|t| block_on(t).unwrap()).collect();
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn a_thread_without_work_steals_from_one_that_is_busy() {
    within_a_minute(|| {
        let workers = Workers::start(2);
        let queue = Arc::clone(&workers.queue);
        let (done, finished) = mpsc::channel();
        let task = workers.queue.spawn(async move {
            // These lie in the queue of this very thread, which then blocks until another one has run them.
            for _ in 0..100 {
                let done = done.clone();
                queue.spawn(async move { done.send(thread::current().id()) });
            }
            let me = thread::current().id();
            (0..100).all(|_| finished.recv().unwrap() != me)
        });
        assert!(block_on(task).unwrap());
    });
}

#[test]
fn a_sleeping_worker_is_woken_from_outside() {
    within_a_minute(|| {
        let workers = Workers::start(1);
        // Each time the worker may be asleep or about to be; no wake-up may be lost.
        for i in 0..10_000 {
            assert_eq!(block_on(workers.queue.spawn(async move { i })).unwrap(), i);
        }
    });
}

#[test]
fn no_wake_up_is_lost_between_two_workers() {
    within_a_minute(|| {
        let workers = Workers::start(2);
        let (ping, mut pings) = bounded(1);
        let (pong, mut pongs) = bounded(1);
        workers.queue.spawn(async move {
            while let Some(n) = pings.recv().await {
                pong.send(n).await.unwrap();
            }
        });
        let task = workers.queue.spawn(async move {
            for n in 0..20_000 {
                ping.send(n).await.unwrap();
                assert_eq!(pongs.recv().await, Some(n));
            }
        });
        block_on(task).unwrap();
    });
}

#[test]
fn tasks_that_are_always_ready_let_the_main_future_run() {
    within_a_minute(|| {
        let queue = RunQueue::new();
        for _ in 0..3 {
            queue.spawn(async {
                loop {
                    yield_now().await;
                }
            });
        }
        block_on(queue.run_until(async {
            for _ in 0..100 {
                yield_now().await;
            }
        }));
        queue.drain();
        assert!(queue.tasks().is_empty());
    });
}

#[test]
fn own_work_does_not_starve_the_shared_queue() {
    within_a_minute(|| {
        let workers = Workers::start(1);
        let (started, has_started) = mpsc::channel();
        workers.queue.spawn(async move {
            started.send(()).unwrap();
            loop {
                yield_now().await;
            }
        });
        has_started.recv().unwrap();
        // Comes from outside, so by the shared queue, while the worker's own is never empty.
        block_on(workers.queue.spawn(async {})).unwrap();
        workers.queue.tasks().close();
    });
}

#[test]
fn more_tasks_than_a_worker_has_room_for_all_run() {
    within_a_minute(|| {
        let queue = RunQueue::new();
        let count = Arc::new(AtomicUsize::new(0));
        let (inner, counter) = (Arc::clone(&queue), Arc::clone(&count));
        block_on(queue.run_until(async move {
            let tasks: Vec<_> = (0..5_000)
                .map(|_| {
                    let counter = Arc::clone(&counter);
                    inner.spawn(async move { counter.fetch_add(1, Ordering::SeqCst) })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        }));
        assert_eq!(count.load(Ordering::SeqCst), 5_000);
    });
}

#[test]
fn what_a_worker_leaves_goes_to_the_next_one() {
    within_a_minute(|| {
        let queue = RunQueue::new();
        let inner = Arc::clone(&queue);
        // The future is ready before the worker has looked at what it spawned.
        let spawn = poll_fn(move |_| Poll::Ready(inner.spawn(async { 7 })));
        let task = block_on(queue.run_until(spawn));
        assert!(!task.is_finished());
        assert_eq!(block_on(queue.run_until(task)).unwrap(), 7);
    });
}

#[test]
fn drain_drops_all_futures() {
    let queue = RunQueue::new();
    let drops = CountDrops::new();
    let spawn = |wait: bool| {
        let guard = drops.guard();
        queue.spawn(async move {
            let _guard = guard;
            if wait {
                pending::<()>().await;
            }
        })
    };
    let waiting = spawn(true);
    block_on(queue.run_until(yield_now()));
    let queued = spawn(false);
    assert_eq!(drops.get(), 0);
    queue.drain();
    assert_eq!(drops.get(), 2);
    for task in [waiting, queued] {
        assert!(block_on(task).unwrap_err().is_cancelled());
    }
    assert_eq!(Arc::strong_count(&queue), 1, "no task keeps the queue");
}

#[test]
fn aborts_from_other_threads_lose_no_task() {
    within_a_minute(|| {
        const TASKS: usize = 5_000;
        let workers = Workers::start(2);
        let drops = CountDrops::new();
        let (aborting, to_abort) = mpsc::channel::<TaskAbortHandle>();
        let aborter = thread::spawn(move || {
            for abort in to_abort {
                abort.abort();
            }
        });
        let tasks: Vec<_> = (0..TASKS)
            .map(|i| {
                let guard = drops.guard();
                let task = workers.queue.spawn(async move {
                    let _guard = guard;
                    for _ in 0..i % 5 {
                        yield_now().await;
                    }
                    if i % 3 == 0 {
                        pending::<()>().await;
                    }
                    i
                });
                // Some of them twice, and many at the very moment at which they end.
                if i % 3 == 0 || i % 2 == 0 {
                    aborting.send(task.abort_handle()).unwrap();
                }
                task
            })
            .collect();
        drop(aborting);
        for (i, task) in tasks.into_iter().enumerate() {
            match block_on(task) {
                Ok(value) => assert_eq!(value, i),
                Err(error) => assert!(error.is_cancelled() && (i % 3 == 0 || i % 2 == 0)),
            }
        }
        aborter.join().unwrap();
        assert_eq!(drops.get(), TASKS);
        assert!(workers.queue.tasks().is_empty());
    });
}

#[test]
fn tasks_that_come_or_are_woken_at_the_end_are_dropped_as_well() {
    within_a_minute(|| {
        for _ in 0..50 {
            let queue = RunQueue::new();
            let drops = CountDrops::new();
            let spawned = Arc::new(AtomicUsize::new(0));
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let queue = Arc::clone(&queue);
                    thread::spawn(move || block_on(queue.run_until(queue.tasks().drained())))
                })
                .collect();
            let spawners: Vec<_> = (0..2)
                .map(|_| {
                    let (queue, drops, spawned) =
                        (Arc::clone(&queue), drops.clone(), Arc::clone(&spawned));
                    thread::spawn(move || {
                        let (sender, mut receiver) = unbounded();
                        while !queue.tasks().is_closed() {
                            let guard = drops.guard();
                            spawned.fetch_add(1, Ordering::SeqCst);
                            let sender = sender.clone();
                            queue.spawn(async move {
                                let _guard = guard;
                                poll_fn(|cx| {
                                    // Woken by the spawning thread, perhaps while the queue closes.
                                    let _ = sender.send(cx.waker().clone());
                                    Poll::<()>::Pending
                                })
                                .await;
                            });
                            while let Ok(waker) = receiver.try_recv() {
                                waker.wake();
                            }
                        }
                    })
                })
                .collect();
            while spawned.load(Ordering::SeqCst) < 20 {
                thread::yield_now();
            }
            queue.tasks().close();
            for thread in workers.into_iter().chain(spawners) {
                thread.join().unwrap();
            }
            assert_eq!(drops.get(), spawned.load(Ordering::SeqCst));
            assert_eq!(Arc::strong_count(&queue), 1, "no task keeps the queue");
        }
    });
}

#[test]
fn a_task_woken_while_a_thread_ends_is_scheduled() {
    thread_local! {
        static AT_EXIT: RefCell<Option<WakeOnDrop>> = const { RefCell::new(None) };
    }
    struct WakeOnDrop(Waker);
    impl Drop for WakeOnDrop {
        fn drop(&mut self) {
            self.0.wake_by_ref();
        }
    }
    within_a_minute(|| {
        let queue = RunQueue::new();
        let mut polls = 0;
        let slot = Arc::new(Mutex::new(None));
        let waker = Arc::clone(&slot);
        let task = queue.spawn(poll_fn(move |cx| {
            *waker.lock().unwrap() = Some(cx.waker().clone());
            polls += 1;
            if polls == 1 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }));
        block_on(queue.run_until(yield_now()));
        let waker = slot.lock().unwrap().take().unwrap();
        let other = RunQueue::new();
        thread::spawn(move || {
            AT_EXIT.set(Some(WakeOnDrop(waker)));
            // Initialised later, so destroyed earlier: the thread's place at a queue is gone when it wakes.
            block_on(other.run_until(yield_now()));
        })
        .join()
        .unwrap();
        block_on(queue.run_until(task)).unwrap();
    });
}

#[test]
fn local_tasks_woken_at_the_end_of_their_scope_end_with_it() {
    within_a_minute(|| {
        let slot = Arc::new(Mutex::new(None::<Waker>));
        let stop = CancellationToken::new();
        let waking: Vec<_> = (0..2)
            .map(|_| {
                let (wakers, stopped) = (Arc::clone(&slot), stop.clone());
                thread::spawn(move || {
                    while !stopped.is_cancelled() {
                        let waker = wakers.lock().unwrap().clone();
                        if let Some(waker) = waker {
                            waker.wake();
                        }
                    }
                })
            })
            .collect();
        let drops = CountDrops::new();
        for round in 1..=500 {
            let scope = local::Scope::open();
            let (guard, slot) = (drops.guard(), Arc::clone(&slot));
            block_on(scope.run_until(async move {
                local::spawn_local(async move {
                    let _guard = guard;
                    poll_fn(|cx| {
                        *slot.lock().unwrap() = Some(cx.waker().clone());
                        Poll::<()>::Pending
                    })
                    .await;
                });
                yield_now().await;
            }));
            drop(scope);
            assert_eq!(drops.get(), round);
        }
        stop.cancel();
        for thread in waking {
            thread.join().unwrap();
        }
    });
}

#[test]
#[should_panic(expected = "`spawn_local` needs a thread that is inside `block_on`")]
fn spawn_local_outside_a_scope_says_what_to_do() {
    local::spawn_local(async {});
}

thread_local! {
    /// Whom the reactor of this test has to wake.
    static SEEN: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl std::task::Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// How often a second worker is woken when the first one gets so many events.
fn wakes_of_the_other(events: usize) -> usize {
    let turns = Turns {
        begin: || SEEN.take().into_iter().for_each(Waker::wake),
        ..Turns::NONE
    };
    let mut config = Config::default();
    config.worker_threads = NonZeroUsize::new(2);
    let queue = RunQueue::beside(&config, turns);
    let polls = Arc::new(AtomicUsize::new(0));
    for _ in 0..events {
        let polls = Arc::clone(&polls);
        queue.spawn(poll_fn(move |cx| {
            polls.fetch_add(1, Ordering::SeqCst);
            SEEN.with_borrow_mut(|seen| seen.push(cx.waker().clone()));
            Poll::<()>::Pending
        }));
    }
    let (here, other) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let wakers = [Waker::from(here), Waker::from(Arc::clone(&other))];
    let [mut first, mut second] =
        [0, 1].map(|index| Box::pin(queue.run_worker(index, pending::<()>())));
    let poll = |worker: &mut std::pin::Pin<Box<Run<_>>>, waker| {
        assert!(
            worker
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
    };
    // The tasks run and wait; then both workers sleep.
    poll(&mut first, &wakers[0]);
    let seen = SEEN.take();
    poll(&mut second, &wakers[1]);
    let before = other.0.load(Ordering::SeqCst);
    SEEN.set(seen);
    poll(&mut first, &wakers[0]);
    assert_eq!(polls.load(Ordering::SeqCst), 2 * events);
    let after = other.0.load(Ordering::SeqCst);
    SEEN.take();
    drop((first, second));
    queue.drain();
    after - before
}

thread_local! {
    /// Whether the reactor of the test below says that its worker has been woken.
    static IS_WOKEN: Cell<bool> = const { Cell::new(false) };
}

#[test]
fn a_worker_that_was_woken_does_not_sleep_and_loses_no_task() {
    let turns = Turns {
        is_woken: |_| IS_WOKEN.get(),
        ..Turns::NONE
    };
    let queue = RunQueue::beside(&Config::default(), turns);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut worker = Box::pin(queue.run_worker(0, pending::<()>()));
    let mut poll = |is_woken| {
        IS_WOKEN.set(is_woken);
        let polled = worker.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    };
    let woken = || wakes.0.load(Ordering::SeqCst);

    poll(true);
    let first = queue.spawn(async {});
    assert_eq!(woken(), 0, "whoever is polled again anyway needs no waking");
    poll(false);
    assert!(first.is_finished());

    let second = queue.spawn(async {});
    assert_eq!(woken(), 1, "now it sleeps");
    poll(true);
    assert!(second.is_finished());
}

#[test]
fn a_lone_event_wakes_no_second_worker() {
    assert_eq!(wakes_of_the_other(1), 0);
}

#[test]
fn several_events_wake_a_second_worker() {
    assert_eq!(wakes_of_the_other(2), 1);
}
