//! The blocking pool: threads are started, reused and ended; no job is lost.

#[path = "../../anyrt-core/tests/common/mod.rs"]
mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use anyrt_core::JoinHandle;
use anyrt_core::runtime::{Builder, Config};
use anyrt_kit::executor::BlockingPool;
use anyrt_kit::time::pausable::Pausable;
use common::{CountDrops, block_on, message, within_a_minute};

const LONG: Duration = Duration::from_secs(3600);

fn pool(max_threads: usize, keep_alive: Duration) -> BlockingPool {
    let mut builder = Builder::<()>::new_multi_thread();
    builder
        .max_blocking_threads(max_threads)
        .thread_keep_alive(keep_alive);
    BlockingPool::new(builder.config(), "test", Pausable::default(), |work| work())
}

/// A gate for jobs.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn wait(&self) {
        let (open, opened) = &*self.0;
        let open = open.lock().expect("nobody panics under the lock");
        drop(opened.wait_while(open, |open| !*open));
    }

    fn open(&self) {
        *self.0.0.lock().expect("nobody panics under the lock") = true;
        self.0.1.notify_all();
    }
}

#[test]
fn a_panic_is_the_result_of_its_job_alone() {
    within_a_minute(|| {
        let pool = pool(1, LONG);
        let bad = pool.spawn(|| panic!("in the job"));
        let good = pool.spawn(|| 7);
        assert_eq!(message(block_on(bad).unwrap_err()), "in the job");
        assert_eq!(block_on(good).unwrap(), 7);
        assert_eq!(pool.threads(), 1, "the thread lives on");
    });
}

#[test]
fn a_job_runs_even_if_its_handle_is_dropped() {
    within_a_minute(|| {
        let pool = pool(1, LONG);
        let (done, finished) = mpsc::channel();
        let gate = Gate::default();
        let wait = gate.clone();
        drop(pool.spawn(move || wait.wait()));
        // Its handle is dropped while it is queued behind the first one.
        drop(pool.spawn(move || done.send(7)));
        gate.open();
        assert_eq!(finished.recv(), Ok(7));
    });
}

#[test]
fn a_queued_job_can_be_aborted_and_a_running_one_cannot() {
    within_a_minute(|| {
        let pool = pool(1, LONG);
        let (started, has_started) = mpsc::channel();
        let gate = Gate::default();
        let wait = gate.clone();
        let running = pool.spawn(move || {
            started.send(()).unwrap();
            wait.wait();
            7
        });
        let drops = CountDrops::new();
        let guard = drops.guard();
        let queued = pool.spawn(move || {
            drop(guard);
            panic!("it does not run");
        });
        has_started.recv().unwrap();
        assert_eq!(pool.depth(), 1);
        running.abort();
        queued.abort();
        gate.open();
        assert!(block_on(queued).unwrap_err().is_cancelled());
        assert_eq!(drops.get(), 1);
        assert_eq!(block_on(running).unwrap(), 7);
    });
}

#[test]
fn there_are_never_more_threads_than_allowed() {
    within_a_minute(|| {
        const MAX: usize = 4;
        let pool = pool(MAX, LONG);
        let now = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let gate = Gate::default();
        let jobs: Vec<_> = (0..200)
            .map(|_| {
                let (now, most, gate) = (Arc::clone(&now), Arc::clone(&most), gate.clone());
                pool.spawn(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    gate.wait();
                    now.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        assert_eq!(pool.threads(), MAX);
        gate.open();
        for job in jobs {
            block_on(job).unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= MAX);
        assert_eq!(pool.threads(), MAX);
    });
}

#[test]
fn as_many_jobs_run_at_once_as_there_may_be_threads() {
    within_a_minute(|| {
        const JOBS: usize = 32;
        let pool = pool(JOBS, LONG);
        // The barrier opens only if all jobs run at the same time.
        let barrier = Arc::new(std::sync::Barrier::new(JOBS));
        let jobs: Vec<_> = (0..JOBS)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                pool.spawn(move || barrier.wait().is_leader())
            })
            .collect();
        let leaders = jobs.into_iter().map(block_on);
        assert_eq!(
            leaders.filter(|leader| *leader.as_ref().unwrap()).count(),
            1
        );
    });
}

#[test]
fn idle_threads_are_reused() {
    within_a_minute(|| {
        let pool = pool(8, LONG);
        for _ in 0..100 {
            block_on(pool.spawn(|| ())).unwrap();
            // The result of a job is visible slightly before its thread is idle again.
            while pool.idle_threads() == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(pool.threads(), 1);
    });
}

#[test]
fn idle_threads_go_after_a_while() {
    within_a_minute(|| {
        let pool = pool(8, Duration::from_millis(1));
        block_on(pool.spawn(|| ())).unwrap();
        while pool.threads() > 0 {
            thread::yield_now();
        }
        // They are started again.
        assert_eq!(block_on(pool.spawn(|| 7)).unwrap(), 7);
    });
}

#[test]
fn no_job_is_lost_when_threads_come_and_go() {
    within_a_minute(|| {
        // Idle threads end at about the time at which the next job arrives.
        let pool = pool(2, Duration::from_micros(20));
        for i in 0..5_000 {
            assert_eq!(block_on(pool.spawn(move || i)).unwrap(), i);
        }
    });
}

#[test]
fn shutdown_waits_for_jobs_that_run_and_for_those_behind_them() {
    within_a_minute(|| {
        let pool = Arc::new(pool(1, LONG));
        let gate = Gate::default();
        let (started, has_started) = mpsc::channel();
        let wait = gate.clone();
        let running = pool.spawn(move || {
            started.send(()).unwrap();
            wait.wait();
            7
        });
        let drops = CountDrops::new();
        let guard = drops.guard();
        let queued = pool.spawn(move || drop(guard));
        has_started.recv().unwrap();
        assert!(
            !pool.shutdown(Some(Duration::ZERO)),
            "one job is still running"
        );
        assert_eq!(drops.get(), 0);

        let waiting = Arc::clone(&pool);
        let shutdown = thread::spawn(move || waiting.shutdown(None));
        gate.open();
        assert!(shutdown.join().unwrap());
        assert_eq!(pool.threads(), 0);
        assert_eq!(block_on(running).unwrap(), 7);
        block_on(queued).unwrap();
        assert_eq!(drops.get(), 1);

        let late = pool.spawn(|| ());
        assert!(block_on(late).unwrap_err().is_cancelled());
    });
}

#[test]
fn shutdown_gives_up_after_its_timeout() {
    within_a_minute(|| {
        let pool = pool(1, LONG);
        let gate = Gate::default();
        let wait = gate.clone();
        let (started, has_started) = mpsc::channel();
        let job = pool.spawn(move || {
            started.send(()).unwrap();
            wait.wait();
        });
        has_started.recv().unwrap();
        assert!(!pool.shutdown(Some(Duration::from_millis(1))));
        gate.open();
        assert!(pool.shutdown(Some(LONG)));
        block_on(job).unwrap();
    });
}

#[test]
fn a_job_may_block_on_a_future_without_a_budget() {
    within_a_minute(|| {
        let pool = pool(1, LONG);
        let job = pool.spawn(|| {
            // Far more ready operations than the budget of a poll.
            block_on(async {
                for _ in 0..1_000 {
                    anyrt_core::coop::cooperative(std::future::ready(())).await;
                }
                7
            })
        });
        assert_eq!(block_on(job).unwrap(), 7);
    });
}

#[test]
fn a_mandatory_job_is_refused_or_outlives_the_shutdown() {
    within_a_minute(|| {
        let pool = pool(1, LONG);
        let gate = Gate::default();
        let wait = gate.clone();
        let (running, started) = mpsc::channel();
        let _running = pool.spawn(move || {
            running.send(()).expect("somebody waits");
            wait.wait();
        });
        started.recv().expect("it starts");
        let (done, finished) = mpsc::channel();
        let mandatory = pool
            .spawn_mandatory(move || done.send(()))
            .expect("the pool is open");
        // Its handle is dropped, and it runs nevertheless.
        drop(mandatory);
        assert!(!pool.shutdown(Some(Duration::ZERO)), "one is running");
        assert!(pool.spawn_mandatory(|| ()).is_none(), "nothing is promised");
        assert!(finished.try_recv().is_err(), "its turn has not come");
        gate.open();
        assert!(pool.shutdown(None));
        finished.try_recv().expect("a shutdown waits for it");
    });
}

#[test]
fn jobs_run_inside_what_the_pool_was_given() {
    thread_local! {
        static INSIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    within_a_minute(|| {
        let pool = BlockingPool::new(&Config::default(), "test", Pausable::default(), |work| {
            INSIDE.set(true);
            work();
        });
        assert!(block_on(pool.spawn(|| INSIDE.get())).unwrap());
    });
}

#[test]
fn the_thread_locals_of_its_threads_are_dropped_when_shutdown_returns() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Box<dyn std::any::Any>>> =
            const { std::cell::RefCell::new(None) };
    }
    within_a_minute(|| {
        // Threads that wait for jobs, and threads that have ended by themselves.
        for keep_alive in [LONG, Duration::ZERO] {
            for _ in 0..50 {
                let pool = pool(2, keep_alive);
                let drops = CountDrops::new();
                let jobs = [drops.guard(), drops.guard()]
                    .map(|guard| pool.spawn(move || drop(KEPT.replace(Some(Box::new(guard))))));
                for job in jobs {
                    block_on(job).unwrap();
                }
                assert!(pool.shutdown(None));
                assert_eq!(drops.get(), 2);
            }
        }
    });
}

#[test]
fn a_thread_that_panics_outside_its_jobs_is_not_waited_for() {
    within_a_minute(|| {
        let pool = BlockingPool::new(&Config::default(), "test", Pausable::default(), |work| {
            work();
            panic!("after the last job");
        });
        assert_eq!(block_on(pool.spawn(|| 7)).unwrap(), 7);
        assert!(pool.shutdown(None));
        assert_eq!(pool.threads(), 0);
    });
}

#[test]
fn a_thread_that_is_ending_keeps_no_job_waiting() {
    within_a_minute(|| {
        let mut builder = Builder::<()>::new_multi_thread();
        builder
            .max_blocking_threads(1)
            .thread_keep_alive(Duration::ZERO);
        let (is_ending, ending) = mpsc::channel();
        let gate = Gate::default();
        let held = gate.clone();
        let pool = BlockingPool::new(builder.config(), "test", Pausable::default(), move |work| {
            work();
            is_ending.send(()).unwrap();
            held.wait();
        });
        assert_eq!(block_on(pool.spawn(|| 7)).unwrap(), 7);
        ending.recv().unwrap();
        assert_eq!(pool.threads(), 0);
        assert_eq!(block_on(pool.spawn(|| 8)).unwrap(), 8);
        assert!(!pool.shutdown(Some(Duration::ZERO)), "both are still there");
        gate.open();
        assert!(pool.shutdown(None));
    });
}

#[test]
fn a_job_whose_thread_ends_before_it_is_settled_at_the_shutdown() {
    within_a_minute(|| {
        for _ in 0..50 {
            // The thread ends while the pool is open, or during its shutdown.
            let pool = BlockingPool::new(&Config::default(), "test", Pausable::default(), |_| {
                std::panic::resume_unwind(Box::new("before the first job"));
            });
            let job = pool.spawn(|| ());
            assert!(pool.shutdown(None));
            assert!(block_on(job).unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn a_thread_name_that_panics_leaves_no_thread_to_wait_for() {
    within_a_minute(|| {
        let refused = Arc::new(AtomicUsize::new(1));
        let names = Arc::clone(&refused);
        let mut builder = Builder::<()>::new_multi_thread();
        builder.max_blocking_threads(1).thread_name_fn(move || {
            match names.swap(0, Ordering::SeqCst) {
                0 => "a name".to_owned(),
                _ => "not a\0name".to_owned(),
            }
        });
        let pool = BlockingPool::new(builder.config(), "test", Pausable::default(), |work| work());
        // Like std, which cannot start a thread with that name.
        assert!(catch_unwind(AssertUnwindSafe(|| pool.spawn(|| 7))).is_err());
        assert_eq!(pool.threads(), 0);
        assert_eq!(block_on(pool.spawn(|| 8)).unwrap(), 8);
        refused.store(1, Ordering::SeqCst);
        assert!(pool.shutdown(None));
    });
}

#[test]
fn a_mandatory_job_runs_also_if_its_thread_panics_before_it() {
    within_a_minute(|| {
        for _ in 0..50 {
            let pool = BlockingPool::new(&Config::default(), "test", Pausable::default(), |_| {
                std::panic::resume_unwind(Box::new("before the first job"));
            });
            let job = pool.spawn_mandatory(|| 7).expect("the pool is open");
            assert!(pool.shutdown(None));
            assert_eq!(block_on(job).unwrap(), 7);
        }
    });
}

#[test]
fn a_job_for_a_thread_of_the_pool_waits_for_one() {
    within_a_minute(|| {
        let refuses = Arc::new(AtomicUsize::new(1));
        let refused = Arc::clone(&refuses);
        // While the first thread has no name yet, the second one is refused.
        let (slow, gate) = (Gate::default(), Gate::default());
        let (at_name, named) = (gate.clone(), slow.clone());
        let mut builder = Builder::<()>::new_multi_thread();
        builder.thread_stack_size(1 << 60).thread_name_fn(move || {
            if refused.swap(0, Ordering::SeqCst) == 1 {
                at_name.open();
                named.wait();
            }
            "test".to_owned()
        });
        let pool = Arc::new(BlockingPool::new(
            builder.config(),
            "test",
            Pausable::default(),
            |work| work(),
        ));
        let other = Arc::clone(&pool);
        let caller = thread::spawn(move || {
            let plain = other.spawn(|| thread::current().id());
            (thread::current().id(), block_on(plain))
        });
        gate.wait();
        let apart = pool.spawn_on_thread(|| ());
        slow.open();
        let (caller, ran_on) = caller.join().expect("no panic");
        assert_eq!(ran_on.unwrap(), caller, "nobody else is there");
        assert!(!apart.is_finished(), "the caller must not be held up by it");
        assert_eq!((pool.threads(), pool.depth()), (0, 1));
        assert!(pool.shutdown(None));
        assert!(block_on(apart).unwrap_err().is_cancelled());
    });
}

#[test]
fn without_a_thread_the_job_runs_where_it_was_spawned() {
    within_a_minute(|| {
        let mut builder = Builder::<()>::new_multi_thread();
        // More than the memory, so that the system rejects the thread.
        builder.thread_stack_size(1 << 60);
        let pool = BlockingPool::new(builder.config(), "test", Pausable::default(), |work| work());
        let job = pool.spawn(|| thread::current().id());
        assert!(job.is_finished());
        assert_eq!(block_on(job).unwrap(), thread::current().id());
        assert_eq!((pool.threads(), pool.depth()), (0, 0));
    });
}
