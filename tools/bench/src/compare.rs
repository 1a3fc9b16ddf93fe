//! `compare`: compares the four runtimes on this machine, through anyrt and optionally natively.
//!
//! Every measurement runs in its own child process. The contenders take turns, in a different order
//! each round, so that other load affects all of them. A row has a median and a spread, and is
//! flagged if the spread exceeds 15 %. The report names a child that fails or hangs, and the others
//! continue.

mod cores;
mod documents;
mod epoll;
mod floor;
mod html;
mod job;
mod line;
mod load;
mod machine;
mod measure;
mod number;
mod options;
mod plan;
mod plot;
mod process;
mod programs;
mod report;
mod summary;
mod terminal;
mod uring;

use std::error::Error;
use std::time::Instant;

use crate::fail::fail;
use cores::Cores;
use job::Setting;
use line::Line;
use machine::Machine;
use measure::Figures;
use options::Options;
use plan::{Row, Wish};
use report::Report;

pub(crate) use job::{client, load as load_child, work as work_child};
pub(crate) use load::{Ask, Pace};

pub(crate) fn main(mut args: lexopt::Parser) -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::read(&mut args)? else {
        return Ok(());
    };
    if options.check {
        return programs::check(options.only.as_deref());
    }
    options.can_write()?;
    let begin = Instant::now();
    let mut machine = Machine::read();
    let cores = Cores::find();
    let mut plan = plan::plan(Wish {
        quick: options.quick,
        native: options.native,
        size: options.size,
        cores,
    });
    let mut build = !options.quick;
    if let Some(word) = &options.only {
        plan.retain(|item| item.rows.iter().any(|(_, row)| row.is_about(word)));
        build = programs::rows().iter().any(|row| row.is_about(word));
        if plan.is_empty() && !build {
            return Err(fail(format!("no row is about `{word}`")));
        }
    }
    let setting = Setting {
        cores,
        limit: options.limit,
        scratch: scratch(),
    };
    let mut figures = Figures::default();
    let rounds = figures.measure(&plan, &setting, &options);
    let mut rows: Vec<Row> = plan
        .into_iter()
        .flat_map(|item| item.rows)
        .map(|(_, row)| row)
        .collect();
    if build {
        programs::measure(options.native, &mut figures);
        rows.extend(programs::rows());
    }
    if figures.is_empty() {
        let failures = figures
            .failures
            .iter()
            .map(|failure| format!("\n{failure}"));
        return Err(fail(format!(
            "nothing could be measured:{}",
            failures.collect::<String>()
        )));
    }
    let lines: Vec<Line> = rows
        .into_iter()
        .map(|row| Line::new(row, &figures))
        .collect();
    machine.load_after = machine::load();
    let report = Report {
        remarks: remarks(&machine, cores, &options, rounds),
        machine,
        command: options.command(),
        rounds,
        seconds: begin.elapsed().as_secs_f64(),
        summary: summary::answers(&lines),
        failures: figures.failures,
        lines,
    };
    println!("{}", terminal::tables(&report));
    std::fs::write(&options.json, serde_json::to_string_pretty(&report)?)?;
    std::fs::write(&options.html, html::page(&report)?)?;
    println!("{} and {}", options.html.display(), options.json.display());
    if options.write {
        documents::write(&report)?;
        println!("docs/en/performance.md and docs/zh/performance.md");
    }
    Ok(())
}

/// Returns the directory of the file that is written and read, next to this program: a temporary directory
/// is often in memory.
fn scratch() -> std::path::PathBuf {
    let name = format!("compare-scratch-{}", std::process::id());
    crate::places::this_program().with_file_name(name)
}

fn remarks(machine: &Machine, cores: Cores, options: &Options, rounds: usize) -> Vec<String> {
    let mut remarks = Vec::new();
    if rounds == 1 {
        remarks.push("One round: these figures say nothing of how steady they are.".to_owned());
    }
    if cores.second.is_none() {
        remarks.push(
            "This process may use one core only, so rows that need two are missing.".to_owned(),
        );
    }
    if options.size as f64 > machine.available_gib * 1024.0 * 1024.0 * 1024.0 / 2.0 {
        remarks.push(format!(
            "The file of {} may not stay in the page cache: {:.1} GiB of memory were available. The rows of files \
             then measure the disk.",
            plan::bytes(options.size),
            machine.available_gib
        ));
    }
    let busy = |load: &str| {
        load.parse::<f64>()
            .is_ok_and(|load| load > machine.cores as f64 / 2.0)
    };
    if busy(&machine.load_before) {
        remarks.push(format!(
            "The machine was busy with something else when this began: its load was {}.",
            machine.load_before
        ));
    }
    remarks
}
