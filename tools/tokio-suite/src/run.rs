//! Runs the tests in separate processes, on one backend after the other.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::Result;
use crate::different::Different;

/// The number of retries of a failed test.
const RETRIES: usize = 2;
/// The time limit of a test that is known to fail or hang.
const DIFFERENT: Duration = Duration::from_secs(4);

/// How tests are run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The time limit of one test.
    pub timeout: Duration,
    /// The number of tests that run at once.
    pub jobs: usize,
}

/// A test of one of the programs.
#[derive(Debug)]
pub struct Case {
    program: PathBuf,
    /// The name in the program.
    full: String,
    /// The name without the backend.
    pub name: String,
    /// Its backend. `None` if it builds its own runtime or has none, so that it runs on all.
    backend: Option<&'static str>,
}

/// The result of a test.
#[derive(Debug)]
pub struct Done {
    /// The name of the test.
    pub name: String,
    /// The outcome.
    pub end: End,
    /// Its output, if it did not pass.
    pub output: String,
}

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// It passed at once.
    Passed,
    /// It passed on a retry.
    PassedThen,
    /// It failed on every try.
    Failed,
    /// It did not end.
    TimedOut,
}

/// Lists the selected tests, with `prefix` before their names.
///
/// # Errors
/// Fails if a program cannot be run.
pub fn cases<'a>(
    programs: impl IntoIterator<Item = &'a PathBuf>,
    prefix: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for program in programs {
        let ignored = list(program, &["--ignored"])?;
        for full in list(program, &[])? {
            let (name, backend) = split(&full);
            let name = format!("{prefix}{name}");
            if wanted(&name) && !ignored.contains(&full) {
                cases.push(Case {
                    program: program.clone(),
                    name,
                    backend,
                    full,
                });
            }
        }
    }
    Ok(cases)
}

fn list(program: &Path, more: &[&str]) -> Result<Vec<String>> {
    let output = Command::new(program)
        .args(["--list", "--format", "terse"])
        .args(more)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}

/// `#[tokio::test]` of anyrt generates one test per backend, named after it.
fn split(full: &str) -> (&str, Option<&'static str>) {
    const EXPANDED: [(&str, &str); 4] = [
        ("::tokio", "tokio"),
        ("::smol", "smol"),
        ("::async_std", "async-std"),
        ("::glommio", "glommio"),
    ];
    for (suffix, backend) in EXPANDED {
        if let Some(name) = full.strip_suffix(suffix) {
            return (name, Some(backend));
        }
    }
    (full, None)
}

/// Runs the tests of a backend. Unexpected failures are retried.
///
/// The directory is that of their package, where cargo runs tests.
///
/// # Errors
/// Fails if a program cannot be run.
pub fn run(
    cases: &[Case],
    backend: &str,
    different: &Different,
    limits: Limits,
    dir: &Path,
) -> Result<Vec<Done>> {
    let cases: Vec<_> = cases
        .iter()
        .filter(|case| case.backend.is_none_or(|of| of == backend))
        .collect();
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for job in 0..limits.jobs {
            let (cases, next, all, failed) = (&cases, &next, &all, &failed);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match run_one(case, backend, different, limits, job, dir) {
                        Ok(done) => lock(all).push(done),
                        Err(error) => {
                            lock(failed).get_or_insert(error);
                            return;
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = lock(&failed).take() {
        return Err(error);
    }
    let mut all = std::mem::take(&mut *lock(&all));
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn run_one(
    case: &Case,
    backend: &str,
    different: &Different,
    limits: Limits,
    job: usize,
    dir: &Path,
) -> Result<Done> {
    let known = different.find(backend, &case.name).is_some();
    let timeout = if known {
        limits.timeout.min(DIFFERENT)
    } else {
        limits.timeout
    };
    let (mut end, output) = once(case, backend, timeout, job, dir)?;
    // On a busy machine a test that measures time may fail once or twice.
    for _ in 0..RETRIES {
        if end != End::Failed || known {
            break;
        }
        let (again, _) = once(case, backend, timeout, job, dir)?;
        if again == End::Passed {
            end = End::PassedThen;
        }
    }
    if end == End::TimedOut && !known {
        eprintln!("{backend}  {}: did not end in {timeout:?}", case.name);
    }
    Ok(Done {
        name: case.name.clone(),
        end,
        output,
    })
}

fn once(
    case: &Case,
    backend: &str,
    timeout: Duration,
    job: usize,
    dir: &Path,
) -> Result<(End, String)> {
    let path = case
        .program
        .with_extension(format!("{}.{job}.out", std::process::id()));
    let told = |error: std::io::Error| format!("{}: {error}", case.full);
    let output = File::create(&path).map_err(told)?;
    let mut command = Command::new(&case.program);
    command
        .args(["--exact", &case.full, "--nocapture", "--test-threads", "1"])
        .current_dir(dir)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(told)?)
        .stderr(output)
        .process_group(0);
    if backend == "reference" {
        command.env_remove("ANYRT_BACKEND");
    } else {
        command.env("ANYRT_BACKEND", backend);
    }
    let start = Instant::now();
    let mut child = command.spawn().map_err(told)?;
    let end = loop {
        if let Some(status) = child.try_wait().map_err(told)? {
            break if status.success() {
                End::Passed
            } else {
                End::Failed
            };
        }
        if start.elapsed() > timeout {
            break End::TimedOut;
        }
        thread::sleep(Duration::from_millis(2).max(start.elapsed() / 50));
    };
    // Ends the processes that it started as well.
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait().map_err(told)?;
    let text = match end {
        End::Passed => String::new(),
        _ => String::from_utf8_lossy(&fs::read(&path).map_err(told)?).into_owned(),
    };
    fs::remove_file(&path).map_err(told)?;
    Ok((end, text))
}
