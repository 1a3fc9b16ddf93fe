//! `compare`: the four runtimes beside each other on this machine, through anyrt and, if wanted, natively.
//!
//! Every measurement is a child process of its own. The contenders take turns, in another order each round, so that
//! what else the machine does falls on all of them; a row says median and spread, and is flagged where the spread
//! passes 15 %.

mod floor;
mod html;
mod job;
mod load;
mod machine;
mod plan;
mod plot;
mod programs;
mod summary;
mod terminal;
mod uring;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lexopt::prelude::*;
use serde::Serialize;

use crate::statistics::Spread;
use job::Contender;
use machine::Machine;
use plan::{Item, Row};

pub(crate) use job::{load as load_child, work as work_child};

const HELP: &str = "\
Measures the four runtimes on this machine, and writes a report.

Usage: anyrt-bench compare [options]

  --quick         under 2 minutes: fewer rows, fewer rounds
  --native        also each runtime natively, beside anyrt
  --rounds N      how often each row is measured (5; with --quick up to 3)
  --size SIZE     of the file that is written and read, such as 256M or 1G (1G; with --quick 64M)
  --only WORD     only rows whose name contains the word
  --html FILE     the report (anyrt-compare.html)
  --json FILE     the figures (anyrt-compare.json)

An otherwise idle machine gives the best figures. The load before and after is in the report.";

/// A spread above this share of the median is flagged.
const WIDE: f64 = 0.15;
/// With `--quick`, no round begins later than this.
const QUICK_ENOUGH: Duration = Duration::from_secs(60);

/// One contender's figures in a row.
#[derive(Debug, Serialize)]
pub(crate) struct Result {
    pub(crate) contender: String,
    pub(crate) spread: Spread,
    pub(crate) values: Vec<f64>,
    /// Whether the spread is too wide for the median to mean much.
    pub(crate) wide: bool,
}

/// A row with its figures.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) row: Row,
    pub(crate) results: Vec<Result>,
}

impl Line {
    pub(crate) fn of(&self, contender: &str) -> Option<&Result> {
        self.results
            .iter()
            .find(|result| result.contender == contender)
    }
}

/// All there is to tell.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) summary: Vec<summary::Answer>,
    pub(crate) lines: Vec<Line>,
}

struct Options {
    quick: bool,
    native: bool,
    rounds: Option<usize>,
    size: Option<u64>,
    only: Option<String>,
    html: PathBuf,
    json: PathBuf,
}

pub(crate) fn main(
    mut args: lexopt::Parser,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut options = Options {
        quick: false,
        native: false,
        rounds: None,
        size: None,
        only: None,
        html: "anyrt-compare.html".into(),
        json: "anyrt-compare.json".into(),
    };
    while let Some(arg) = args.next()? {
        match arg {
            Long("quick") => options.quick = true,
            Long("native") => options.native = true,
            Long("rounds") => options.rounds = Some(args.value()?.parse()?),
            Long("size") => options.size = Some(bytes(&args.value()?.string()?)?),
            Long("only") => options.only = Some(args.value()?.string()?),
            Long("html") => options.html = args.value()?.into(),
            Long("json") => options.json = args.value()?.into(),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    run(&options)
}

/// `64M`, `1G`, or a plain number.
fn bytes(text: &str) -> std::result::Result<u64, Box<dyn std::error::Error>> {
    let (number, unit) = match text
        .trim_end_matches(['B', 'b', 'i'])
        .split_at_checked(text.len().saturating_sub(1))
    {
        Some((number, "K" | "k")) => (number, 1 << 10),
        Some((number, "M" | "m")) => (number, 1 << 20),
        Some((number, "G" | "g")) => (number, 1 << 30),
        _ => (text, 1),
    };
    Ok(number.parse::<u64>()? * unit)
}

fn run(options: &Options) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let begin = Instant::now();
    let mut machine = Machine::read();
    let size = options
        .size
        .unwrap_or(if options.quick { 64 << 20 } else { 1 << 30 });
    let mut plan = plan::plan(options.quick, options.native, size);
    if let Some(word) = &options.only {
        plan.retain(|item| {
            item.rows
                .iter()
                .any(|(_, row)| row.id.contains(word.as_str()))
        });
    }
    let rounds = options
        .rounds
        .unwrap_or(if options.quick { 3 } else { 5 })
        .max(1);
    let (mut values, rounds) = measure(&plan, rounds, options.quick.then_some(QUICK_ENOUGH));

    let mut rows: Vec<Row> = plan
        .into_iter()
        .flat_map(|item| item.rows)
        .map(|(_, row)| row)
        .collect();
    if !options.quick && options.only.is_none() {
        rows.extend(programs::measure(options.native, &mut values)?);
    }
    let lines: Vec<Line> = rows.into_iter().map(|row| line(row, &values)).collect();
    machine.load_after = machine::load();
    let report = Report {
        machine,
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        rounds,
        seconds: begin.elapsed().as_secs_f64(),
        summary: summary::answers(&lines),
        lines,
    };
    println!("{}", terminal::tables(&report));
    std::fs::write(&options.json, serde_json::to_string_pretty(&report)?)?;
    std::fs::write(&options.html, html::page(&report)?)?;
    println!("{} and {}", options.html.display(), options.json.display());
    Ok(())
}

/// By row, then by contender, in the order of their first appearance.
pub(crate) type Values = BTreeMap<String, Vec<(String, Vec<f64>)>>;

/// Adds a figure.
pub(crate) fn add(values: &mut Values, row: &str, contender: &str, value: f64) {
    let of_row = values.entry(row.to_owned()).or_default();
    match of_row.iter_mut().find(|(name, _)| name == contender) {
        Some((_, all)) => all.push(value),
        None => of_row.push((contender.to_owned(), vec![value])),
    }
}

/// Gives the figures, and how many rounds there were.
fn measure(plan: &[Item], rounds: usize, enough: Option<Duration>) -> (Values, usize) {
    let steps = |item: &Item| item.contenders.len() * if item.once { 1 } else { rounds };
    let bar = ProgressBar::new(plan.iter().map(steps).sum::<usize>() as u64);
    let style = ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos}/{len}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let (begin, mut values, mut done) = (Instant::now(), Values::new(), 0);
    for round in 0..rounds {
        if round > 0 && enough.is_some_and(|enough| begin.elapsed() > enough) {
            break;
        }
        for item in plan.iter().filter(|item| round == 0 || !item.once) {
            for turn in 0..item.contenders.len() {
                // The first round in the order of the tables, so that the report keeps it.
                let contender = item.contenders[(turn + round) % item.contenders.len()];
                let title = item.rows.first().map_or("", |(_, row)| &row.title);
                bar.set_message(format!("{}: {title}", contender.name()));
                match item.job.run(contender) {
                    Ok(figures) => keep(&mut values, item, contender, figures),
                    Err(error) => bar.println(format!("{}: {title}: {error}", contender.name())),
                }
                bar.inc(1);
            }
        }
        done = round + 1;
    }
    bar.finish_and_clear();
    (values, done)
}

fn keep(values: &mut Values, item: &Item, contender: Contender, figures: Vec<(String, f64)>) {
    for (name, value) in figures {
        for (_, row) in item.rows.iter().filter(|(figure, _)| *figure == name) {
            add(values, &row.id, &contender.name(), value);
        }
    }
}

fn line(row: Row, values: &Values) -> Line {
    let results = values
        .get(&row.id)
        .into_iter()
        .flatten()
        .map(|(contender, values)| {
            let spread = Spread::of(values);
            Result {
                contender: contender.clone(),
                spread,
                values: values.clone(),
                wide: spread.width() > WIDE,
            }
        });
    Line {
        results: results.collect(),
        row,
    }
}
