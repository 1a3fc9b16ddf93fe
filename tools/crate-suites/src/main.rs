//! Runs the published tests of crates that depend on Tokio, on every backend, through
//! `[patch.crates-io]`.
//!
//! The sources are those that cargo downloads and verifies; none is tracked. `recorded.txt` has the
//! results of the same files on Tokio itself (`--record` writes it). A test that passes there must
//! pass on every backend, or be listed in `different.txt` with a reason. An outdated line there is
//! a failure as well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyrt_tokio_suite::Result;
use anyrt_tokio_suite::different::Different;
use anyrt_tokio_suite::run::{self, Done, End, Limits};

mod record;
mod suites;

use record::Record;
use suites::{SUITES, Suite, Tree};

const BACKENDS: [&str; 4] = ["tokio", "smol", "async-std", "glommio"];
const HERE: &str = env!("CARGO_MANIFEST_DIR");
const HELP: &str = "\
scripts/check patched [--backend BACKEND]… [--crate CRATE]… [--record] [--verbose] [NAME]…
  --backend   on this backend; on every one unless set
  --crate     the tests of this crate; of all unless set
  --record    on Tokio itself, and writes tools/crate-suites/recorded.txt
  --verbose   prints all that a failed test printed
  NAME        only tests with one of these in their names";

/// The parsed command line.
struct Args {
    backends: Vec<&'static str>,
    suites: Vec<&'static Suite>,
    filters: Vec<String>,
    record: bool,
    verbose: bool,
}

fn main() -> ExitCode {
    match all() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crate-suites: {error}");
            ExitCode::from(2)
        }
    }
}

fn args() -> Result<Args> {
    let mut args = Args {
        backends: Vec::new(),
        suites: Vec::new(),
        filters: Vec::new(),
        record: false,
        verbose: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--backend" => {
                let name = value()?;
                let known = BACKENDS.into_iter().find(|known| *known == name);
                args.backends
                    .push(known.ok_or(format!("{name}: no such backend"))?);
            }
            "--crate" => {
                let name = value()?;
                let known = SUITES.iter().find(|known| known.name == name);
                args.suites
                    .push(known.ok_or(format!("{name}: no such crate"))?);
            }
            "--record" => args.record = true,
            "--verbose" => args.verbose = true,
            option if option.starts_with('-') => return Err(HELP.to_owned()),
            name => args.filters.push(name.to_owned()),
        }
    }
    if args.suites.is_empty() {
        args.suites = SUITES.iter().collect();
    }
    if args.record {
        args.backends = vec!["reference"];
    } else if args.backends.is_empty() {
        let here = if cfg!(target_os = "linux") { 4 } else { 3 };
        args.backends = BACKENDS[..here].to_vec();
    }
    Ok(args)
}

fn all() -> Result<bool> {
    let start = Instant::now();
    let mut args = args()?;
    args.suites.retain(|suite| {
        let missing = suite.server.filter(|port| !answers(*port));
        if let Some(port) = missing {
            eprintln!(
                "WARNING: the tests of {} ARE NOT RUN, for no server answers at port {port}; see scripts/check patched",
                suite.name
            );
        }
        missing.is_none()
    });
    let root = Path::new(HERE)
        .ancestors()
        .nth(2)
        .ok_or("the suites are not in tools/crate-suites")?;
    let recorded = Path::new(HERE).join("recorded.txt");
    let mut record = Record::read(&recorded)?;
    let different = Different::read(&Path::new(HERE).join("different.txt"))?;
    let tree = Tree::write(root, &target_dir(root), args.record)?;
    let programs = tree.build(&args.suites)?;
    println!("built in {} s", start.elapsed().as_secs());

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limits = Limits {
        timeout: Duration::from_secs(60),
        jobs: cores * 2,
    };
    let (mut ok, mut rows) = (true, Vec::new());
    for suite in &args.suites {
        for backend in &args.backends {
            let mut done = Vec::new();
            for (target, program) in programs
                .iter()
                .filter(|(of, ..)| *of == suite.name)
                .map(|(_, target, program)| (target, program))
            {
                let wanted = |name: &str| {
                    let mut filters = args.filters.iter();
                    suite.without.is_none_or(|part| !name.contains(part))
                        && (args.filters.is_empty()
                            || filters.any(|filter| name.contains(filter.as_str())))
                };
                let prefix = format!("{}::{target}::", suite.name);
                let cases = run::cases([program], &prefix, wanted)?;
                done.extend(run::run(
                    &cases,
                    backend,
                    &different,
                    limits,
                    &tree.dir_of(suite),
                )?);
            }
            if args.record {
                let passed = done.iter().filter(|done| passed(done)).count();
                rows.push(format!(
                    "{:<16} {:>7} {:>7}",
                    suite.name,
                    passed,
                    done.len() - passed
                ));
                record.set(suite.name, suite.version, done);
            } else {
                let outcome = compare(suite, backend, &done, &record, &different, &args);
                ok &= outcome.failed == 0;
                rows.push(format!(
                    "{:<16} {backend:<10} {:>7} {:>7} {:>16} {:>16}",
                    suite.name, outcome.passed, outcome.failed, outcome.known, outcome.on_tokio_too
                ));
            }
        }
    }
    if args.record {
        record.write(&recorded)?;
        println!(
            "\n{:<16} {:>7} {:>7}",
            "on Tokio itself", "passed", "failed"
        );
    } else {
        println!(
            "\n{:<16} {:<10} {:>7} {:>7} {:>16} {:>16}",
            "", "", "passed", "failed", "known different", "fail on Tokio"
        );
    }
    for row in rows {
        println!("{row}");
    }
    println!("done in {} s", start.elapsed().as_secs());
    Ok(ok)
}

fn passed(done: &Done) -> bool {
    matches!(done.end, End::Passed | End::PassedThen)
}

#[derive(Default)]
struct Outcome {
    passed: usize,
    failed: usize,
    known: usize,
    on_tokio_too: usize,
}

/// Compares a run with the record, and prints the differences.
fn compare(
    suite: &Suite,
    backend: &str,
    done: &[Done],
    record: &Record,
    different: &Different,
    args: &Args,
) -> Outcome {
    let mut outcome = Outcome::default();
    let complain = |name: &str, what: &str, output: &str| {
        let output = if args.verbose {
            output.to_owned()
        } else {
            told(output)
        };
        println!("{backend}  {name}: {what}{output}");
    };
    for test in done {
        let name = test.name.as_str();
        let difference = different.find(backend, name);
        match (passed(test), difference) {
            (true, Some(listed)) if !listed.sometimes => {
                outcome.failed += 1;
                complain(name, "passes, but different.txt says that it does not", "");
            }
            (true, _) => {
                outcome.passed += 1;
                if test.end == End::PassedThen {
                    complain(name, "passed on a later try", &test.output);
                }
            }
            (false, Some(_)) => outcome.known += 1,
            (false, None) if record.fails(name) => outcome.on_tokio_too += 1,
            (false, None) => {
                outcome.failed += 1;
                let what = if test.end == End::TimedOut {
                    "did not end"
                } else {
                    "failed"
                };
                complain(name, what, &test.output);
            }
        }
    }
    // After a partial run nothing is known of the other tests.
    if args.filters.is_empty() {
        let run: BTreeSet<_> = done.iter().map(|done| done.name.as_str()).collect();
        let of_suite = format!("{}::", suite.name);
        let listed = different
            .of(backend)
            .map(|difference| difference.test.as_str());
        for name in record
            .names(suite.name)
            .chain(listed.filter(|name| name.starts_with(&of_suite)))
        {
            if !run.contains(name) {
                outcome.failed += 1;
                complain(name, "is in a list, but there is no such test", "");
            }
        }
        let mut new = run.into_iter().filter(|name| !record.has(name));
        if let Some(name) = new.next() {
            let others = new.count();
            outcome.failed += 1 + others;
            complain(
                name,
                &format!(
                    "and {others} others are not in recorded.txt: scripts/check patched --record"
                ),
                "",
            );
        }
    }
    outcome
}

/// Returns the panic in the output of a test, or its last line.
fn told(output: &str) -> String {
    let mut lines = output.lines();
    if let Some(panic) = lines.find(|line| line.contains("panicked at")) {
        let message: Vec<_> = lines.take(3).collect();
        return format!(
            "\n    {}\n    {}",
            panic.rsplit('/').next().unwrap_or(panic),
            message.join("\n    ")
        );
    }
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    last.map(|last| format!("\n    {last}")).unwrap_or_default()
}

fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}
