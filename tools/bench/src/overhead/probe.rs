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

use crate::fail;

/// The time limit of one run: some hundred times its duration on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The number of runs without valgrind that count allocations: they are short.
const DIRECT_RUNS: usize = 3;

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

    /// Returns `true` if another thread takes part, so that runs differ.
    pub(crate) const fn is_shared(self, row: Row) -> bool {
        row.is_shared()
            || matches!(self.via, Via::Native)
                && matches!(self.backend, Backend::Smol | Backend::AsyncStd)
    }

    /// Returns `true` if the native runtime has the same count in each run. With Smol and async-std
    /// the thread of async-io runs the reactor whenever it is free, which counts in the rows of
    /// sockets, and Glommio checks its rings after a time, not after a number of polls.
    pub(crate) const fn native_is_exact(self) -> bool {
        matches!(self.backend, Backend::Tokio)
    }

    /// Returns the number of runs to compare.
    pub(crate) const fn runs(self, row: Row) -> usize {
        if self.is_shared(row) {
            3
        } else if self.native_is_exact() {
            1
        } else {
            2
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

impl Counts {
    /// Returns the lower of each.
    pub(crate) fn least(self, other: Self) -> Self {
        let instructions = match (self.instructions, other.instructions) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self {
            instructions,
            allocations: self.allocations.min(other.allocations),
            bytes: self.bytes.min(other.bytes),
        }
    }
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
        let target = crate::target_directory()?.join("overhead");
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
            let mut cargo = Command::new(crate::cargo());
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
                .current_dir(crate::workspace());
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

    /// Returns the cost of one operation: from the minimum of some short runs to the minimum of
    /// some long ones.
    pub(crate) fn slope(
        &self,
        program: &Path,
        backend: Backend,
        row: Row,
        times: usize,
    ) -> Result<Counts, String> {
        let n = row.count();
        let least = |n| {
            let mut least = self.run(program, backend, row, n, self.valgrind)?;
            for _ in 1..times {
                least = least.least(self.run(program, backend, row, n, self.valgrind)?);
            }
            // Allocations that depend on time are more frequent under valgrind, where everything
            // takes longer.
            for _ in 0..DIRECT_RUNS {
                least = least.least(self.run(program, backend, row, n, false)?);
            }
            Ok::<Counts, String>(least)
        };
        let (once, thrice) = (least(n)?, least(3 * n)?);
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
    ) -> Result<Counts, String> {
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
        let instructions = match profile {
            Some(profile) => Some(Self::counted(&profile, row)?),
            None => None,
        };
        Ok(Counts {
            instructions,
            allocations: allocations.parse().map_err(|_| unread())?,
            bytes: bytes.parse().map_err(|_| unread())?,
        })
    }

    /// Returns the count of a profile, and removes the file.
    fn counted(profile: &Path, row: Row) -> Result<f64, String> {
        let text = std::fs::read_to_string(profile).map_err(|error| error.to_string())?;
        std::fs::remove_file(profile).map_err(|error| error.to_string())?;
        super::profile::instructions(&text, row.is_net())
            .ok_or_else(|| "valgrind reports no count".to_owned())
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
