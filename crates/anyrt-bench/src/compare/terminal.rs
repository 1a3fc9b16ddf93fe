//! The tables in the terminal.

use std::fmt::Write as _;

use super::{Line, Report};

/// A number with three significant digits or more.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 10_000.0 => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    grouped.push(' ');
                }
                grouped.push(digit);
            }
            grouped
        }
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The groups in their order, each with its lines.
pub(crate) fn groups(report: &Report) -> Vec<(&'static str, Vec<&Line>)> {
    let mut groups: Vec<(&'static str, Vec<&Line>)> = Vec::new();
    for line in report.lines.iter().filter(|line| !line.results.is_empty()) {
        match groups.iter_mut().find(|(name, _)| *name == line.row.group) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((line.row.group, vec![line])),
        }
    }
    groups
}

/// The contenders of some lines, in the order of their first appearance.
pub(crate) fn contenders<'a>(lines: &[&'a Line]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for line in lines {
        for result in &line.results {
            if !names.contains(&result.contender.as_str()) {
                names.push(result.contender.as_str());
            }
        }
    }
    names
}

/// What a cell says.
pub(crate) fn cell(line: &Line, contender: &str) -> String {
    line.of(contender).map_or_else(String::new, |result| {
        let mark = if result.wide { "!" } else { "" };
        format!("{}{mark}", number(result.spread.median))
    })
}

/// All tables, and the summary.
pub(crate) fn tables(report: &Report) -> String {
    let mut text = format!("{}\n", report.machine.line());
    for (group, lines) in groups(report) {
        let contenders = contenders(&lines);
        let title = |line: &Line| format!("{}, {}", line.row.title, line.row.unit);
        let first = lines
            .iter()
            .map(|line| title(line).chars().count())
            .max()
            .unwrap_or(0);
        let _ = write!(text, "\n{group:first$}");
        for name in &contenders {
            let _ = write!(text, "  {name:>10}");
        }
        text.push('\n');
        for line in lines {
            let _ = write!(text, "{:first$}", title(line));
            for name in &contenders {
                let width = name.chars().count().max(10);
                let _ = write!(text, "  {:>width$}", cell(line, name));
            }
            text.push('\n');
        }
    }
    let _ = write!(
        text,
        "\nMedians; rounds: {}; ! = the rounds lie more than 15 % apart, so take it for an order of magnitude.\n",
        report.rounds
    );
    for answer in &report.summary {
        let _ = write!(text, "\n{}\n  {}\n", answer.question, answer.answer);
    }
    text
}
