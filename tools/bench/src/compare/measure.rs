//! Runs the plan, round by round.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::job::{Contender, Setting};
use super::options::Options;
use super::plan::Item;

/// With `--quick`, no round begins after this time.
const QUICK_ENOUGH: Duration = Duration::from_secs(60);

/// A measurement without figures.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    pub(crate) contender: String,
    pub(crate) row: String,
    pub(crate) error: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.contender, self.row, self.error)
    }
}

/// The measurements so far.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// By row, then by contender, in the order of their first appearance.
    values: BTreeMap<String, Vec<(String, Vec<f64>)>>,
    pub(crate) failures: Vec<Failure>,
}

impl Figures {
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn of(&self, row: &str) -> &[(String, Vec<f64>)] {
        self.values.get(row).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn add(&mut self, row: &str, contender: &str, value: f64) {
        let of_row = self.values.entry(row.to_owned()).or_default();
        match of_row.iter_mut().find(|(name, _)| name == contender) {
            Some((_, all)) => all.push(value),
            None => of_row.push((contender.to_owned(), vec![value])),
        }
    }

    /// Runs all measurements; returns the number of rounds.
    pub(crate) fn measure(&mut self, plan: &[Item], setting: &Setting, options: &Options) -> usize {
        let rounds = options.rounds;
        let steps = |item: &Item| item.contenders.len() * if item.once { 1 } else { rounds };
        let steps: usize = plan.iter().map(steps).sum();
        let bar = bar(steps as u64);
        if !std::io::stderr().is_terminal() {
            eprintln!("measuring {steps} times, in {rounds} rounds");
        }
        let (begin, mut done) = (Instant::now(), 0);
        let mut failed = BTreeSet::new();
        for round in 0..rounds {
            if round > 0 && options.quick && begin.elapsed() > QUICK_ENOUGH {
                break;
            }
            for (index, item) in plan.iter().enumerate() {
                if item.once && round > 0 {
                    continue;
                }
                for turn in 0..item.contenders.len() {
                    // The first round follows the order of the tables, which the report keeps.
                    let which = (turn + round) % item.contenders.len();
                    // A measurement that hung once may hang again and take the time of all others.
                    if !failed.contains(&(index, which))
                        && let Err(failure) = self.once(item, item.contenders[which], setting, &bar)
                    {
                        bar.println(failure.to_string());
                        self.failures.push(failure);
                        failed.insert((index, which));
                    }
                    bar.inc(1);
                }
            }
            done = round + 1;
        }
        bar.finish_and_clear();
        done
    }

    fn once(
        &mut self,
        item: &Item,
        contender: Contender,
        setting: &Setting,
        bar: &ProgressBar,
    ) -> Result<(), Failure> {
        let title = item.rows.first().map(|(_, row)| row.what());
        let title = title.unwrap_or_default();
        bar.set_message(format!("{}: {title}", contender.name()));
        let figures = item.job.run(contender, setting).map_err(|error| Failure {
            contender: contender.name(),
            row: title,
            error: error.to_string(),
        })?;
        for (name, value) in figures {
            for (_, row) in item.rows.iter().filter(|(figure, _)| *figure == name) {
                self.add(&row.id, &contender.name(), value);
            }
        }
        Ok(())
    }
}

fn bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    let template = "{elapsed:>4} {bar:30} {pos}/{len}, {eta} to go  {wide_msg}";
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
