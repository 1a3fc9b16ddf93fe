//! What `#[anyrt::test(sim)]` runs: a test body under many seeds.
//!
//! # Environment
//! | variable | effect |
//! |---|---|
//! | `ANYRT_SIM_SEED=17` | only that seed: the replay of a failure |
//! | `ANYRT_SIM_SEEDS=5000` | the seeds from 0 to 4999, on all cores, with the progress on standard error |
//! | `ANYRT_SIM_SEEDS=5000..9000` | the same for a range |
//! | `ANYRT_SIM_TRACE=trace.json` | beside `ANYRT_SIM_SEED`: writes the execution to a file that Perfetto opens |
//!
//! # What a failure tells
//! The seed, the virtual time, the step, the place of the panic, and the command that replays it. The failing seed is
//! run a second time in the same process: where it then goes another way, the message says so.
//!
//! # Comparing executions
//! With [`Test::check`] the seeds are run in as many fresh processes, and the hashes of all executions are compared. The
//! test binary calls itself with the name of the test for it. Where it cannot, the executions are compared within the
//! process, which statics of the program may falsify; that is printed.

mod compare;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::panic::resume_unwind;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::failure::Failure;
use crate::runtime::{SEED_VARIABLE, Sim};
use crate::trace::Step;

/// The environment variable that tells which seeds a test runs.
pub const SEEDS_VARIABLE: &str = "ANYRT_SIM_SEEDS";

/// The environment variable that tells where the execution of a single seed is written.
pub const TRACE_VARIABLE: &str = "ANYRT_SIM_TRACE";

/// A test body: its future gives what to tell of a failure.
pub type Body = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// The arguments of a test.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// The path of the test, with its crate: `module_path!()` and the function.
    pub name: &'static str,
    /// The package, for the command that replays a failure.
    pub package: Option<&'static str>,
    /// How many seeds it runs, from 0.
    pub seeds: u64,
    /// In how many fresh processes the hashes are compared; 0 does not compare.
    pub check: u32,
    /// How much virtual time may pass under one seed; a day unless set.
    pub time_limit: Option<Duration>,
    /// How much real time the whole test may take; it is not limited where the environment says which seeds to run.
    pub timeout: Duration,
}

/// The seeds of a run, and whose wish they are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    seeds: Range<u64>,
    /// The environment asks for more than the test by itself.
    wide: bool,
    /// The environment asks for one seed.
    single: bool,
}

impl Plan {
    fn new(seeds: u64, single: Option<String>, many: Option<String>) -> Result<Self, String> {
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
            });
        }
        let Some(text) = many.filter(|text| !text.is_empty()) else {
            return Ok(Self {
                seeds: 0..seeds,
                wide: false,
                single: false,
            });
        };
        let (from, to) = text.split_once("..").unwrap_or(("0", &text));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if from < to => Ok(Self {
                seeds: from..to,
                wide: true,
                single: false,
            }),
            _ => Err(format!(
                "{SEEDS_VARIABLE} must be a number of seeds or a range such as 100..200, and is {text:?}"
            )),
        }
    }

    fn of_environment(test: &Test) -> Result<Self, String> {
        let read = |name| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
        Self::new(test.seeds, read(SEED_VARIABLE), read(SEEDS_VARIABLE))
    }
}

/// What must happen under some seed, and whether it did.
type Sometimes = BTreeMap<String, bool>;

/// One execution.
struct Execution {
    sometimes: Sometimes,
    hash: u64,
    step_count: u64,
    steps: Vec<Step>,
    failure: Option<Failed>,
    foreign_wakes: u64,
}

enum Failed {
    Simulation(Box<Failure>),
    Body(String),
}

/// Makes the bodies of a test, one for each execution.
type Make = Arc<dyn Fn() -> Body + Send + Sync>;

/// The node that runs the body.
const NODE: &str = "test";

fn execute(test: &Test, make: &Make, seed: u64, record: bool) -> Execution {
    let (sim, failure) = simulate(test, make, seed, record);
    Execution {
        sometimes: sim.sometimes(),
        hash: sim.hash(),
        step_count: sim.step_count(),
        steps: sim.steps(),
        foreign_wakes: sim.foreign_wakes(),
        failure,
    }
}

/// Runs one seed; the simulation is what it left.
///
/// On a thread of its own: what a program keeps in a thread local, as std keeps the keys of its hash maps, would go from
/// one seed to the next.
fn simulate(test: &Test, make: &Make, seed: u64, record: bool) -> (Sim, Option<Failed>) {
    thread::scope(|scope| {
        let run = || simulate_here(test, make, seed, record);
        let thread = thread::Builder::new()
            .name(test.name.to_owned())
            .spawn_scoped(scope, run);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(simulated)) => simulated,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => panic!("{}: no thread for seed {seed}: {error}", test.name),
        }
    })
}

fn simulate_here(test: &Test, make: &Make, seed: u64, record: bool) -> (Sim, Option<Failed>) {
    let mut builder = Sim::builder().seed(seed);
    if record {
        builder = builder.record();
    }
    if let Some(limit) = test.time_limit {
        builder = builder.time_limit(Some(limit));
    }
    let sim = match builder.build() {
        Ok(sim) => sim,
        Err(error) => panic!("{error}"),
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

/// Runs a test: `make` makes its body for each seed, which is run as the client of a simulation.
///
/// # Panics
/// When the test fails under a seed, and when executions of one seed differ. When it has not ended in time.
#[track_caller]
pub fn run(test: Test, make: impl Fn() -> Body + Send + Sync + 'static) {
    let plan = match Plan::of_environment(&test) {
        Ok(plan) => plan,
        Err(why) => panic!("{why}"),
    };
    let unlimited = plan.wide || plan.single;
    let at = Arc::new(AtomicU64::new(plan.seeds.start));
    let (done, finished) = mpsc::channel();
    // On a thread of its own, so that also a body that never gives its thread back is reported.
    let watched = Arc::clone(&at);
    let thread = thread::Builder::new()
        .name(test.name.to_owned())
        .spawn(move || {
            let outcome = run_plan(&test, &plan, &(Arc::new(make) as Make), &watched);
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
            replay(&test, seed)
        );
    }
    match thread.join() {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => panic!("{failure}"),
        Err(panic) => resume_unwind(panic),
    }
}

fn run_plan(test: &Test, plan: &Plan, make: &Make, at: &AtomicU64) -> Result<(), String> {
    if plan.single
        && let Some(path) = std::env::var_os(TRACE_VARIABLE).filter(|path| !path.is_empty())
    {
        write_trace(test, make, plan.seeds.start, Path::new(&path))?;
    }
    if let Some(report) = compare::report_of_child() {
        return compare::run_child(test, plan, make, &report);
    }
    if test.check >= 2
        && let Some(sometimes) = compare::in_processes(test, plan, make)?
    {
        return check_sometimes(test, plan, &sometimes);
    }
    let compares_here = test.check >= 2;
    let mut sometimes = Sometimes::new();
    if plan.wide {
        sometimes = run_many(test, plan, make)?;
    } else {
        for seed in plan.seeds.clone() {
            at.store(seed, Ordering::Relaxed);
            merge(&mut sometimes, run_seed(test, make, seed, compares_here)?);
        }
    }
    check_sometimes(test, plan, &sometimes)
}

/// Runs a seed for its trace, whatever comes of it.
fn write_trace(test: &Test, make: &Make, seed: u64, path: &Path) -> Result<(), String> {
    let (sim, _) = simulate(test, make, seed, true);
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        sim.write_trace(&mut file)?;
        file.flush()
    });
    written.map_err(|error| format!("{TRACE_VARIABLE}: {}: {error}", path.display()))
}

fn merge(all: &mut Sometimes, one: Sometimes) {
    for (name, happened) in one {
        *all.entry(name).or_default() |= happened;
    }
}

/// Fails if something never happened under many seeds.
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

/// Runs one seed; gives what must happen sometimes, or what to tell if it fails.
fn run_seed(test: &Test, make: &Make, seed: u64, compares: bool) -> Result<Sometimes, String> {
    let first = execute(test, make, seed, false);
    match &first.failure {
        Some(failed) => Err(describe(test, make, seed, &first, failed)),
        None if compares => {
            let again = execute(test, make, seed, false);
            match again.hash == first.hash {
                true => Ok(first.sometimes),
                false => Err(compare::differ_here(test, make, seed)),
            }
        }
        None => Ok(first.sometimes),
    }
}

/// Runs many seeds on all cores; fails with the lowest failing one that is found.
fn run_many(test: &Test, plan: &Plan, make: &Make) -> Result<Sometimes, String> {
    let sometimes = Mutex::new(Sometimes::new());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (next, found) = (AtomicU64::new(plan.seeds.start), Mutex::new(None));
    let count = plan.seeds.end - plan.seeds.start;
    // About every twentieth part is told.
    let part = (count / 20).max(1);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = lock(&found).is_some();
                    if seed >= plan.seeds.end || is_over {
                        return;
                    }
                    let done = seed - plan.seeds.start;
                    if done > 0 && done.is_multiple_of(part) {
                        eprintln!("{}: {done} of {count} seeds", test.name);
                    }
                    match run_seed(test, make, seed, false) {
                        Ok(one) => merge(&mut lock(&sometimes), one),
                        Err(failure) => {
                            let mut found = lock(&found);
                            if found.as_ref().is_none_or(|(lowest, _)| seed < *lowest) {
                                *found = Some((seed, failure));
                            }
                        }
                    }
                }
            });
        }
    });
    match found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, failure)) => Err(failure),
        None => Ok(sometimes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a failure is told as.
fn describe(test: &Test, make: &Make, seed: u64, first: &Execution, failed: &Failed) -> String {
    let mut text = match failed {
        Failed::Simulation(failure) => format!(
            "{} failed with seed {seed} at {:?} of virtual time, step {}: {}",
            test.name,
            failure.time(),
            failure.step(),
            failure.message()
        ),
        Failed::Body(text) => format!("{} failed with seed {seed}: {text}", test.name),
    };
    let again = execute(test, make, seed, false);
    if (again.hash, again.failure.is_some()) != (first.hash, true) {
        text += "\nnote: a second execution of this seed in this process went another way. ";
        text += &sources(first.foreign_wakes + again.foreign_wakes);
    } else if first.foreign_wakes > 0 {
        text += "\nnote: ";
        text += &sources(first.foreign_wakes);
    }
    text += "\n";
    text += &replay(test, seed);
    text
}

/// From where chance may have come.
fn sources(foreign_wakes: u64) -> String {
    match foreign_wakes {
        0 => "Likely sources are the order of a `HashMap` of std, the clock of std, a generator of random numbers that \
              the system seeds, and a static that keeps something from one execution to the next"
            .to_owned(),
        count => format!(
            "{count} wake-ups came from threads outside of the simulation, whose moments the seed does not decide: use \
             `spawn_blocking` in place of a thread"
        ),
    }
}

/// The command that runs one seed of the test.
fn replay(test: &Test, seed: u64) -> String {
    let package = test
        .package
        .map_or(String::new(), |name| format!(" -p {name}"));
    format!(
        "to replay it: {SEED_VARIABLE}={seed} cargo test{package} -- --exact {}",
        name_in_harness(test.name)
    )
}

/// The name by which the test harness knows the test: without the crate.
fn name_in_harness(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(single: Option<&str>, many: Option<&str>) -> Result<Plan, String> {
        Plan::new(100, single.map(str::to_owned), many.map(str::to_owned))
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
