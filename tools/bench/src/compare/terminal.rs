//! The tables in the terminal.

use std::fmt::Write as _;

use super::line::Line;
use super::number::{number, times};
use super::report::Report;

/// Returns the groups in their order, each with its lines.
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

/// Returns the contenders of some lines, in the order of their first appearance, the floors last.
pub(crate) fn contenders<'a>(lines: &[&'a Line]) -> Vec<&'a str> {
    let mut names: Vec<(bool, &str)> = Vec::new();
    for result in lines.iter().flat_map(|line| &line.results) {
        let name = (result.is_floor(), result.contender.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|(floor, _)| *floor);
    names.into_iter().map(|(_, name)| name).collect()
}

/// Formats a cell: the figure, and its ratio to the floor.
pub(crate) fn cell(line: &Line, contender: &str) -> String {
    line.of(contender).map_or_else(String::new, |result| {
        let mark = if result.wide { "!" } else { "" };
        let floor = result
            .of_floor
            .map_or_else(String::new, |ratio| format!(" ({})", times(ratio)));
        format!("{}{mark}{floor}", number(result.spread.median))
    })
}

/// Formats all tables, and the summary.
pub(crate) fn tables(report: &Report) -> String {
    let mut text = format!("{}\n", report.machine.line());
    let _ = writeln!(text, "{}", report.machine.versions_line());
    for (group, lines) in groups(report) {
        table(&mut text, group, &lines);
    }
    let _ = write!(
        text,
        "\nMedians; rounds: {}; ! = the rounds lie more than 15 % apart, so take it for an order of magnitude.\n\
         In brackets: how many times the floor, which is in the last columns.\n",
        report.rounds
    );
    for remark in &report.remarks {
        let _ = writeln!(text, "{remark}");
    }
    for answer in &report.summary {
        let _ = write!(text, "\n{}\n  {}\n", answer.question, answer.answer);
    }
    if !report.failures.is_empty() {
        text.push_str("\nNot measured:\n");
        for failure in &report.failures {
            let _ = writeln!(text, "  {failure}");
        }
    }
    text
}

fn table(text: &mut String, group: &str, lines: &[&Line]) {
    let length = |text: &str| text.chars().count();
    let title = |line: &Line| {
        let indent = if line.row.part.is_some() { "  " } else { "" };
        format!("{indent}{}, {}", line.row.title, line.row.unit)
    };
    let first = lines.iter().map(|line| length(&title(line))).max();
    let first = first.unwrap_or(0).max(length(group));
    let columns: Vec<(&str, usize)> = contenders(lines)
        .into_iter()
        .map(|name| {
            let cells = lines.iter().map(|line| length(&cell(line, name)));
            (name, cells.max().unwrap_or(0).max(length(name)))
        })
        .collect();
    let _ = write!(text, "\n{group:first$}");
    for (name, width) in &columns {
        let _ = write!(text, "  {name:>width$}");
    }
    text.push('\n');
    let mut part: &Option<String> = &None;
    for line in lines {
        if line.row.part != *part {
            part = &line.row.part;
            let _ = writeln!(text, "{}", part.as_deref().unwrap_or_default());
        }
        let _ = write!(text, "{:first$}", title(line));
        for (name, width) in &columns {
            let _ = write!(text, "  {:>width$}", cell(line, name));
        }
        text.push('\n');
    }
}
