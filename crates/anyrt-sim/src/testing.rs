//! The implementation of `#[anyrt::test(sim)]`: runs a test body under many seeds.
//!
//! # Environment
//! | variable | effect |
//! |---|---|
//! | `ANYRT_SIM_SEED=17` | runs only that seed, to replay a failure |
//! | `ANYRT_SIM_SEEDS=5000` | runs the seeds from 0 to 4999 on all cores; a terminal shows the progress |
//! | `ANYRT_SIM_SEEDS=5000..9000` | the same for a range |
//! | `ANYRT_SIM_FAULTS=3,t2,1-2.57` | with `ANYRT_SIM_SEED`: only these faults happen ([`FaultId`](crate::FaultId)); `none` suppresses all |
//! | `ANYRT_SIM_TRACE=trace.json` | with `ANYRT_SIM_SEED`: writes the execution to a file that Perfetto opens |
//!
//! # The report of a failure
//! The report contains the seed, the virtual time, the step, the place of the panic, the faults
//! that are needed, the file with the execution for Perfetto, and the command that replays it. The
//! failing seed is run a second time in the same process; if the second execution differs, the
//! message says so.
//!
//! # Minimising faults
//! If faults happened, the seed is repeated with subsets of them
//! ([`Builder::only_faults`](crate::Builder::only_faults)), until removing any further fault makes
//! the failure disappear: one of the same kind, and for a panic, at the same place. This takes at
//! most 400 executions, 30 s and half of the test's remaining time. Each execution repeats the
//! output of the program. With `ANYRT_SIM_SEED` in the environment the faults are not minimised, so
//! a replay runs once or twice.
//!
//! # Comparing executions
//! With [`Test::check`] the seeds run in that many fresh processes, and the hashes of all
//! executions are compared. The test binary starts itself with the name of the test as its
//! argument. If it cannot, the executions are compared within one process, where statics of the
//! program may falsify the result, and a message says so.

mod compare;
mod execution;
mod outside;
mod plan;
mod progress;
mod report;

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use execution::{Failing, Make, Sometimes, lock, merge, real_now, run_seed};
use plan::Plan;
use progress::Progress;

pub use execution::Body;
pub use plan::{SEEDS_VARIABLE, TRACE_VARIABLE, Test, seeds};

/// Runs a test: `make` creates its body for each seed, which runs as a client of a simulation.
///
/// # Panics
/// Panics if the test fails under a seed, if executions of one seed differ, or if the time runs
/// out.
#[track_caller]
pub fn run(test: Test, make: impl Fn() -> Body + Send + Sync + 'static) {
    let plan = match Plan::of_environment(test.seeds) {
        Ok(plan) => plan,
        Err(why) => panic!("{why}"),
    };
    let unlimited = plan.wide || plan.single;
    let at = Arc::new(AtomicU64::new(plan.seeds.start));
    let deadline = match unlimited {
        true => None,
        false => real_now().checked_add(test.timeout),
    };
    let (done, finished) = mpsc::channel();
    // On a thread of its own, so that a body that blocks its thread is reported, too.
    let watched = Arc::clone(&at);
    let thread = thread::Builder::new()
        .name(test.name.to_owned())
        .spawn(move || {
            let outcome = run_plan(&test, &plan, &(Arc::new(make) as Make), &watched, deadline);
            let _ = done.send(());
            outcome
        });
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => panic!("{}: no thread for it: {error}", test.name),
    };
    let timed_out = match unlimited {
        true => false,
        false => finished.recv_timeout(test.timeout) == Err(RecvTimeoutError::Timeout),
    };
    if timed_out {
        let seed = at.load(Ordering::Relaxed);
        panic!(
            "{} has not ended after {:?}; it is at seed {seed}, or compares processes\n{}",
            test.name,
            test.timeout,
            report::replay(&test, seed, None)
        );
    }
    match thread.join() {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => panic!("{failure}"),
        Err(panic) => resume_unwind(panic),
    }
}

fn run_plan(
    test: &Test,
    plan: &Plan,
    make: &Make,
    at: &AtomicU64,
    deadline: Option<Instant>,
) -> Result<(), String> {
    if plan.single
        && let Some(path) = std::env::var_os(TRACE_VARIABLE).filter(|path| !path.is_empty())
    {
        let (path, how) = (Path::new(&path), plan.how(test, plan.seeds.start));
        report::write_trace(test, make, &how, path)
            .map_err(|error| format!("{TRACE_VARIABLE}: {}: {error}", path.display()))?;
    }
    if let Some(report) = compare::report_of_child() {
        return compare::run_child(test, plan, make, &report);
    }
    if test.check >= 2
        && let Some(sometimes) = compare::in_processes(test, plan, make, deadline)?
    {
        return check_sometimes(test, plan, &sometimes);
    }
    let compares_here = test.check >= 2;
    let mut sometimes = Sometimes::new();
    if plan.wide {
        match run_many(test, plan, make) {
            Ok(all) => sometimes = all,
            Err(failing) => return Err(failing.describe(test, make, deadline)),
        }
    } else {
        for seed in plan.seeds.clone() {
            at.store(seed, Ordering::Relaxed);
            match run_seed(test, make, plan.how(test, seed), compares_here) {
                Ok(one) => merge(&mut sometimes, one),
                Err(failing) => return Err(failing.describe(test, make, deadline)),
            }
        }
    }
    check_sometimes(test, plan, &sometimes)
}

/// Fails if an event never happened under many seeds.
fn check_sometimes(test: &Test, plan: &Plan, sometimes: &Sometimes) -> Result<(), String> {
    let never = sometimes.iter().filter(|(_, happened)| !**happened);
    let never: Vec<_> = never.map(|(name, _)| format!("{name:?}")).collect();
    if never.is_empty() || plan.single {
        return Ok(());
    }
    Err(format!(
        "{}: under none of the {} seeds it happened that {}; the seeds do not reach what they are for",
        test.name,
        plan.seeds.end - plan.seeds.start,
        never.join(", ")
    ))
}

/// Runs many seeds on all cores; fails with the lowest failing one that is found.
fn run_many(test: &Test, plan: &Plan, make: &Make) -> Result<Sometimes, Failing> {
    let sometimes = Mutex::new(Sometimes::new());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (next, found) = (AtomicU64::new(plan.seeds.start), Mutex::new(None));
    let progress = Progress::new(test.name, plan.seeds.end - plan.seeds.start);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = lock(&found).is_some();
                    if seed >= plan.seeds.end || is_over {
                        return;
                    }
                    progress.done(seed - plan.seeds.start);
                    match run_seed(test, make, plan.how(test, seed), false) {
                        Ok(one) => merge(&mut lock(&sometimes), one),
                        Err(failing) => {
                            let mut found = lock(&found);
                            let lowest = found.as_ref().map(|failing: &Failing| failing.how.seed);
                            if lowest.is_none_or(|lowest| seed < lowest) {
                                *found = Some(failing);
                            }
                        }
                    }
                }
            });
        }
    });
    match found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failing) => Err(failing),
        None => Ok(sometimes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)),
    }
}
