//! Tasks, local tasks, jobs and timers, in one order per seed.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Blocking, LocalSpawner, Spawner, Timer};
use anyrt_sim::{Schedule, Sim};

use crate::watchdog::tests;

/// A program with every kind of entity that a scheduler selects. Returns the events, in order.
fn program(sim: &Sim) -> Vec<String> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let rt = sim.handle().clone();
    sim.block_on(async {
        let mut tasks = Vec::new();
        for number in 0..4 {
            let (timer, notes) = (rt.clone(), Arc::clone(&log));
            tasks.push(rt.spawn(async move {
                for round in 0..3 {
                    notes.lock().unwrap().push(format!("task {number} {round}"));
                    if round == 1 {
                        timer.sleep(Duration::from_millis(1)).await;
                    } else {
                        yield_now().await;
                    }
                }
            }));
            let log = Arc::clone(&log);
            tasks.push(rt.spawn_blocking({
                let rt = rt.clone();
                move || {
                    log.lock().unwrap().push(format!("job {number}"));
                    rt.block_on(async {
                        yield_now().await;
                        rt.sleep(Duration::from_micros(10)).await;
                    });
                    log.lock().unwrap().push(format!("job {number} again"));
                }
            }));
        }
        let log_too = Rc::new(Arc::clone(&log));
        let local = rt.spawn_local(async move {
            for _ in 0..3 {
                log_too.lock().unwrap().push("local".to_owned());
                yield_now().await;
            }
        });
        for task in tasks {
            task.await.unwrap();
        }
        local.await.unwrap();
    });
    Arc::try_unwrap(log).unwrap().into_inner().unwrap()
}

tests! {
    fn one_seed_is_one_execution() {
        for schedule in [Schedule::Random, Schedule::Fifo, Schedule::Pct { depth: 3 }] {
            for seed in 0..40 {
                let run = || {
                    let sim = Sim::builder().seed(seed).schedule(schedule).record().build().unwrap();
                    let log = program(&sim);
                    (log, sim.hash(), sim.steps(), sim.foreign_wakes())
                };
                let (first, second) = (run(), run());
                assert_eq!(first.0, second.0, "seed {seed}, {schedule:?}");
                let differs = first.2.iter().zip(&second.2).find(|(a, b)| a != b);
                assert_eq!(differs, None, "seed {seed}, {schedule:?}");
                assert_eq!(first.1, second.1);
                assert_eq!(first.3, 0, "somebody took part who is not in the simulation");
            }
        }
    }

    fn a_block_on_that_yields_lets_tasks_run_under_every_schedule() {
        for schedule in [Schedule::Random, Schedule::Fifo, Schedule::Pct { depth: 3 }] {
            for seed in 0..20 {
                let builder = Sim::builder().seed(seed).schedule(schedule).busy_limit(1_000);
                let sim = builder.build().unwrap();
                let ran = Arc::new(Mutex::new(false));
                let tells = Arc::clone(&ran);
                let task = sim.handle().spawn(async move { *tells.lock().unwrap() = true });
                let waits = async {
                    while !*ran.lock().unwrap() {
                        yield_now().await;
                    }
                };
                let ends = sim.try_block_on(waits);
                assert!(ends.is_ok(), "seed {seed}, {schedule:?}: {ends:?}");
                drop(task);
            }
        }
    }

    fn different_seeds_are_different_executions() {
        let logs: std::collections::BTreeSet<_> =
            (0..50).map(|seed| program(&Sim::new(seed))).collect();
        assert!(logs.len() > 45, "only {} of 50 differ", logs.len());
    }

    fn time_jumps_to_the_next_timer() {
        let sim = Sim::new(1);
        let rt = sim.handle().clone();
        sim.block_on(async {
            let before = rt.now();
            rt.sleep(Duration::from_secs(3_600)).await;
            let passed = rt.now() - before;
            assert!(passed >= Duration::from_secs(3_600));
            assert!(passed < Duration::from_secs(3_601));
        });
    }

    fn drawing_a_number_changes_nothing_else() {
        let run = |draws: bool| {
            let sim = Sim::new(5);
            if draws {
                assert_ne!(sim.handle().random(), sim.handle().random());
            }
            program(&sim)
        };
        assert_eq!(run(false), run(true));
    }

    fn only_one_thread_runs_at_a_time() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let sim = Sim::new(9);
        let rt = sim.handle().clone();
        let inside = Arc::new(AtomicUsize::new(0));
        let jobs: Vec<_> = (0..50)
            .map(|_| {
                let inside = Arc::clone(&inside);
                rt.spawn_blocking(move || {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    for _ in 0..20 {
                        std::thread::yield_now();
                    }
                    inside.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        sim.block_on(async {
            for job in jobs {
                job.await.unwrap();
            }
        });
    }

    fn jobs_that_are_left_run_when_the_simulation_ends() {
        let ran = Arc::new(Mutex::new(0));
        let sim = Sim::new(9);
        for _ in 0..5 {
            let ran = Arc::clone(&ran);
            drop(sim.handle().spawn_blocking(move || *ran.lock().unwrap() += 1));
        }
        drop(sim);
        assert_eq!(*ran.lock().unwrap(), 5);
    }
}
