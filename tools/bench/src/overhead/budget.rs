//! The budget of each row, and the rows that exceed it.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use anyrt_bench::{Backend, Row, Via};
use serde::Deserialize;

use super::probe::{Build, Counts, Measured, Probe};

/// The allocations that growing tables and queues of a native runtime may add to a slope.
pub(super) const GROWTH: f64 = 0.05;
/// The same for an operation of very many allocations, as a share of native.
const GROWTH_SHARE: f64 = 0.005;
/// The share by which a listed price may be exceeded, because every compiler lays the same source
/// out differently.
const LAYOUT: f64 = 0.03;
const LAYOUT_INSTRUCTIONS: f64 = 25.0;
/// The same for sockets that wait in async-io: its reactor is counted there, whose runs differ by as
/// much as 4 % on one machine.
const REACTOR: f64 = 0.05;
/// The share by which allocations may differ between runs if another thread takes part: the system
/// decides which thread waits. Instructions differ threefold there and are not checked.
const CHANCE: f64 = 0.25;
/// The allocations that depend on time, per operation, except on Tokio: there are more on a slow
/// machine.
const OVER_TIME: f64 = 0.25;

/// `budgets.toml`, written by hand, and `prices.toml`, written by `--bless`.
pub(crate) struct Budgets {
    rules: Rules,
    reasons: Vec<Reason>,
    prices: Prices,
}

/// By runtime, then by row, then by way.
type Prices = BTreeMap<String, BTreeMap<String, BTreeMap<String, Price>>>;

#[derive(Deserialize)]
struct File {
    rule: Rules,
    #[serde(default)]
    reason: Vec<Reason>,
}

#[derive(Deserialize)]
struct Rules {
    alone: Rule,
    all: Rule,
}

/// The allowed difference to native: the larger of a share and a number of instructions.
#[derive(Deserialize)]
struct Rule {
    share: f64,
    instructions: f64,
    /// For rows that poll sockets: the number for each poll.
    poll: f64,
    #[serde(default)]
    rows: BTreeMap<String, f64>,
}

/// The reason why rows cost more than the rule allows.
#[derive(Deserialize)]
struct Reason {
    backends: Vec<String>,
    rows: Vec<String>,
    why: String,
    why_zh: String,
}

/// A measured price, per operation.
#[derive(Deserialize, Clone, Copy)]
struct Price {
    instructions: f64,
    allocations: f64,
}

/// A row above its budget.
pub(crate) struct Violation {
    pub(crate) probe: Probe,
    pub(crate) row: Row,
    what: &'static str,
    measured: f64,
    native: Option<f64>,
    limit: f64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            probe,
            row,
            what,
            measured,
            native,
            limit,
        } = self;
        write!(f, "{} on {probe}: {measured:.1} {what} (", row.name())?;
        if let Some(native) = native {
            write!(f, "native {native:.1}, ")?;
        }
        write!(f, "budget {limit:.1})")
    }
}

impl Budgets {
    pub(crate) fn read() -> Result<Self, Box<dyn std::error::Error>> {
        let file: File = toml::from_str(&std::fs::read_to_string(crate::places::here(
            "budgets.toml",
        ))?)?;
        let prices =
            std::fs::read_to_string(crate::places::here("prices.toml")).unwrap_or_default();
        Ok(Self {
            rules: file.rule,
            reasons: file.reason,
            prices: toml::from_str(&prices)?,
        })
    }

    /// Returns the reason why the row may exceed the rule.
    pub(crate) fn reason(&self, probe: Probe, row: Row) -> Option<(usize, &str, &str)> {
        self.reasons
            .iter()
            .enumerate()
            .find(|(_, reason)| {
                reason
                    .backends
                    .iter()
                    .any(|name| name == probe.backend.name())
                    && reason.rows.iter().any(|name| name == row.name())
            })
            .map(|(index, reason)| (index, reason.why.as_str(), reason.why_zh.as_str()))
    }

    fn price(&self, probe: Probe, row: Row) -> Option<Price> {
        self.reason(probe, row)?;
        let prices = self.prices.get(probe.backend.name())?.get(row.name())?;
        prices.get(&way(probe)).copied()
    }

    /// Returns the allowance of the rule above native.
    fn rule(&self, probe: Probe, row: Row, native: f64) -> f64 {
        let rule = match probe.build {
            Build::Alone => &self.rules.alone,
            Build::All => &self.rules.all,
        };
        let number = match (rule.rows.get(row.name()), row.polls()) {
            (Some(&number), _) => number,
            (None, 1) => rule.instructions,
            (None, polls) => rule.instructions.max(rule.poll * f64::from(polls)),
        };
        number.max(rule.share * native)
    }

    /// Returns `true` if the row keeps the rule, regardless of a listed price.
    pub(crate) fn keeps_rule(
        &self,
        probe: Probe,
        row: Row,
        counts: Counts,
        native: Counts,
    ) -> bool {
        let instructions = match (counts.instructions, native.instructions) {
            (Some(counts), Some(native)) => counts <= native + self.rule(probe, row, native),
            _ => true,
        };
        let allocations = native.allocations + growth(probe, row, native.allocations);
        instructions && counts.allocations <= allocations
    }

    /// Returns the rows that exceed their budgets.
    pub(crate) fn violations(&self, measured: &Measured) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (probe, row, counts, native) in pairs(measured) {
            let price = self.price(probe, row);
            // A row without a limit needs no comparison.
            let mut check =
                |what, measured: f64, native, by_rule: Option<f64>, listed: Option<f64>| {
                    let limits = by_rule.into_iter().chain(listed);
                    if let Some(limit) = limits.reduce(f64::max)
                        && measured > limit
                    {
                        violations.push(Violation {
                            probe,
                            row,
                            what,
                            measured,
                            native,
                            limit,
                        });
                    }
                };
            if let Some(counts) = counts.instructions
                && !row.is_shared()
            {
                let native = native.and_then(|native| native.instructions);
                let by_rule = native.map(|native| native + self.rule(probe, row, native));
                let share = match probe.backend {
                    Backend::Smol | Backend::AsyncStd if row.is_net() => REACTOR,
                    _ => LAYOUT,
                };
                let listed = price.map(|price| {
                    price.instructions + LAYOUT_INSTRUCTIONS.max(share * price.instructions)
                });
                check("instructions", counts, native, by_rule, listed);
            }
            let native = native.map(|native| native.allocations);
            let with_growth = |allocations| allocations + growth(probe, row, allocations);
            let listed = price.map(|price| with_growth(price.allocations));
            check(
                "allocations",
                counts.allocations,
                native,
                native.map(with_growth),
                listed,
            );
        }
        violations
    }

    /// Records the measured price of each row that has a reason and exceeds the rule or varies
    /// between runs, natively or in anyrt.
    pub(crate) fn bless(&mut self, measured: &Measured) -> Result<(), Box<dyn std::error::Error>> {
        for (probe, row, counts, native) in pairs(measured) {
            let rows = self
                .prices
                .entry(probe.backend.name().to_owned())
                .or_default();
            let ways = rows.entry(row.name().to_owned()).or_default();
            ways.remove(&way(probe));
            let (Some(instructions), Some(native)) = (counts.instructions, native) else {
                continue;
            };
            let price = Price {
                instructions: instructions.round(),
                allocations: (counts.allocations * 100.0).round() / 100.0,
            };
            let is_exact = probe.native_is_exact() && !row.is_shared();
            let is_listed = !is_exact || !self.keeps_rule(probe, row, counts, native);
            if self.reason(probe, row).is_some() && is_listed {
                let rows = self
                    .prices
                    .entry(probe.backend.name().to_owned())
                    .or_default();
                rows.entry(row.name().to_owned())
                    .or_default()
                    .insert(way(probe), price);
            }
        }
        let mut text = String::from(
            "# What the rows that have a reason in budgets.toml take, per operation; measured.\n\
             # Written by `cargo run --release -p anyrt-bench -- overhead --bless`.\n",
        );
        for (backend, rows) in &self.prices {
            if rows.values().all(BTreeMap::is_empty) {
                continue;
            }
            writeln!(text, "\n[{backend}]")?;
            for (row, ways) in rows {
                for (way, price) in ways {
                    writeln!(
                        text,
                        "{row}.{way} = {{ instructions = {:?}, allocations = {:?} }}",
                        price.instructions, price.allocations
                    )?;
                }
            }
        }
        std::fs::write(crate::places::here("prices.toml"), text)?;
        Ok(())
    }
}

/// Returns the amount by which this many allocations may be exceeded.
fn growth(probe: Probe, row: Row, allocations: f64) -> f64 {
    let share = if row.is_shared() {
        CHANCE
    } else {
        GROWTH_SHARE
    };
    let few = match probe.backend {
        Backend::Tokio => GROWTH,
        Backend::Smol | Backend::AsyncStd | Backend::Glommio => OVER_TIME,
    };
    few.max(share * allocations)
}

fn way(probe: Probe) -> String {
    format!("{}-{}", probe.via, probe.build.name())
}

/// Returns every figure of anyrt with its native one, if that was measured.
fn pairs(measured: &Measured) -> impl Iterator<Item = (Probe, Row, Counts, Option<Counts>)> + '_ {
    measured
        .iter()
        .filter(|((probe, _), _)| probe.via != Via::Native)
        .map(|(&(probe, row), &counts)| {
            let native = measured.get(&(Probe::native(probe.backend), row));
            (probe, Row::ALL[row], counts, native.copied())
        })
}
