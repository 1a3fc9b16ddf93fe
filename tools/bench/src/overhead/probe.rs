//! Builds the probes, runs them, and takes the slope.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyrt_bench::{Backend, Row, Via};
use indicatif::{ProgressBar, ProgressStyle};

use super::profile::Profile;
use crate::fail::fail;

/// The time limit of one run: some hundred times its duration on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The number of runs without valgrind that count allocations: they are short.
const DIRECT_RUNS: usize = 3;

/// The number of runs until a short and a long one are of the same [kind](Runs), at most.
const MOST_ROUNDS: usize = 10;

/// Two runs are of the same kind if the shares of the reactor differ by less, in instructions per
/// operation. Its runs while a program starts are up to 30 in the row with the fewest operations;
/// kinds are at least 160 apart.
const SAME_SHARE: f64 = 40.0;

/// The backends that are enabled in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Build {
    Alone,
    All,
}

impl Build {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::All => "all",
        }
    }
}

/// A program to measure, and the runtime that it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) backend: Backend,
    pub(crate) via: Via,
    pub(crate) build: Build,
}

impl Probe {
    pub(crate) const fn native(backend: Backend) -> Self {
        Self {
            backend,
            via: Via::Native,
            build: Build::Alone,
        }
    }

    /// Returns `true` if the native runtime has the same count in each run. With Smol and async-std
    /// it depends on which thread runs the reactor, and Glommio checks its rings after a time, not
    /// after a number of polls.
    pub(crate) const fn native_is_exact(self) -> bool {
        matches!(self.backend, Backend::Tokio)
    }

    /// Returns the number of runs to compare.
    pub(crate) const fn runs(self, row: Row) -> usize {
        if row.is_shared() || !self.native_is_exact() {
            3
        } else {
            1
        }
    }

    fn order(self) -> (usize, Build, usize) {
        (self.backend as usize, self.build, self.via as usize)
    }

    /// Only the facade's code depends on the enabled backends: the other two are one program for
    /// all runtimes.
    const fn set(self) -> Build {
        match self.via {
            Via::Facade => self.build,
            Via::Native | Via::Generic => Build::All,
        }
    }

    fn features(self) -> String {
        match self.set() {
            Build::Alone => self.backend.name().to_owned(),
            Build::All => Backend::ALL
                .iter()
                .map(|b| b.name())
                .collect::<Vec<_>>()
                .join(","),
        }
    }

    fn file(self) -> String {
        match self.set() {
            Build::Alone => format!("{}-{}", self.backend, self.via),
            Build::All => format!("all-{}", self.via),
        }
    }
}

impl PartialOrd for Probe {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Probe {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.via, self.build) {
            (Via::Native, _) => write!(f, "{}, native", self.backend),
            (via, Build::Alone) => write!(f, "{}, {via}", self.backend),
            (via, Build::All) => write!(f, "{}, {via} with every backend enabled", self.backend),
        }
    }
}

/// Per operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Counts {
    /// `None` without valgrind.
    pub(crate) instructions: Option<f64>,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
}

/// All measurements, by program.
pub(crate) type Measured = BTreeMap<(Probe, usize), Counts>;

/// A row without figures.
pub(crate) struct Uncounted {
    pub(crate) probe: Probe,
    pub(crate) row: Row,
    why: String,
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { probe, row, why } = self;
        write!(f, "{} on {probe}: {why}", row.name())
    }
}

/// Returns an error that names every row without figures.
pub(super) fn none_failed(failures: &[Uncounted]) -> Result<(), Box<dyn std::error::Error>> {
    for failure in failures {
        eprintln!("no figures: {failure}");
    }
    match failures.len() {
        0 => Ok(()),
        failed => Err(fail(format!("{failed} rows failed"))),
    }
}

/// The built programs.
pub(crate) struct Probes {
    directory: PathBuf,
    valgrind: bool,
    /// The number of profiles so far.
    profiles: AtomicUsize,
}

impl Probes {
    /// Builds the programs of `plan`, each set of backends with fat LTO.
    pub(crate) fn build(plan: &[Probe]) -> Result<Self, Box<dyn std::error::Error>> {
        let target = crate::places::target_directory()?.join("overhead");
        let directory = target.join("probes");
        std::fs::create_dir_all(&directory)?;
        let sets: BTreeSet<String> = plan.iter().map(|probe| probe.features()).collect();
        let bar = spinner(sets.len());
        for features in sets {
            bar.set_message(format!("building the probes with {features}"));
            let of_set: Vec<&Probe> = plan
                .iter()
                .filter(|probe| probe.features() == features)
                .collect();
            let programs: BTreeSet<String> = of_set
                .iter()
                .map(|probe| format!("probe-{}", probe.via))
                .collect();
            let mut cargo = Command::new(crate::places::cargo());
            cargo
                .args([
                    "build",
                    "--quiet",
                    "--profile",
                    "bench",
                    "-p",
                    "anyrt-bench",
                ])
                .args([
                    "--no-default-features",
                    "--features",
                    &features,
                    "--target-dir",
                ])
                .arg(&target)
                .current_dir(crate::places::workspace());
            for program in &programs {
                cargo.args(["--bin", program]);
            }
            if !cargo.status()?.success() {
                let programs: Vec<String> = programs.into_iter().collect();
                let programs = programs.join(", ");
                return Err(fail(format!("{programs} with {features} do not build")));
            }
            for probe in of_set {
                let built = target.join("release").join(format!("probe-{}", probe.via));
                std::fs::copy(built, directory.join(probe.file()))?;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let valgrind = Command::new("valgrind").arg("--version").output();
        Ok(Self {
            directory,
            valgrind: valgrind.is_ok_and(|output| output.status.success()),
            profiles: AtomicUsize::new(0),
        })
    }

    pub(crate) const fn has_valgrind(&self) -> bool {
        self.valgrind
    }

    /// Measures each row on its probe; `runs` returns the number of runs.
    pub(crate) fn measure(
        &self,
        jobs: &[(Probe, Row)],
        runs: impl Fn(Probe, Row) -> usize + Sync,
    ) -> (Measured, Vec<Uncounted>) {
        let (measured, failures) = (Mutex::new(Measured::new()), Mutex::new(Vec::new()));
        in_parallel(jobs, |bar, &(probe, row)| {
            bar.set_message(format!("{}, {probe}", row.name()));
            let program = self.directory.join(probe.file());
            match self.slope(&program, probe.backend, row, runs(probe, row)) {
                Ok(counts) => {
                    let mut measured = measured.lock().expect("no thread panics");
                    measured.insert((probe, row as usize), counts);
                }
                Err(why) => {
                    let failure = Uncounted { probe, row, why };
                    failures.lock().expect("no thread panics").push(failure);
                }
            }
        });
        (
            measured.into_inner().expect("no thread panics"),
            failures.into_inner().expect("no thread panics"),
        )
    }

    /// Returns the cost of one operation: from some short runs to some long ones, at least `times`
    /// of each, and more if the reactor had another share in the long ones.
    pub(crate) fn slope(
        &self,
        program: &Path,
        backend: Backend,
        row: Row,
        times: usize,
    ) -> Result<Counts, String> {
        let n = row.count();
        let (mut once, mut thrice) = (Runs::of(n), Runs::of(3 * n));
        for round in 1.. {
            for runs in [&mut once, &mut thrice] {
                let run = self.run(program, backend, row, runs.operations, self.valgrind)?;
                runs.all.push(run);
            }
            if round >= times && (once.is_like(&thrice) || round >= times.max(MOST_ROUNDS)) {
                break;
            }
        }
        // Allocations that depend on time are more frequent under valgrind, where everything takes
        // longer.
        for _ in 0..DIRECT_RUNS {
            for runs in [&mut once, &mut thrice] {
                let run = self.run(program, backend, row, runs.operations, false)?;
                runs.all.push(run);
            }
        }
        let (once, thrice) = (once.least(), thrice.least());
        let per_operation = |once: f64, thrice: f64| (thrice - once) / (2 * n) as f64;
        Ok(Counts {
            instructions: once
                .instructions
                .zip(thrice.instructions)
                .map(|(once, thrice)| per_operation(once, thrice)),
            allocations: per_operation(once.allocations, thrice.allocations),
            bytes: per_operation(once.bytes, thrice.bytes),
        })
    }

    /// The totals of one run, which under valgrind counts allocations, too.
    fn run(
        &self,
        program: &Path,
        backend: Backend,
        row: Row,
        n: usize,
        valgrind: bool,
    ) -> Result<Run, String> {
        let profile = valgrind.then(|| {
            let number = self.profiles.fetch_add(1, Ordering::Relaxed);
            let process = std::process::id();
            self.directory.join(format!("profile-{process}-{number}"))
        });
        let mut command = match &profile {
            Some(profile) => {
                let mut valgrind = Command::new("valgrind");
                let mut file = OsString::from("--callgrind-out-file=");
                file.push(profile);
                valgrind.arg("--tool=callgrind").arg(file);
                valgrind.args(["--compress-strings=no", "--compress-pos=no"]);
                valgrind.arg(program);
                valgrind
            }
            None => Command::new(program),
        };
        command
            .args([backend.name(), row.name(), &n.to_string()])
            // The number of threads of the native executor: one, as everywhere.
            .env("ASYNC_STD_THREAD_COUNT", "1")
            .env("SMOL_THREADS", "1")
            // Keeps freed blocks for the next allocation of their size; otherwise the cost of a
            // block depends on earlier allocations, by hundreds of instructions.
            .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=65535");
        let output = finish(command)?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let unread = || format!("it printed {printed:?}");
        let (allocations, bytes) = printed.trim().split_once(' ').ok_or_else(unread)?;
        let profile = match profile {
            Some(profile) => Some(Self::read(&profile, row)?),
            None => None,
        };
        Ok(Run {
            counts: Counts {
                instructions: profile.as_ref().map(|profile| profile.counted),
                allocations: allocations.parse().map_err(|_| unread())?,
                bytes: bytes.parse().map_err(|_| unread())?,
            },
            reactor: profile.map_or(0.0, |profile| profile.reactor),
        })
    }

    /// Reads a profile and removes the file.
    fn read(profile: &Path, row: Row) -> Result<Profile, String> {
        let text = std::fs::read_to_string(profile).map_err(|error| error.to_string())?;
        std::fs::remove_file(profile).map_err(|error| error.to_string())?;
        Profile::read(&text, row).ok_or_else(|| "valgrind reports no count".to_owned())
    }
}

/// The totals of one run.
struct Run {
    counts: Counts,
    /// The instructions of async-io's reactor.
    reactor: f64,
}

/// The runs of a probe with the same number of operations.
///
/// With async-io they are of two kinds, and which one a run becomes is decided while it starts.
/// Usually the thread of `block_on` runs the reactor each time its future has yielded. But if
/// async-io's own thread came first, that one waits in the reactor until the program ends, and
/// `block_on` finds it taken: 90 instructions less per operation, in one run out of ten. In rows of
/// sockets, a wake-up that was one too many goes round: `block_on` sees it after the next poll,
/// looks for events instead of waiting for them, is woken by those, and so on; 30 instructions more
/// per operation. A slope between two kinds is wrong by up to 1.5 times the difference, upwards or
/// downwards. The share of the reactor tells the kinds apart.
struct Runs {
    operations: usize,
    all: Vec<Run>,
}

impl Runs {
    const fn of(operations: usize) -> Self {
        Self {
            operations,
            all: Vec::new(),
        }
    }

    /// Returns the largest share of the reactor, in instructions per operation.
    fn share(&self) -> f64 {
        let most = self.all.iter().map(|run| run.reactor).fold(0.0, f64::max);
        most / self.operations as f64
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.share() - other.share()).abs() < SAME_SHARE
    }

    /// Returns the lower of each: instructions of the runs with the largest share of the reactor,
    /// which is the usual kind, and allocations of all runs.
    fn least(&self) -> Counts {
        let least = |counts: fn(&Counts) -> f64| {
            let all = self.all.iter().map(|run| counts(&run.counts));
            all.fold(f64::INFINITY, f64::min)
        };
        let share = self.share();
        let is_usual = |run: &&Run| share - run.reactor / (self.operations as f64) < SAME_SHARE;
        let instructions = self.all.iter().filter(is_usual);
        Counts {
            instructions: instructions
                .filter_map(|run| run.counts.instructions)
                .reduce(f64::min),
            allocations: least(|counts| counts.allocations),
            bytes: least(|counts| counts.bytes),
        }
    }
}

/// Runs all jobs, as many at a time as there are cores.
pub(crate) fn in_parallel<J: Sync>(jobs: &[J], work: impl Fn(&ProgressBar, &J) + Sync) {
    let (bar, next) = (spinner(jobs.len()), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(&bar, job);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
}

/// Waits for the program, and kills it if it hangs, for example after a lost wake-up.
fn finish(mut command: Command) -> Result<Output, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it does not start: {error}"))?;
    let deadline = Instant::now() + PATIENCE;
    let mut hangs = false;
    // The output fits into a pipe, so the programs never wait for a reader.
    while child
        .try_wait()
        .map_err(|error| error.to_string())?
        .is_none()
    {
        if !hangs && Instant::now() > deadline {
            hangs = true;
            // Valgrind handles no other signal while its program waits.
            child.kill().map_err(|error| error.to_string())?;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child
        .wait_with_output()
        .map_err(|error| error.to_string())?;
    if hangs {
        return Err(format!("it hung, and was ended after {PATIENCE:?}"));
    }
    if !output.status.success() {
        let report = String::from_utf8_lossy(&output.stderr);
        // Without the messages of valgrind itself.
        let said: Vec<&str> = report
            .lines()
            .filter(|line| !line.starts_with("=="))
            .collect();
        return Err(format!("{}: {}", output.status, said.join(" ").trim()));
    }
    Ok(output)
}

pub(crate) fn spinner(length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} [{pos}/{len}] {msg}");
    let bar = ProgressBar::new(length as u64);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::{Counts, Run, Runs};

    fn runs(operations: usize, all: &[(f64, f64)]) -> Runs {
        let run = |&(instructions, reactor)| Run {
            counts: Counts {
                instructions: Some(instructions),
                allocations: 0.0,
                bytes: 0.0,
            },
            reactor,
        };
        Runs {
            operations,
            all: all.iter().map(run).collect(),
        }
    }

    #[test]
    fn a_run_that_leaves_the_reactor_to_another_thread_is_no_minimum() {
        // A wake on Smol.
        const USUAL: (f64, f64) = (1_833_221.0, 575_000.0);
        const CHEAP: (f64, f64) = (1_738_846.0, 5_600.0);
        let once = runs(1000, &[USUAL, CHEAP, (1_833_679.0, 575_300.0)]);
        assert_eq!(once.least().instructions, Some(USUAL.0));
        assert!(once.is_like(&runs(3000, &[(4_552_272.0, 1_720_000.0)])));
        assert!(!once.is_like(&runs(3000, &[(4_273_125.0, 5_700.0)])));
    }
}
