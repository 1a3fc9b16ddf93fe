//! Models of the protocols that are synchronised by hand. loom runs each in every interleaving of
//! its threads, and with every result that the memory model allows. `scripts/check loom` runs them.
//!
//! A lost wake-up is a deadlock, which loom reports. "At most n preemptions" limits the
//! interleavings: at most that many times a thread is stopped that could continue. Blocking is not
//! limited.
#![cfg(anyrt_loom)]

use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use anyrt_core::readiness::{Direction, Interest, Ready};
use anyrt_core::runtime::Builder;
use anyrt_core::waiters::Waiters;
use anyrt_core::{AbortHandle, JoinHandle};
use anyrt_kit::Asleep;
use anyrt_kit::executor::{BlockingPool, Runnable, Started, TaskHandle, Tasks};
use anyrt_kit::readiness::{Source, Start};
use anyrt_kit::sync::model;
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::pausable::Pausable;
use loom::future::block_on;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
use loom::thread;

#[test]
fn waiters_an_event_that_happens_while_one_begins_to_wait_ends_the_wait() {
    model("waiters, begin", 4, || {
        let waiters = Arc::new(Waiters::default());
        let happened = Arc::new(AtomicBool::new(false));
        let other = thread::spawn({
            let (waiters, happened) = (Arc::clone(&waiters), Arc::clone(&happened));
            move || {
                happened.store(true, SeqCst);
                waiters.notify_all();
            }
        });
        block_on(async {
            loop {
                let event = waiters.wait();
                if happened.load(SeqCst) {
                    break;
                }
                event.await;
            }
        });
        other.join().unwrap();
    });
}

#[test]
fn waiters_one_that_leaves_takes_nobody_else_s_place() {
    model("waiters, leave", 3, || {
        let waiters = Arc::new(Waiters::default());
        let events = Arc::new(AtomicUsize::new(0));
        let notifier = thread::spawn({
            let (waiters, events) = (Arc::clone(&waiters), Arc::clone(&events));
            move || {
                for _ in 0..2 {
                    events.fetch_add(1, SeqCst);
                    waiters.notify_all();
                }
            }
        });
        let later = thread::spawn({
            let (waiters, events) = (Arc::clone(&waiters), Arc::clone(&events));
            move || {
                block_on(async {
                    loop {
                        let event = waiters.wait();
                        if events.load(SeqCst) == 2 {
                            break;
                        }
                        event.await;
                    }
                });
            }
        });
        // Has a place in the first round, and leaves in that or in a later one.
        let mut early = Box::pin(waiters.wait());
        let _ = early.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(early);
        notifier.join().unwrap();
        later.join().unwrap();
    });
}

/// Bytes that have arrived at a descriptor.
#[derive(Default)]
struct Arrived(AtomicUsize);

impl Arrived {
    /// A byte arrives, and the poller reports it.
    fn one(&self, source: &Source) {
        self.0.fetch_add(1, SeqCst);
        let mut wakers = Vec::new();
        source.set(Ready::READABLE, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn read(&self) -> io::Result<()> {
        self.0
            .fetch_update(SeqCst, SeqCst, |bytes| bytes.checked_sub(1))
            .map(drop)
            .map_err(|_| io::ErrorKind::WouldBlock.into())
    }
}

#[test]
fn source_a_byte_that_arrives_during_a_vain_attempt_is_read() {
    // Ready at first, so that an attempt is made.
    model("source, poll", 4, || {
        two_bytes_are_read(Ready::READABLE, Start::IfReady);
    });
}

#[test]
fn source_a_byte_that_arrives_during_an_attempt_without_readiness_is_read() {
    model("source, attempt", 4, || {
        two_bytes_are_read(Ready::EMPTY, Start::Attempt);
    });
}

fn two_bytes_are_read(ready: Ready, start: Start) {
    let source = Arc::new(Source::new(ready));
    let arrived = Arc::new(Arrived::default());
    let poller = thread::spawn({
        let (source, arrived) = (Arc::clone(&source), Arc::clone(&arrived));
        move || {
            arrived.one(&source);
            arrived.one(&source);
        }
    });
    for _ in 0..2 {
        block_on(poll_fn(|cx| {
            source.poll(
                cx,
                Direction::Read,
                Interest::READABLE,
                start,
                || Ok(false),
                |_| arrived.read(),
            )
        }))
        .unwrap();
    }
    poller.join().unwrap();
}

#[test]
fn source_of_two_who_wait_for_a_byte_each_none_is_forgotten() {
    model("source, run", 2, || {
        let source = Arc::new(Source::new(Ready::EMPTY));
        let arrived = Arc::new(Arrived::default());
        let readers = [(); 2].map(|()| {
            let (source, arrived) = (Arc::clone(&source), Arc::clone(&arrived));
            thread::spawn(move || {
                let run = source.run(Interest::READABLE, || Ok(false), |_| arrived.read());
                block_on(run).unwrap();
            })
        });
        arrived.one(&source);
        arrived.one(&source);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn source_the_end_of_the_poller_ends_every_wait() {
    model("source, end", 3, || {
        let source = Arc::new(Source::new(Ready::EMPTY));
        let poller = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                let mut wakers = Vec::new();
                source.end(&mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
        });
        let waiting = thread::spawn({
            let source = Arc::clone(&source);
            move || {
                let wait = source.wait(Interest::WRITABLE, || Ok(false));
                block_on(wait).unwrap_err();
            }
        });
        let never = || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock));
        block_on(source.run(Interest::READABLE, || Ok(false), |_| never())).unwrap_err();
        poller.join().unwrap();
        waiting.join().unwrap();
    });
}

/// A pool of at most that many threads. With a keep-alive of zero they may end whenever they are
/// idle.
fn pool(threads: usize, kept: Duration) -> BlockingPool {
    let mut builder = Builder::<()>::new_current_thread();
    builder
        .max_blocking_threads(threads)
        .thread_keep_alive(kept);
    BlockingPool::new(builder.config(), "", Pausable::default(), |work| work())
}

#[test]
fn pool_a_job_that_comes_as_the_idle_thread_goes_is_run() {
    model("pool, idle thread", 3, || {
        let pool = pool(1, Duration::ZERO);
        let first = pool.spawn(|| 1);
        let second = pool.spawn(|| 2);
        assert_eq!(block_on(first).unwrap() + block_on(second).unwrap(), 3);
        assert!(pool.shutdown(None));
    });
}

#[test]
fn pool_an_idle_thread_takes_the_next_job() {
    model("pool, hand-over", 2, || {
        let pool = Arc::new(pool(2, Duration::from_secs(1)));
        let other = thread::spawn({
            let pool = Arc::clone(&pool);
            move || assert_eq!(block_on(pool.spawn(|| 1)).unwrap(), 1)
        });
        assert_eq!(block_on(pool.spawn(|| 2)).unwrap(), 2);
        other.join().unwrap();
        assert!(pool.shutdown(None));
    });
}

#[test]
fn pool_a_mandatory_job_that_was_accepted_runs_before_the_end() {
    model("pool, end", 3, || {
        let pool = Arc::new(pool(1, Duration::from_secs(1)));
        let done = Arc::new(AtomicBool::new(false));
        let other = thread::spawn({
            let (pool, done) = (Arc::clone(&pool), Arc::clone(&done));
            move || {
                pool.spawn_mandatory(move || done.store(true, SeqCst))
                    .is_some()
            }
        });
        assert!(pool.shutdown(None));
        // Accepted jobs have run by now; the others never run.
        let done_at_end = done.load(SeqCst);
        let accepted = other.join().unwrap();
        assert_eq!(accepted, done_at_end);
        assert_eq!(accepted, done.load(SeqCst));
    });
}

#[test]
fn clock_it_moves_on_when_what_kept_it_is_over() {
    model("clock, inhibition", 3, || {
        let clock = Clock::new(true);
        let inhibition = clock.inhibit();
        let over = Arc::new(AtomicBool::new(false));
        let other = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                over.store(true, SeqCst);
                drop(inhibition);
            }
        });
        let driver = clock.drive();
        let sleep = clock.sleep_until(clock.now() + Duration::from_millis(1));
        block_on(driver.run(sleep, |_| pending(), || ready(())));
        assert!(over.load(SeqCst), "the clock moved on too early");
        other.join().unwrap();
    });
}

#[test]
fn clock_a_driver_that_waits_sees_that_it_was_advanced() {
    model("clock, advance", 3, || {
        let clock = Clock::new(true);
        let sleep = clock.sleep_until(clock.now() + Duration::from_millis(1));
        // It does not advance by itself.
        let _inhibition = clock.inhibit();
        let other = thread::spawn({
            let clock = Arc::clone(&clock);
            move || clock.advance(Duration::from_millis(1)).unwrap()
        });
        let driver = clock.drive();
        // The only event to wait for is an alarm in the past.
        block_on(driver.run(sleep, |_| ready(()), || ready(())));
        other.join().unwrap();
    });
}

/// Runs a task inside its wake-up.
fn here(runnable: Runnable) {
    // The run sees the writes before the wake-up. async-task's state orders them, but loom does not
    // see that.
    fence(SeqCst);
    runnable.run();
}

/// Spawns a task that never ends by itself, in a foreign executor.
fn host(tasks: &Arc<Tasks>, counted: Counted) -> TaskHandle<()> {
    let future = async move {
        let _counted = counted;
        pending::<()>().await;
    };
    tasks.spawn_hosted(future, None, |hosted| {
        let (runnable, task) = async_task::spawn(hosted, |runnable: async_task::Runnable| {
            fence(SeqCst);
            runnable.run();
        });
        runnable.schedule();
        Some(Started::task(task))
    })
}

/// Counts its drop.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn tasks_one_that_is_spawned_during_the_close_ends() {
    model("tasks, spawn and close", 3, || {
        let tasks = Tasks::new();
        let drops = Arc::new(AtomicUsize::new(0));
        let spawner = thread::spawn({
            let (tasks, counted) = (Arc::clone(&tasks), Counted(Arc::clone(&drops)));
            move || {
                tasks.spawn(
                    async move {
                        let _counted = counted;
                        pending::<()>().await;
                    },
                    here,
                )
            }
        });
        let closer = thread::spawn({
            let tasks = Arc::clone(&tasks);
            move || tasks.close()
        });
        block_on(tasks.drained());
        closer.join().unwrap();
        let task = spawner.join().unwrap();
        // Spawned before or after the close: it has ended in both cases.
        assert!(tasks.is_empty());
        assert_eq!(drops.load(SeqCst), 1);
        assert!(block_on(task).unwrap_err().is_cancelled());
    });
}

#[test]
fn tasks_an_abort_during_the_close_ends_the_task_once() {
    model("tasks, abort and close", 3, || {
        let tasks = Tasks::new();
        let drops = Arc::new(AtomicUsize::new(0));
        let counted = Counted(Arc::clone(&drops));
        let task = tasks.spawn(
            async move {
                let _counted = counted;
                pending::<()>().await;
            },
            here,
        );
        let abort = task.abort_handle();
        let aborter = thread::spawn(move || abort.abort());
        let closer = thread::spawn({
            let tasks = Arc::clone(&tasks);
            move || tasks.close()
        });
        block_on(tasks.drained());
        assert_eq!(drops.load(SeqCst), 1);
        aborter.join().unwrap();
        closer.join().unwrap();
        assert_eq!(drops.load(SeqCst), 1);
        let mut task = pin!(task);
        assert!(block_on(task.as_mut()).unwrap_err().is_cancelled());
    });
}

#[test]
fn tasks_one_that_is_hosted_during_the_close_ends() {
    model("tasks, host and close", 3, || {
        let tasks = Tasks::new();
        let drops = Arc::new(AtomicUsize::new(0));
        let spawner = thread::spawn({
            let (tasks, counted) = (Arc::clone(&tasks), Counted(Arc::clone(&drops)));
            move || host(&tasks, counted)
        });
        let closer = thread::spawn({
            let tasks = Arc::clone(&tasks);
            move || tasks.close()
        });
        block_on(tasks.drained());
        closer.join().unwrap();
        let task = spawner.join().unwrap();
        assert!(tasks.is_empty());
        assert_eq!(drops.load(SeqCst), 1);
        assert!(block_on(task).unwrap_err().is_cancelled());
    });
}

#[test]
fn tasks_an_abort_before_a_hosted_task_first_waits_ends_it() {
    model("tasks, host and abort", 3, || {
        let tasks = Tasks::new();
        let drops = Arc::new(AtomicUsize::new(0));
        // Queued, and not polled yet.
        let queue = Arc::new(loom::sync::Mutex::new(None));
        let task = tasks.spawn_hosted(
            {
                let counted = Counted(Arc::clone(&drops));
                async move {
                    let _counted = counted;
                    pending::<()>().await;
                }
            },
            None,
            |hosted| {
                let queue = Arc::clone(&queue);
                let (runnable, task) = async_task::spawn(hosted, move |runnable| {
                    fence(SeqCst);
                    let first: Option<async_task::Runnable> =
                        queue.lock().unwrap().replace(runnable);
                    assert!(first.is_none(), "a task is queued once");
                });
                runnable.schedule();
                Some(Started::task(task))
            },
        );
        let aborter = thread::spawn({
            let abort = task.abort_handle();
            move || abort.abort()
        });
        let run = |queue: &loom::sync::Mutex<Option<async_task::Runnable>>| {
            let runnable = queue.lock().unwrap().take();
            if let Some(runnable) = runnable {
                fence(SeqCst);
                runnable.run();
            }
        };
        run(&queue);
        aborter.join().unwrap();
        // Woken by the abort, if its first poll did not see it.
        run(&queue);
        assert_eq!(drops.load(SeqCst), 1);
        assert!(block_on(task).unwrap_err().is_cancelled());
    });
}

#[test]
fn tasks_a_result_that_comes_as_somebody_begins_to_join_is_taken() {
    model("tasks, slot", 3, || {
        let tasks = Tasks::new();
        let mut worker = None;
        let task = tasks.spawn_hosted(async { 7 }, None, |hosted| {
            let (filled, started) = Started::slot(hosted);
            worker = Some(thread::spawn(move || block_on(filled)));
            Some(started)
        });
        assert_eq!(block_on(task).unwrap(), 7);
        worker.unwrap().join().unwrap();
    });
}

#[test]
fn asleep_what_is_left_while_a_thread_falls_asleep_wakes_it() {
    model("asleep, doorbell", 3, || {
        let asleep = Arc::new(Asleep::new());
        let left = Arc::new([(); 2].map(|()| AtomicBool::new(false)));
        // Counts like an eventfd: a wait takes all signals.
        let doorbell = Arc::new((loom::sync::Mutex::new(0), loom::sync::Condvar::new()));
        let others = [0, 1].map(|number| {
            let (asleep, left) = (Arc::clone(&asleep), Arc::clone(&left));
            let doorbell = Arc::clone(&doorbell);
            thread::spawn(move || {
                left[number].store(true, Release);
                if asleep.rouse() {
                    *doorbell.0.lock().unwrap() += 1;
                    doorbell.1.notify_one();
                }
            })
        });
        let mut found = 0;
        let mut look = || {
            for one in left.iter() {
                if one.load(Acquire) {
                    one.store(false, Relaxed);
                    found += 1;
                }
            }
            found
        };
        while look() < 2 {
            asleep.fall_asleep();
            if look() < 2 {
                let mut rung = doorbell.0.lock().unwrap();
                while *rung == 0 {
                    rung = doorbell.1.wait(rung).unwrap();
                }
                assert_eq!(*rung, 1, "whoever rings takes the sleep away");
                *rung = 0;
            }
            asleep.wake_up();
        }
        for other in others {
            other.join().unwrap();
        }
    });
}
