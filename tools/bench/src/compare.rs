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
mod load;
mod machine;
mod measure;
mod options;
mod plan;
mod plot;
mod process;
mod programs;
mod summary;
mod terminal;
mod uring;

use std::error::Error;
use std::time::Instant;

use serde::Serialize;

use crate::fail;
use crate::statistics::Spread;
use cores::Cores;
use job::{Floor, Setting};
use machine::Machine;
use measure::{Failure, Figures};
use options::Options;
use plan::{Row, Wish};

pub(crate) use job::{client, load as load_child, work as work_child};
pub(crate) use load::{Ask, Pace};

/// A spread above this share of the median is flagged.
const WIDE: f64 = 0.15;

/// The figures of one contender in a row.
#[derive(Debug, Serialize)]
pub(crate) struct Result {
    pub(crate) contender: String,
    pub(crate) spread: Spread,
    pub(crate) values: Vec<f64>,
    /// `true` if the spread is too wide for a meaningful median.
    pub(crate) wide: bool,
    /// The ratio to the floor: how many times as slow or as large.
    pub(crate) of_floor: Option<f64>,
}

impl Result {
    pub(crate) fn is_floor(&self) -> bool {
        Floor::is_name(&self.contender)
    }
}

/// A row with its figures.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) row: Row,
    pub(crate) results: Vec<Result>,
}

impl Line {
    fn new(row: Row, figures: &Figures) -> Self {
        let mut results: Vec<Result> = figures
            .of(&row.id)
            .iter()
            .map(|(contender, values)| {
                let spread = Spread::of(values);
                Result {
                    contender: contender.clone(),
                    spread,
                    values: values.clone(),
                    wide: spread.width() > WIDE,
                    of_floor: None,
                }
            })
            .collect();
        let floor = floor(&row, &results);
        for result in results.iter_mut().filter(|result| !result.is_floor()) {
            let times = floor.map(|floor| {
                if row.higher_is_better {
                    floor / result.spread.median
                } else {
                    result.spread.median / floor
                }
            });
            result.of_floor = times.filter(|times| times.is_finite());
        }
        Self { row, results }
    }

    /// Returns the best result of the floors.
    pub(crate) fn floor(&self) -> Option<f64> {
        floor(&self.row, &self.results)
    }

    pub(crate) fn of(&self, contender: &str) -> Option<&Result> {
        self.results
            .iter()
            .find(|result| result.contender == contender)
    }
}

fn floor(row: &Row, results: &[Result]) -> Option<f64> {
    let floors = results.iter().filter(|result| result.is_floor());
    let floors = floors.map(|result| result.spread.median);
    if row.higher_is_better {
        floors.reduce(f64::max)
    } else {
        floors.reduce(f64::min)
    }
}

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) summary: Vec<summary::Answer>,
    pub(crate) failures: Vec<Failure>,
    /// Facts about this machine that a reader of the figures needs.
    pub(crate) remarks: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

pub(crate) fn main(mut args: lexopt::Parser) -> std::result::Result<(), Box<dyn Error>> {
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
    crate::this_program().with_file_name(name)
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
