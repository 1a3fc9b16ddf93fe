//! The report of a failure.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::execution::{Execution, Failed, Make, execute, real_now, simulate};
use super::plan::{How, TRACE_VARIABLE, Test};
use crate::failure::{FailureKind, place};
use crate::injected::{self, FAULTS_VARIABLE, FaultId};
use crate::minimise::{Minimal, minimise};
use crate::runtime::SEED_VARIABLE;

/// The limit of real time for finding the faults that are needed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer traces are written only on request: a step takes about a hundred bytes.
const MOST_STEPS: u64 = 300_000;

/// The maximum number of faults in the list.
const LISTED: usize = 20;

impl Failed {
    /// Two failures with the same likeness count as the same: they have the same kind, and the same
    /// place of a panic.
    fn likeness(&self) -> (Option<FailureKind>, String) {
        match self {
            // Numbers in an error are often times and ports.
            Self::Body(text) => (
                None,
                text.replace(|letter: char| letter.is_ascii_digit(), ""),
            ),
            Self::Simulation(failure) => {
                let place = failure.place().map(str::to_owned);
                (Some(failure.kind()), place.unwrap_or_default())
            }
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Simulation(failure) => failure.message(),
            Self::Body(text) => text,
        }
    }
}

/// Describes a failure: the place, the faults that are needed, and the command that replays it.
/// `deadline` is that of the test.
pub(super) fn describe(
    test: &Test,
    make: &Make,
    how: &How,
    first: &Execution,
    failed: &Failed,
    deadline: Option<Instant>,
) -> String {
    let at = |execution: &Execution| {
        let (time, step) = (execution.time, execution.step_count);
        format!("at {time:?} of virtual time, step {step}")
    };
    let mut text = format!(
        "{} failed with seed {} {}: {}",
        test.name,
        how.seed,
        at(first),
        failed.message()
    );
    let again = place::quietly(|| execute(test, make, how));
    let repeats = (again.hash, again.failure.is_some()) == (first.hash, true);
    if !repeats {
        text += "\nnote: a second execution of this seed in this process went another way. ";
        text += &sources(&Signs::of(first.foreign_wakes + again.foreign_wakes));
    } else if first.foreign_wakes > 0 {
        text += "\nnote: ";
        text += &sources(&Signs::of(first.foreign_wakes));
    }
    let mut replayed = how.clone();
    if how.minimises && how.faults.is_none() && repeats && !first.faults.is_empty() {
        let limit = PATIENCE.min(match deadline {
            Some(deadline) => deadline.saturating_duration_since(real_now()) / 2,
            None => PATIENCE,
        });
        let count = first.fault_count;
        match needed(test, make, how, first, failed, real_now() + limit) {
            Some((minimal, execution)) => {
                text += &told(&minimal, count, &execution, failed, &at);
                replayed.faults = Some(minimal.needed.into_iter().collect());
            }
            None => {
                text += &format!("\n{count} faults happened; it was not found which are needed");
            }
        }
    }
    if how.traces {
        text += &trace(test, make, &replayed, first.step_count);
    }
    text += "\n";
    text += &replay(test, how.seed, replayed.faults.as_ref());
    text
}

/// Finds the faults that are needed, and the execution with only these.
fn needed(
    test: &Test,
    make: &Make,
    how: &How,
    first: &Execution,
    failed: &Failed,
    deadline: Instant,
) -> Option<(Minimal<FaultId>, Execution)> {
    let likeness = failed.likeness();
    let mut how = how.clone();
    if likeness.0 != Some(FailureKind::TimeLimit) {
        // Without the faults a program may run much longer; such a run is not the same failure.
        how.time_limit = Some(first.time * 2 + Duration::from_secs(60));
    }
    let fails = |execution: &Execution| {
        let failure = execution.failure.as_ref();
        failure.is_some_and(|failure| failure.likeness() == likeness)
    };
    let all: Vec<_> = first.faults.iter().map(injected::Fault::id).collect();
    place::quietly(|| {
        let minimal = minimise(&all, |faults| {
            if real_now() >= deadline {
                return None;
            }
            how.faults = Some(faults.iter().copied().collect());
            how.explains = false;
            Some(fails(&execute(test, make, &how)))
        })?;
        how.faults = Some(minimal.needed.iter().copied().collect());
        how.explains = true;
        let execution = execute(test, make, &how);
        fails(&execution).then_some((minimal, execution))
    })
}

/// Describes the result of minimising.
fn told(
    minimal: &Minimal<FaultId>,
    count: u64,
    execution: &Execution,
    failed: &Failed,
    at: &dyn Fn(&Execution) -> String,
) -> String {
    let (needed, runs) = (minimal.needed.len(), minimal.tries);
    let at_most = if minimal.complete { "" } else { "at most " };
    let mut text = match needed {
        0 if count == 1 => {
            format!("\nthe fault is not needed ({runs} executions); without it it fails")
        }
        0 => format!(
            "\nnone of the {count} faults is needed ({runs} executions); without them it fails"
        ),
        1 => format!(
            "\n{at_most}1 of the {count} faults is needed ({runs} executions); with it alone it fails"
        ),
        _ => format!(
            "\n{at_most}{needed} of the {count} faults are needed ({runs} executions); with these alone it fails"
        ),
    };
    text += &format!(" {}", at(execution));
    if let Some(failure) = &execution.failure
        && failure.message() != failed.message()
    {
        text += &format!(": {}", failure.message());
    }
    for fault in execution.faults.iter().take(LISTED) {
        text += &format!("\n    {fault}");
    }
    if execution.faults.len() > LISTED {
        text += &format!("\n    and {} more", execution.faults.len() - LISTED);
    }
    text
}

/// Writes the execution that the report replays to a file, and returns a description of the place.
fn trace(test: &Test, make: &Make, how: &How, steps: u64) -> String {
    if steps > MOST_STEPS {
        return format!(
            "\nno trace of {steps} steps is written unasked; {TRACE_VARIABLE}=trace.json before the next line writes it"
        );
    }
    let path = directory().join(format!(
        "{}-{}.json",
        test.name.replace("::", "-"),
        how.seed
    ));
    match place::quietly(|| write_trace(test, make, how, &path)) {
        Ok(()) => format!(
            "\nits trace, for https://ui.perfetto.dev: {}",
            path.display()
        ),
        Err(error) => format!("\nno trace: {}: {error}", path.display()),
    }
}

/// Returns the directory for traces without a requested path: in Cargo's target directory.
fn directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    // <target>/<profile>/deps/<test>
    let deps = program.parent().filter(|parent| parent.ends_with("deps"));
    let target = deps.and_then(|deps| deps.parent()?.parent());
    let base = target.map_or_else(std::env::temp_dir, Path::to_path_buf);
    base.join("anyrt-sim")
}

/// Runs a seed for its trace, whether or not it fails.
pub(super) fn write_trace(test: &Test, make: &Make, how: &How, path: &Path) -> io::Result<()> {
    let how = How {
        record: true,
        explains: false,
        ..how.clone()
    };
    let (sim, _) = simulate(test, make, &how);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = BufWriter::new(File::create(path)?);
    sim.write_trace(&mut file)?;
    file.flush()
}

/// Signs of the reason why two executions differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Wake-ups from threads outside of the simulation.
    pub(super) foreign_wakes: u64,
    /// Threads that the program started and that still existed at the end.
    pub(super) threads: u64,
    /// Sockets of the operating system that it opened and that still existed at the end.
    pub(super) sockets: u64,
    /// The kind of the first step that differs.
    pub(super) shape: Shape,
}

/// The first difference between two executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Shape {
    #[default]
    Unknown,
    /// The same event happens at different times.
    Time,
    /// Different tasks run.
    Order,
    /// The same kind of event happens, with different contents.
    Content,
}

impl Signs {
    pub(super) fn of(foreign_wakes: u64) -> Self {
        Self {
            foreign_wakes,
            ..Self::default()
        }
    }
}

/// Names the likely sources of a difference: those that were observed, or else those that fit.
pub(super) fn sources(signs: &Signs) -> String {
    let mut seen = Vec::new();
    if signs.foreign_wakes > 0 {
        seen.push(format!(
            "{} wake-ups came from threads outside of the simulation, whose moments the seed does not decide: use \
             `spawn_blocking` in place of a thread",
            signs.foreign_wakes
        ));
    }
    if signs.threads > 0 {
        seen.push(format!(
            "{} threads ran that the program had started by itself: use `spawn_blocking` in place of a thread",
            signs.threads
        ));
    }
    if signs.sockets > 0 {
        seen.push(format!(
            "{} sockets of the operating system were open: use those of anyrt, whose network is simulated",
            signs.sockets
        ));
    }
    if !seen.is_empty() {
        return seen.join(". ");
    }
    let clock = "the clock of std";
    let map = "the order of a `HashMap` of std";
    let random = "a generator of random numbers that the system seeds";
    let rest = "and a static that keeps something from one execution to the next";
    let likely = match signs.shape {
        Shape::Time => format!(
            "The same happens at another time, so the likeliest source is a time that comes from {clock} or from \
             {random}; others are {map}, {rest}"
        ),
        Shape::Order => format!(
            "Another task runs, so the likeliest source is {map}; others are {clock}, {random}, {rest}"
        ),
        Shape::Content => format!(
            "The same happens with another content, so the likeliest sources are {random}, {map} and {clock}; another \
             is a static that keeps something from one execution to the next"
        ),
        Shape::Unknown => format!("Likely sources are {map}, {clock}, {random}, {rest}"),
    };
    likely
        + ". All but the last are decided by the seed where anyrt has its feature `sim-libc` (Linux)"
}

/// Returns the command that runs one seed of the test.
pub(super) fn replay(test: &Test, seed: u64, faults: Option<&BTreeSet<FaultId>>) -> String {
    let package = test
        .package
        .map_or(String::new(), |name| format!(" -p {name}"));
    let faults = faults.map_or(String::new(), |faults| {
        format!(" {FAULTS_VARIABLE}={}", injected::list(faults))
    });
    format!(
        "to replay it: {SEED_VARIABLE}={seed}{faults} cargo test{package} -- --exact {}",
        name_in_harness(test.name)
    )
}

/// Returns the name that the test harness uses for the test: without the crate.
pub(super) fn name_in_harness(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, rest)| rest)
}
