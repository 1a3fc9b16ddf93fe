//! What is told of beforehand: files and functions that are left out, and tests that differ.
//!
//! A line is a name, spaces, and a reason; `#` starts a comment. In `excluded.txt` the name is `file`,
//! `file::function`, or `file::Word` for the macro calls with that word in them. In `different.txt` it is
//! `file::test`, and before the name are the backends, as `smol,glommio` or `all`; a test that differs now and then
//! only has `sometimes` before its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Result;
use crate::source::{self, Tests};

/// What is not compiled.
pub struct Excluded {
    files: BTreeMap<String, String>,
    functions: BTreeMap<String, BTreeSet<String>>,
}

impl Excluded {
    pub fn read(path: &Path, tests: &Tests) -> Result<Self> {
        let mut excluded = Self {
            files: BTreeMap::new(),
            functions: BTreeMap::new(),
        };
        for line in lines(path)? {
            let (name, reason) = word(&line, path)?;
            let (file, function) = match name.split_once("::") {
                Some((file, function)) => (file, Some(function)),
                None => (name, None),
            };
            let source = tests.source(file)?;
            let twice = match function {
                None => excluded.files.insert(file.into(), reason.into()).is_some(),
                Some(function) if source::has(source, function) => {
                    let of_file = excluded.functions.entry(file.into()).or_default();
                    !of_file.insert(function.into())
                }
                Some(function) => return Err(format!("{file}: nothing named {function} in it")),
            };
            if twice {
                return Err(format!("{name} is excluded twice"));
            }
        }
        Ok(excluded)
    }

    pub fn has(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    /// The functions of a file that are left out.
    pub fn functions(&self, file: &str) -> BTreeSet<String> {
        self.functions.get(file).cloned().unwrap_or_default()
    }

    /// How many files and functions there are.
    pub fn len(&self) -> (usize, usize) {
        let functions = self.functions.values().map(BTreeSet::len).sum();
        (self.files.len(), functions)
    }
}

/// A test that does not pass as it does on Tokio.
pub struct Difference {
    backends: Vec<String>,
    /// `file::test`.
    pub test: String,
    /// Whether it passes now and then.
    pub sometimes: bool,
}

impl Difference {
    fn is_of(&self, backend: &str) -> bool {
        let mut backends = self.backends.iter();
        backends.any(|name| name == backend || (name == "all" && backend != "reference"))
    }
}

/// The tests that differ.
pub struct Different(Vec<Difference>);

impl Different {
    pub fn read(path: &Path) -> Result<Self> {
        let mut all = Vec::new();
        for line in lines(path)? {
            let (backends, rest) = word(&line, path)?;
            let (test, reason) = word(rest, path)?;
            all.push(Difference {
                backends: backends.split(',').map(str::to_owned).collect(),
                test: test.to_owned(),
                sometimes: reason.starts_with("sometimes "),
            });
        }
        Ok(Self(all))
    }

    pub fn find(&self, backend: &str, test: &str) -> Option<&Difference> {
        let mut all = self.0.iter();
        all.find(|difference| difference.test == test && difference.is_of(backend))
    }

    /// What there is for a backend.
    pub fn of<'a>(&'a self, backend: &'a str) -> impl Iterator<Item = &'a Difference> {
        let all = self.0.iter();
        all.filter(move |difference| difference.is_of(backend))
    }
}

fn lines(path: &Path) -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

fn word<'a>(line: &'a str, path: &Path) -> Result<(&'a str, &'a str)> {
    let (word, rest) = line
        .split_once(char::is_whitespace)
        .ok_or_else(|| format!("{}: `{line}` has no reason", path.display()))?;
    Ok((word, rest.trim_start()))
}
