//! "Which runtime for me", in plain words, limited to what the figures show.

use serde::Serialize;

use super::line::{Line, Result};
use super::number::number;

/// Two medians count as the same if their difference is below this share.
const SAME: f64 = 0.10;

/// A question, and the answer according to the figures of one row.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    pub(crate) question: &'static str,
    pub(crate) row: String,
    pub(crate) answer: String,
}

const QUESTIONS: [(&str, &str); 11] = [
    (
        "Many connections at once, and CPU is what you pay for",
        "echo-64-two-cpu",
    ),
    (
        "The longest waits at a steady 20,000 requests/s",
        "echo-64-open-p99",
    ),
    (
        "Few connections, and every microsecond counts",
        "echo-1-same-p50",
    ),
    ("An HTTP server", "http-64-two-cpu"),
    ("Many short tasks", "spawn-1000"),
    ("Tasks that talk to each other", "wake"),
    ("A million tasks that mostly wait", "task-1M"),
    ("Very many timers", "timers-cpu-100K"),
    ("A blocking call now and then", "blocking-two"),
    ("Files that are read from one end to the other", "file-read"),
    ("Small programs", "program-hello"),
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
                row: line.row.full_title(),
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
    // The results that are worse than the best ones.
    let rest = results.len() - alike.len();
    if rest == 0 {
        let from = format!("{} to {}", number(best.spread.median), value(last));
        let unsteady = results.iter().any(|result| result.wide);
        return Some(if results.len() < 2 {
            format!("{} alone was measured: {}.", best.contender, value(best))
        } else if unsteady {
            format!("No reliable difference (noisy): {from}.")
        } else {
            format!("Any: the figures are near each other, {from}.")
        });
    }
    let names: Vec<&str> = alike
        .iter()
        .map(|result| result.contender.as_str())
        .collect();
    let who = match names.as_slice() {
        [one] => format!("{one}: {}", value(best)),
        [some @ .., one] => format!(
            "{} or {one}, which these figures do not tell apart: from {}",
            some.join(", "),
            value(best)
        ),
        [] => return None,
    };
    Some(format!("{who}. {} has {}.", last.contender, value(last)))
}

/// Returns `true` if the figures do not distinguish the two: the medians are near each other, or
/// the rounds overlap and one is noisy.
fn alike(best: &Result, other: &Result) -> bool {
    let (one, two) = (best.spread, other.spread);
    let near = (one.median - two.median).abs() <= SAME * one.median.max(two.median);
    let overlap = one.most >= two.least && two.most >= one.least;
    near || ((best.wide || other.wide) && overlap)
}

#[cfg(test)]
mod tests {
    use super::super::line::Line;
    use super::super::measure::Figures;
    use super::super::plan::{Row, TASKS};
    use super::answer;

    fn said(figures: &[(&str, &[f64])]) -> String {
        let mut all = Figures::default();
        for (contender, values) in figures {
            for value in *values {
                all.add("row", contender, *value);
            }
        }
        answer(&Line::new(Row::new("row", TASKS, "A row", "ns"), &all)).unwrap()
    }

    #[test]
    fn the_best_is_named_where_it_is_far_from_the_others() {
        let said = said(&[
            ("Tokio", &[100.0]),
            ("Smol", &[200.0]),
            ("Glommio", &[300.0]),
        ]);
        assert_eq!(said, "Tokio: 100 ns. Glommio has 300 ns.");
    }

    #[test]
    fn medians_near_each_other_are_the_same() {
        let said = said(&[
            ("Tokio", &[100.0]),
            ("Smol", &[105.0]),
            ("Glommio", &[300.0]),
        ]);
        assert!(
            said.starts_with("Tokio or Smol, which these figures do not tell apart"),
            "{said}"
        );
    }

    #[test]
    fn unsteady_figures_that_overlap_show_no_difference() {
        let said = said(&[
            ("Tokio", &[50.0, 100.0, 400.0]),
            ("Smol", &[150.0, 200.0, 260.0]),
        ]);
        assert!(said.starts_with("No reliable difference (noisy)"), "{said}");
    }

    #[test]
    fn the_floor_is_no_answer() {
        let said = said(&[
            ("Tokio", &[100.0]),
            ("Smol", &[200.0]),
            ("bare loop", &[1.0]),
        ]);
        assert_eq!(said, "Tokio: 100 ns. Smol has 200 ns.");
    }
}
