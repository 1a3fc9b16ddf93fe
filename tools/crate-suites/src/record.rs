//! The results of the tests on Tokio itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyrt_tokio_suite::Result;
use anyrt_tokio_suite::run::{Done, End};

/// The tests of each crate, and whether they failed. In the file, failed ones are marked with `!`.
#[derive(Default)]
pub struct Record(BTreeMap<String, Crate>);

#[derive(Default)]
struct Crate {
    version: String,
    tests: BTreeMap<String, bool>,
}

impl Record {
    /// Reads the file; without one the record is empty.
    pub fn read(path: &Path) -> Result<Self> {
        let mut record = Self::default();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(record),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let mut name = String::new();
        for line in text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            if let Some((of, version)) = line.split_once(' ') {
                name = of.to_owned();
                version.clone_into(&mut record.0.entry(name.clone()).or_default().version);
            } else {
                let failed = line.starts_with('!');
                let test = format!("{name}::{}", line.trim_start_matches('!'));
                record
                    .0
                    .entry(name.clone())
                    .or_default()
                    .tests
                    .insert(test, failed);
            }
        }
        Ok(record)
    }

    /// Replaces the record of a crate by this run.
    pub fn set(&mut self, name: &str, version: &str, done: Vec<Done>) {
        let tests = done.into_iter().map(|done| {
            let failed = !matches!(done.end, End::Passed | End::PassedThen);
            (done.name, failed)
        });
        let of = Crate {
            version: version.to_owned(),
            tests: tests.collect(),
        };
        self.0.insert(name.to_owned(), of);
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = String::from(
            "# How the tests ended on Tokio itself, `!` before those that failed. Written by `scripts/check patched --record`.\n",
        );
        for (name, of) in &self.0 {
            let _ = writeln!(text, "\n{name} {}", of.version);
            for (test, failed) in &of.tests {
                let test = test.strip_prefix(&format!("{name}::")).unwrap_or(test);
                let _ = writeln!(text, "{}{test}", if *failed { "!" } else { "" });
            }
        }
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Returns whether a test with that name was recorded.
    pub fn has(&self, test: &str) -> bool {
        self.of(test).is_some()
    }

    /// Returns whether it failed.
    pub fn fails(&self, test: &str) -> bool {
        self.of(test) == Some(true)
    }

    /// Returns the tests of a crate.
    pub fn names<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let tests = self.0.get(name).into_iter().flat_map(|of| of.tests.keys());
        tests.map(String::as_str)
    }

    fn of(&self, test: &str) -> Option<bool> {
        let (name, _) = test.split_once("::")?;
        self.0.get(name)?.tests.get(test).copied()
    }
}
