//! The tables, in the terminal and in the documentation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyrt_bench::{Backend, Row, Via};

use super::budget::Budgets;
use super::probe::{Build, Counts, Measured, Probe};
use crate::docs;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

/// The files with the tables.
pub(super) const DOCUMENTS: [(&str, Language); 2] = [
    ("docs/en/performance.md", Language::English),
    ("docs/zh/performance.md", Language::Chinese),
];

/// The ways in the order of the columns.
fn columns(backend: Backend) -> [Probe; 3] {
    let probe = |via, build| Probe {
        backend,
        via,
        build,
    };
    [
        probe(Via::Generic, Build::Alone),
        probe(Via::Facade, Build::Alone),
        probe(Via::Facade, Build::All),
    ]
}

/// Returns the table of one runtime, in Markdown.
pub(crate) fn of(
    backend: Backend,
    measured: &Measured,
    budgets: &Budgets,
    language: Language,
) -> String {
    let mut text = match language {
        Language::English => format!(
            "| {backend}: instructions per operation | native | traits | facade | facade, all four enabled | allocations: native, facade | |\n"
        ),
        Language::Chinese => format!(
            "| {backend}：每次操作的指令数 | 原生 | traits | facade | facade，四个后端全开 | 分配次数：原生，facade | |\n"
        ),
    };
    text.push_str("|---|---:|---:|---:|---:|---:|---|\n");
    let mut notes = BTreeMap::new();
    for row in Row::ALL {
        let key = row as usize;
        let Some(native) = measured.get(&(Probe::native(backend), key)) else {
            continue;
        };
        let _ = write!(text, "| {} | {}", row.title(), whole(native.instructions));
        let mut above = false;
        for probe in columns(backend) {
            match measured.get(&(probe, key)) {
                Some(counts) => {
                    above |= !budgets.keeps_rule(probe, row, *counts, *native);
                    let _ = write!(text, " | {}", difference(*counts, *native));
                }
                None => text.push_str(" | –"),
            }
        }
        let facade = columns(backend).into_iter().rev().find_map(|probe| {
            measured
                .get(&(probe, key))
                .filter(|_| probe.via == Via::Facade)
        });
        let _ = write!(text, " | {}", allocations(*native, facade.copied()));
        let note = match budgets.reason(Probe::native(backend), row) {
            Some((index, why, why_zh)) if above => {
                let why = if language == Language::English {
                    why
                } else {
                    why_zh
                };
                let number = notes.len() + 1;
                let (number, _) = *notes.entry(index).or_insert((number, why.to_owned()));
                format!("[{number}]")
            }
            _ if above => "**above**".to_owned(),
            _ => String::new(),
        };
        let _ = writeln!(text, " | {note} |");
    }
    let mut notes: Vec<_> = notes.into_values().collect();
    notes.sort_unstable();
    if !notes.is_empty() {
        text.push('\n');
    }
    for (number, why) in notes {
        let _ = writeln!(text, "{number}. {why}");
    }
    text
}

pub(super) fn whole(instructions: Option<f64>) -> String {
    instructions.map_or_else(|| "–".to_owned(), |n| format!("{n:.0}"))
}

fn difference(counts: Counts, native: Counts) -> String {
    let Some((counts, native)) = counts.instructions.zip(native.instructions) else {
        return "–".to_owned();
    };
    let difference = counts - native;
    if difference.abs() < 0.5 {
        return "0".to_owned();
    }
    format!("{difference:+.0} ({:+.1} %)", 100.0 * difference / native)
}

fn allocations(native: Counts, facade: Option<Counts>) -> String {
    let each = |counts: Counts| {
        if counts.allocations < 0.005 {
            "0".to_owned()
        } else {
            format!("{:.2} ({:.0} B)", counts.allocations, counts.bytes)
        }
    };
    match facade {
        Some(facade) => format!("{}, {}", each(native), each(facade)),
        None => each(native),
    }
}

/// Writes the tables into the documents.
pub(crate) fn write(
    backends: &[Backend],
    measured: &Measured,
    budgets: &Budgets,
) -> Result<(), Box<dyn std::error::Error>> {
    for (document, language) in DOCUMENTS {
        for &backend in backends {
            let table = of(backend, measured, budgets, language);
            docs::replace(document, &format!("overhead:{backend}"), &table)?;
        }
    }
    Ok(())
}
