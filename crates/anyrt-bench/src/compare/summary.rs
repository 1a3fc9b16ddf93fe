//! "Which runtime for me", in plain words, and no more than the figures show.

use serde::Serialize;

use super::terminal::number;
use super::{Line, Result};

/// Nearer than this, two medians are the same.
const SAME: f64 = 0.10;

/// A question, and what the figures of one row say to it.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) question: &'static str,
    pub(crate) row: String,
    pub(crate) answer: String,
}

const QUESTIONS: [(&str, &str); 8] = [
    (
        "Many connections at once, and CPU is what you pay for",
        "echo-64-two-cpu",
    ),
    (
        "Few connections, and every microsecond counts",
        "echo-1-same-p50",
    ),
    ("An HTTP server", "http-64-cpu"),
    ("Many short tasks", "spawn-1000"),
    ("Tasks that talk to each other", "wake"),
    ("A million tasks that mostly wait", "task-1M"),
    ("Very many timers", "timers-cpu-100K"),
    ("A blocking call now and then", "blocking-two"),
];

const RUNTIMES: [&str; 4] = ["Tokio", "Smol", "async-std", "Glommio"];

/// The answers for which there are figures.
pub(crate) fn answers(lines: &[Line]) -> Vec<Answer> {
    QUESTIONS
        .into_iter()
        .filter_map(|(question, id)| {
            let line = lines.iter().find(|line| line.row.id == id)?;
            Some(Answer {
                question,
                row: line.row.title.clone(),
                answer: answer(line)?,
            })
        })
        .collect()
}

fn answer(line: &Line) -> Option<String> {
    let mut results: Vec<&Result> = line
        .results
        .iter()
        .filter(|result| RUNTIMES.contains(&result.contender.as_str()))
        .collect();
    results.sort_by(|one, two| one.spread.median.total_cmp(&two.spread.median));
    if line.row.higher_is_better {
        results.reverse();
    }
    let (best, last) = (results.first()?, results.last()?);
    let alike: Vec<&&Result> = results
        .iter()
        .filter(|result| alike(best, result))
        .collect();
    let value = |result: &Result| format!("{} {}", number(result.spread.median), line.row.unit);
    Some(if alike.len() == results.len() {
        format!("These figures show no difference: {} on each.", value(best))
    } else {
        let names: Vec<&str> = alike
            .iter()
            .map(|result| result.contender.as_str())
            .collect();
        let (names, alike) = match names.as_slice() {
            [one] => ((*one).to_owned(), ""),
            [some @ .., one] => (
                format!("{} or {one}", some.join(", ")),
                ", which do not differ here",
            ),
            [] => return None,
        };
        format!(
            "{names}{alike}: {}, where {} takes {}.",
            value(best),
            last.contender,
            value(last)
        )
    })
}

/// Whether the figures tell the two apart: medians near each other, or rounds that overlap while one is unsteady.
fn alike(best: &Result, other: &Result) -> bool {
    let (one, two) = (best.spread, other.spread);
    let near = (one.median - two.median).abs() <= SAME * one.median.max(two.median);
    let overlap = one.most >= two.least && two.most >= one.least;
    near || ((best.wide || other.wide) && overlap)
}
