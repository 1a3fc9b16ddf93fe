//! `overhead`: the cost of an operation through anyrt compared with the native runtime, in counts.
//!
//! A count is the slope between N and 3 N operations of a probe: a program that does nothing else,
//! with one thread, built with fat LTO. So it excludes start-up and warm-up and does not depend on
//! other load on the machine.

mod budget;
mod peers;
mod probe;
mod profile;
mod selection;
mod table;
mod time;

use anyrt_bench::{Backend, Row, Via};
use lexopt::prelude::*;

use crate::fail::fail;
use budget::Budgets;
use probe::{Build, Probe, Probes, none_failed};
use selection::Selection;

const HELP: &str = "\
Counts the cost of each operation through anyrt, compared with the native runtime.

Usage: anyrt-bench overhead [options]

  --backend NAME   only this runtime (may be repeated)
  --row NAME       only this row (may be repeated); `--row help` lists them
  --check          compare with budgets.toml; the exit code is 1 if a row exceeds its budget or has no figures
  --quick          the subset for CI: without the facade built with a single backend, which takes a build for each;
                   with --check also without native runtimes other than Tokio, and only representative rows of the
                   other runtimes, unless --row names some
  --time           also print the ratio of times, in this process, paired and rotated
  --peers          compare with the other abstraction layers instead; with --check the exit code is 1 if one is better
  --write          write the tables into docs/en/performance.md and docs/zh/performance.md
  --bless          record the measured prices of the rows that have a reason in budgets.toml";

pub(crate) fn main(mut args: lexopt::Parser) -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Selection {
        backends: Vec::new(),
        named_rows: Vec::new(),
        check: false,
        quick: false,
        peers: false,
        time: false,
        write: false,
        bless: false,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("backend") => {
                let name = args.value()?.string()?;
                let backend =
                    Backend::parse(&name).ok_or_else(|| fail(format!("no runtime {name}")))?;
                options.backends.push(backend);
            }
            Long("row") => {
                let name = args.value()?.string()?;
                let row = Row::parse(&name).ok_or_else(|| {
                    let names = Row::ALL.map(Row::name).join(", ");
                    fail(format!("no row {name}; there are {names}"))
                })?;
                options.named_rows.push(row);
            }
            Long("check") => options.check = true,
            Long("quick") => options.quick = true,
            Long("peers") => options.peers = true,
            Long("time") => options.time = true,
            Long("write") => options.write = true,
            Long("bless") => options.bless = true,
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if options.backends.is_empty() {
        options.backends = Backend::ALL.to_vec();
    }
    if options.peers {
        peers::run(&options)
    } else {
        run(&options)
    }
}

fn run(options: &Selection) -> Result<(), Box<dyn std::error::Error>> {
    let mut budgets = Budgets::read()?;
    let plan = plan(options);
    let probes = Probes::build(&plan)?;
    if !probes.has_valgrind() {
        eprintln!("valgrind is not installed: allocations are counted, instructions are not");
    }
    let runs = |probe: Probe, row| if options.check { 1 } else { probe.runs(row) };
    let (mut measured, mut failures) = probes.measure(&options.jobs(&plan), runs);
    if options.check {
        // Rows above their budgets are measured again, more often each time: a count that depends
        // on another thread or the clock exceeds its budget occasionally.
        for times in 1..=3 {
            for violation in budgets.violations(&measured) {
                let native = Probe::native(violation.probe.backend);
                let again: Vec<(Probe, Row)> = plan
                    .iter()
                    .filter(|probe| **probe == native || **probe == violation.probe)
                    .map(|probe| (*probe, violation.row))
                    .collect();
                let runs = |probe: Probe, row| times * probe.runs(row);
                let (again, failed) = probes.measure(&again, runs);
                measured.extend(again);
                failures.extend(failed);
            }
        }
    }
    if options.bless && failures.is_empty() {
        budgets.bless(&measured)?;
    }

    let backends: Vec<Backend> = Backend::ALL
        .iter()
        .copied()
        .filter(|backend| plan.iter().any(|probe| probe.backend == *backend))
        .collect();
    for &backend in backends
        .iter()
        .filter(|backend| plan.contains(&Probe::native(**backend)))
    {
        println!(
            "{}",
            table::of(backend, &measured, &budgets, table::Language::English)
        );
    }
    if options.time {
        println!("{}", time::table(&backends, options.rows()));
    }
    none_failed(&failures)?;
    if options.write {
        table::write(&backends, &measured, &budgets)?;
    }
    if options.check {
        let violations = budgets.violations(&measured);
        for violation in &violations {
            eprintln!("above its budget: {violation}");
        }
        if !violations.is_empty() {
            return Err(fail(format!("{} above budget", violations.len())));
        }
        println!(
            "Every row is within its budget ({} figures).",
            measured.len()
        );
    }
    Ok(())
}

/// Returns the plan. With `quick` it excludes the programs with a single backend, each of which
/// needs a build, and the native runtimes whose counts vary between runs: their rows are compared
/// with recorded prices.
fn plan(options: &Selection) -> Vec<Probe> {
    let backends = options.backends.iter().copied();
    backends
        .flat_map(|backend| {
            let probe = |via, build| Probe {
                backend,
                via,
                build,
            };
            let native = Probe::native(backend);
            let mut plan = vec![
                probe(Via::Generic, Build::Alone),
                probe(Via::Facade, Build::All),
            ];
            if !options.quick {
                plan.push(probe(Via::Facade, Build::Alone));
            }
            if !(options.quick && options.check) || native.native_is_exact() {
                plan.push(native);
            }
            plan
        })
        .collect()
}

/// Runs the child process for the times of one row.
pub(crate) fn time_child(backend: &str, row: &str) -> Option<()> {
    time::child(backend, row)
}
