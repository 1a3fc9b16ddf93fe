//! The final report.

use std::collections::BTreeSet;

use anyrt_tokio_suite::different::Different;
use anyrt_tokio_suite::run::{Done, End};

use crate::args::Args;
use crate::lists::Excluded;
use crate::package::Built;
use crate::source::Tests;

/// The numbers of each backend, and notes on single tests.
pub struct Report<'a> {
    built: &'a Built,
    args: &'a Args,
    excluded: &'a Excluded,
    different: &'a Different,
    title: String,
    rows: Vec<String>,
    complaints: Vec<String>,
    reference: bool,
}

impl<'a> Report<'a> {
    pub fn new(
        built: &'a Built,
        args: &'a Args,
        tests: &Tests,
        excluded: &'a Excluded,
        different: &'a Different,
        reference: bool,
    ) -> Self {
        Self {
            built,
            args,
            excluded,
            different,
            title: format!("the tests of Tokio {}", tests.version),
            rows: Vec::new(),
            complaints: Vec::new(),
            reference,
        }
    }

    /// Adds the results of a backend.
    pub fn add(&mut self, backend: &'static str, done: Vec<Done>) {
        let (mut passed, mut failed, mut known) = (0, 0, 0);
        let mut run = BTreeSet::new();
        for Done { name, end, output } in &done {
            run.insert(name.as_str());
            let difference = self.different.find(backend, name);
            let how = match (end, difference) {
                (End::Passed, Some(listed)) if !listed.sometimes => {
                    failed += 1;
                    "passes, but different.txt says that it does not"
                }
                (End::Passed, None) => {
                    passed += 1;
                    continue;
                }
                (_, Some(_)) => {
                    known += 1;
                    continue;
                }
                (End::PassedThen, None) => {
                    passed += 1;
                    "passed on a later try"
                }
                (End::Failed, None) => {
                    failed += 1;
                    "failed"
                }
                (End::TimedOut, None) => {
                    failed += 1;
                    "did not end"
                }
            };
            self.complaints
                .push(format!("{backend}  {name}: {how}{}", self.said(output)));
        }
        // After a partial run nothing is known of the other tests.
        if self.args.filters.is_empty() {
            for listed in self.different.of(backend) {
                let file = listed.test.split("::").next().unwrap_or_default();
                if self.args.files.contains(file)
                    && !self.built.failed.contains_key(file)
                    && !run.contains(listed.test.as_str())
                {
                    failed += 1;
                    self.complaints.push(format!(
                        "{backend}  {}: in different.txt, but there is no such test",
                        listed.test
                    ));
                }
            }
        }
        self.rows
            .push(format!("{backend:<10} {passed:>7} {failed:>7} {known:>16}"));
    }

    fn said(&self, output: &str) -> String {
        if self.args.verbose {
            return format!("\n{output}");
        }
        let mut lines = output.lines();
        let panic = lines.find(|line| line.contains("panicked at"));
        match panic {
            Some(panic) => {
                let place = panic.rsplit('/').next().unwrap_or(panic);
                let message: Vec<_> = lines.take(3).collect();
                format!("\n    {place}\n    {}", message.join("\n    "))
            }
            None => output
                .lines()
                .rev()
                .find(|line| !line.trim().is_empty())
                .map(|last| format!("\n    {last}"))
                .unwrap_or_default(),
        }
    }

    /// Prints the report. Returns `true` if there are no failures.
    pub fn print(&self) -> bool {
        let mut ok = true;
        for complaint in &self.complaints {
            ok &= complaint.contains("later try");
            println!("{complaint}");
        }
        for (file, failed) in &self.built.failed {
            ok = false;
            let what = match failed.whole {
                true => "all of it".to_owned(),
                false => failed
                    .functions
                    .iter()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            println!("not compiled: {file}: {what}");
            for error in &failed.errors {
                println!("    {error}");
            }
        }
        let (files, functions) = self.excluded.len();
        println!("\n{}", self.title);
        println!(
            "{:<10} {:>7} {:>7} {:>16}",
            "", "passed", "failed", "known different"
        );
        for row in &self.rows {
            println!("{row}");
        }
        println!(
            "files not compiled, or in part: {}; left out: {files} files, {functions} functions",
            self.built.failed.len()
        );
        ok || self.reference
    }
}
