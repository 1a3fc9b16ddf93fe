//! The implementation of `#[anyrt::test(sim)]`: runs a test body under many seeds.
//!
//! # Environment
//! | variable | effect |
//! |---|---|
//! | `ANYRT_SIM_SEED=17` | runs only that seed, to replay a failure |
//! | `ANYRT_SIM_SEEDS=5000` | runs the seeds from 0 to 4999 on all cores; a terminal shows the progress |
//! | `ANYRT_SIM_SEEDS=5000..9000` | the same for a range |
//! | `ANYRT_SIM_FAULTS=3,t2,1-2.57` | with `ANYRT_SIM_SEED`: only these faults happen ([`FaultId`]); `none` suppresses all |
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
mod outside;
mod progress;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::Range;
use std::panic::resume_unwind;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyrt_core::runtime::Owner;
use outside::Outside;
use progress::Progress;

use crate::failure::{Failure, place};
use crate::injected::{self, FAULTS_VARIABLE, Fault, FaultId};
use crate::runtime::{SEED_VARIABLE, Sim};
use crate::trace::Step;

/// The environment variable that selects the seeds of a test.
pub const SEEDS_VARIABLE: &str = "ANYRT_SIM_SEEDS";

/// The environment variable with the path to which the trace of a single seed is written.
pub const TRACE_VARIABLE: &str = "ANYRT_SIM_TRACE";

/// A test body: its future returns a description if the test fails.
pub type Body = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// The arguments of a test.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// The path of the test, with its crate: `module_path!()` and the function.
    pub name: &'static str,
    /// The package, for the command that replays a failure.
    pub package: Option<&'static str>,
    /// The number of seeds to run, from 0.
    pub seeds: u64,
    /// The number of fresh processes whose hashes are compared; 0 does not compare.
    pub check: u32,
    /// The limit of virtual time for one seed; a day unless set.
    pub time_limit: Option<Duration>,
    /// The limit of real time for the whole test; there is none if the environment selects the
    /// seeds.
    pub timeout: Duration,
}

/// The seeds of a run, and their origin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    seeds: Range<u64>,
    /// The environment selects more than the test does.
    wide: bool,
    /// The environment selects one seed.
    single: bool,
    /// The only faults that happen, if the environment names them.
    faults: Option<BTreeSet<FaultId>>,
}

impl Plan {
    fn new(
        seeds: u64,
        single: Option<String>,
        many: Option<String>,
        faults: Option<String>,
    ) -> Result<Self, String> {
        let faults = match faults.filter(|text| !text.is_empty()) {
            Some(text) => {
                let faults = injected::parse_list(&text);
                Some(faults.map_err(|error| format!("{FAULTS_VARIABLE}: {error}"))?)
            }
            None => None,
        };
        if faults.is_some() && single.as_ref().is_none_or(String::is_empty) {
            return Err(format!(
                "{FAULTS_VARIABLE} names faults of one seed, so {SEED_VARIABLE} must be set too"
            ));
        }
        if let Some(text) = single.filter(|text| !text.is_empty()) {
            let seed: u64 = text
                .parse()
                .map_err(|_| format!("{SEED_VARIABLE} must be a number, and is {text:?}"))?;
            let end = seed.checked_add(1).ok_or_else(|| {
                format!(
                    "{SEED_VARIABLE} must be less than {}, and is {text:?}",
                    u64::MAX
                )
            })?;
            return Ok(Self {
                seeds: seed..end,
                wide: false,
                single: true,
                faults,
            });
        }
        let Some(text) = many.filter(|text| !text.is_empty()) else {
            return Ok(Self {
                seeds: 0..seeds,
                wide: false,
                single: false,
                faults: None,
            });
        };
        let (from, to) = text.split_once("..").unwrap_or(("0", &text));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if from < to => Ok(Self {
                seeds: from..to,
                wide: true,
                single: false,
                faults: None,
            }),
            _ => Err(format!(
                "{SEEDS_VARIABLE} must be a number of seeds or a range such as 100..200, and is {text:?}"
            )),
        }
    }

    fn of_environment(seeds: u64) -> Result<Self, String> {
        let read = |name| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
        Self::new(
            seeds,
            read(SEED_VARIABLE),
            read(SEEDS_VARIABLE),
            read(FAULTS_VARIABLE),
        )
    }

    /// Returns how a seed of it is run.
    fn how(&self, test: &Test, seed: u64) -> How {
        How {
            seed,
            faults: self.faults.clone(),
            time_limit: test.time_limit,
            record: false,
            explains: true,
            minimises: !self.single,
            traces: !self.single,
            watches: false,
        }
    }
}

/// Returns the seeds that the environment selects, or those from 0 to `seeds`, for suites that
/// build their simulations themselves.
///
/// # Errors
/// Fails if `ANYRT_SIM_SEED` or `ANYRT_SIM_SEEDS` is invalid.
pub fn seeds(seeds: u64) -> Result<Range<u64>, String> {
    Plan::of_environment(seeds).map(|plan| plan.seeds)
}

/// The events that must happen under some seed, and whether they did.
type Sometimes = BTreeMap<String, bool>;

/// The settings for the run of a seed.
#[derive(Debug, Clone)]
struct How {
    seed: u64,
    /// The only faults that happen; all, if `None`.
    faults: Option<BTreeSet<FaultId>>,
    time_limit: Option<Duration>,
    record: bool,
    /// Whether the report of a deadlock says where the tasks wait.
    explains: bool,
    /// Whether a report lists the faults that are needed.
    minimises: bool,
    /// Whether a report writes a trace.
    traces: bool,
    /// Whether the program's use of the operating system is counted.
    watches: bool,
}

/// One execution.
struct Execution {
    sometimes: Sometimes,
    hash: u64,
    /// The virtual time at its end.
    time: Duration,
    step_count: u64,
    steps: Vec<Step>,
    failure: Option<Failed>,
    foreign_wakes: u64,
    faults: Vec<Fault>,
    fault_count: u64,
    outside: Outside,
}

enum Failed {
    Simulation(Box<Failure>),
    Body(String),
}

/// Creates the bodies of a test, one for each execution.
type Make = Arc<dyn Fn() -> Body + Send + Sync>;

/// The node that runs the body.
const NODE: &str = "test";

fn execute(test: &Test, make: &Make, how: &How) -> Execution {
    let before = how.watches.then(Outside::look);
    let (sim, failure) = simulate(test, make, how);
    let outside = before.map_or_else(Outside::default, |before| Outside::look().since(before));
    let (time, step_count) = match &failure {
        Some(Failed::Simulation(failure)) => (failure.time(), failure.step()),
        _ => (sim.handle().elapsed(), sim.step_count()),
    };
    Execution {
        sometimes: sim.sometimes(),
        hash: sim.hash(),
        time,
        step_count,
        steps: sim.steps(),
        foreign_wakes: sim.foreign_wakes(),
        faults: sim.faults(),
        fault_count: sim.fault_count(),
        outside,
        failure,
    }
}

/// Runs one seed. Returns its simulation as well.
///
/// It uses a thread of its own: thread-local values of the program, such as std's keys of hash
/// maps, would otherwise survive from one seed to the next.
fn simulate(test: &Test, make: &Make, how: &How) -> (Sim, Option<Failed>) {
    thread::scope(|scope| {
        let quiet = place::is_quiet();
        let run = move || match quiet {
            true => place::quietly(|| simulate_here(test, make, how)),
            false => simulate_here(test, make, how),
        };
        let thread = thread::Builder::new()
            .name(test.name.to_owned())
            .spawn_scoped(scope, run);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(simulated)) => simulated,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => panic!("{}: no thread for seed {}: {error}", test.name, how.seed),
        }
    })
}

fn simulate_here(test: &Test, make: &Make, how: &How) -> (Sim, Option<Failed>) {
    let mut builder = Sim::builder().seed(how.seed);
    if how.record {
        builder = builder.record();
    }
    if !how.explains {
        builder = builder.unexplained();
    }
    if let Some(faults) = &how.faults {
        builder = builder.only_faults(faults.iter().copied());
    }
    if let Some(limit) = how.time_limit {
        builder = builder.time_limit(Some(limit));
    }
    let sim = match builder.build() {
        Ok(sim) => sim,
        Err(error) => panic!("{}: {error}", test.name),
    };
    let told = Arc::new(Mutex::new(None));
    let (make, tell) = (Arc::clone(make), Arc::clone(&told));
    sim.client(NODE, async move {
        if let Some(text) = make().await {
            *tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    });
    let result = sim.run();
    let told = told.lock().unwrap_or_else(PoisonError::into_inner).take();
    let failed = match (result, told) {
        (Err(failure), _) => Some(Failed::Simulation(Box::new(failure))),
        (Ok(()), told) => told.map(Failed::Body),
    };
    (sim, failed)
}

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

fn merge(all: &mut Sometimes, one: Sometimes) {
    for (name, happened) in one {
        *all.entry(name).or_default() |= happened;
    }
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

/// A failing seed.
struct Failing {
    how: How,
    /// The execution that failed; `None` if two executions differed.
    execution: Option<Box<Execution>>,
}

impl Failing {
    fn describe(&self, test: &Test, make: &Make, deadline: Option<Instant>) -> String {
        let execution = self.execution.as_ref();
        match execution.and_then(|first| Some((first, first.failure.as_ref()?))) {
            Some((first, failed)) => {
                report::describe(test, make, &self.how, first, failed, deadline)
            }
            None => compare::differ_here(test, make, &self.how),
        }
    }
}

/// Runs one seed. Returns the events that must happen sometimes, or the failure.
fn run_seed(test: &Test, make: &Make, how: How, compares: bool) -> Result<Sometimes, Failing> {
    let first = execute(test, make, &how);
    if first.failure.is_some() {
        let execution = Some(Box::new(first));
        return Err(Failing { how, execution });
    }
    if compares && execute(test, make, &how).hash != first.hash {
        return Err(Failing {
            how,
            execution: None,
        });
    }
    Ok(first.sometimes)
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are limited in real time too"
)]
fn real_now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(single: Option<&str>, many: Option<&str>) -> Result<Plan, String> {
        Plan::new(
            100,
            single.map(str::to_owned),
            many.map(str::to_owned),
            None,
        )
    }

    #[test]
    fn faults_need_a_seed_and_must_be_some() {
        let plan = |single: Option<&str>, faults: &str| {
            let single = single.map(str::to_owned);
            Plan::new(100, single, None, Some(faults.to_owned()))
        };
        let named = plan(Some("17"), "3,t2").expect("it is a plan").faults;
        assert_eq!(named.expect("they are named").len(), 2);
        assert_eq!(
            plan(Some("17"), "none").expect("it is a plan").faults,
            Some(BTreeSet::new())
        );
        assert_eq!(plan(Some("17"), "").expect("it is a plan").faults, None);
        for (single, faults, part) in [
            (None, "3", SEED_VARIABLE),
            (Some(""), "3", SEED_VARIABLE),
            (Some("17"), "3,x", "\"x\" names no fault"),
        ] {
            let error = plan(single, faults).expect_err("it is none");
            assert!(
                error.contains(part) && error.contains(FAULTS_VARIABLE),
                "{error}"
            );
        }
    }

    #[test]
    fn the_environment_decides_which_seeds_run() {
        let seeds = |plan: Result<Plan, String>| plan.map(|plan| (plan.seeds, plan.wide));
        assert_eq!(seeds(plan(None, None)), Ok((0..100, false)));
        assert_eq!(seeds(plan(Some(""), Some(""))), Ok((0..100, false)));
        assert_eq!(seeds(plan(Some("17"), Some("5"))), Ok((17..18, false)));
        assert_eq!(seeds(plan(None, Some("5000"))), Ok((0..5_000, true)));
        assert_eq!(seeds(plan(None, Some("7..9"))), Ok((7..9, true)));
    }

    #[test]
    fn senseless_seeds_are_errors_that_name_the_variable() {
        for (single, many, named) in [
            (Some("x"), None, SEED_VARIABLE),
            (Some("-1"), None, SEED_VARIABLE),
            (Some("18446744073709551615"), None, SEED_VARIABLE),
            (None, Some("0"), SEEDS_VARIABLE),
            (None, Some("9..7"), SEEDS_VARIABLE),
            (None, Some("many"), SEEDS_VARIABLE),
        ] {
            let error = plan(single, many).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
