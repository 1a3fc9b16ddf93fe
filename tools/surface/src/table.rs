//! The comparison as a documentation page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::compare::{Comparison, Row};
use crate::reasons::Reasons;

/// Renders the page.
pub fn markdown(comparison: &Comparison, reasons: &Reasons, version: &str) -> String {
    let mut page = format!(
        "# What of Tokio is here\n\n\
         Every public item of Tokio {version} (features `full` and `test-util`), and how much of it anyrt has under the \
         same path: the item itself, its methods, variants and public fields, and the traits that it implements. \
         Written by `scripts/check surface --update` from what rustdoc knows of both; the check fails when this page is \
         stale, when something is missing without a reason, and when a reason is given for what is provided.\n\n\
         {}.\n",
        comparison.summary()
    );
    for (module, rows) in &comparison.0 {
        let title = if module.is_empty() {
            "tokio".to_owned()
        } else {
            format!("tokio::{module}")
        };
        let _ = write!(
            page,
            "\n## `{title}`\n\n| item | | provided | not, or otherwise |\n|---|---|---|---|\n"
        );
        for row in rows {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                row.name,
                row.kind.replace('_', " "),
                provided(row),
                notes(row, reasons)
            );
        }
    }
    page
}

fn provided(row: &Row) -> String {
    match (row.total - row.lost(), row.total) {
        (0, _) => "no".to_owned(),
        (1, 1) => "yes".to_owned(),
        (all, total) if all == total => format!("all {total}"),
        (part, total) => format!("{part} of {total}"),
    }
}

/// Renders the notes, grouped by reason.
fn notes(row: &Row, reasons: &Reasons) -> String {
    let mut by_reason = BTreeMap::<&str, Vec<String>>::new();
    let mut add = |what: &str, shown: String| {
        let why = reasons.of(what).unwrap_or("**no reason is given**");
        by_reason.entry(why).or_default().push(shown);
    };
    let last = |path: &str| {
        format!(
            "`{}`",
            path.rsplit("::").next().unwrap_or(path).replace('|', "\\|")
        )
    };
    for path in &row.missing {
        add(
            path,
            if row.absent() {
                String::new()
            } else {
                last(path)
            },
        );
    }
    for (path, ..) in &row.signatures {
        add(
            &format!("signature {path}"),
            format!("signature of {}", last(path)),
        );
    }
    for (path, _, ours) in &row.auto {
        let name = path.rsplit(' ').next().unwrap_or(path);
        let not = if ours == "no" { "not " } else { "" };
        add(&format!("auto {path}"), format!("{not}`{name}`"));
    }
    let notes = by_reason.iter().map(|(why, what)| match what.join(", ") {
        what if what.is_empty() => (*why).to_owned(),
        what => format!("{what}: {why}"),
    });
    notes.collect::<Vec<_>>().join("; ")
}
