//! Runs Tokio's own integration tests against anyrt under the name of Tokio.
//!
//! The tests are those of the `tokio` package in `Cargo.lock`, read from cargo's sources. Each area
//! (`net`, `time`, …) is compiled into one program. Each test runs in a separate process, on each
//! backend. `excluded.txt` and `different.txt` list excluded and different tests with their
//! reasons. An outdated line there is a failure as well.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod args;
mod lists;
mod package;
mod report;
mod source;

use anyrt_tokio_suite::different::Different;
use anyrt_tokio_suite::{Result, run};
use args::Args;
use lists::Excluded;
use package::Package;
use report::Report;
use source::Tests;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    match suite() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tokio-suite: {error}");
            ExitCode::from(2)
        }
    }
}

fn suite() -> Result<bool> {
    let start = Instant::now();
    let root = Path::new(HERE)
        .ancestors()
        .nth(2)
        .ok_or("the suite is not in tools/tokio-suite")?;
    let tests = Tests::find(root)?;
    let args = Args::parse(&tests)?;
    let excluded = Excluded::read(&Path::new(HERE).join("excluded.txt"), &tests)?;
    let different = Different::read(&Path::new(HERE).join("different.txt"))?;

    let mut ok = true;
    for reference in [true, false] {
        let backends: Vec<_> = args
            .backends
            .iter()
            .filter(|backend| (**backend == "reference") == reference)
            .copied()
            .collect();
        if backends.is_empty() {
            continue;
        }
        let package = Package::new(root, target_dir(root), &tests, reference)?;
        let built = package.build(&args, &tests, &excluded)?;
        let built_in = start.elapsed();
        let cases = run::cases(built.programs.values(), "", |name| args.wants(name))?;
        let mut report = Report::new(&built, &args, &tests, &excluded, &different, reference);
        for backend in backends {
            let done = run::run(&cases, backend, &different, args.limits, tests.package())?;
            report.add(backend, done);
        }
        ok &= report.print();
        let seconds = |time: Duration| time.as_secs();
        println!(
            "built in {} s, done in {} s",
            seconds(built_in),
            seconds(start.elapsed())
        );
    }
    Ok(ok)
}

fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}
