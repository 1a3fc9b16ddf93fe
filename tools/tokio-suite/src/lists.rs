//! Excluded files and functions.
//!
//! A line of `excluded.txt` has a name and a reason; `#` starts a comment. The name is `file`,
//! `file::function`, or `file::Word` for macro calls that contain that word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyrt_tokio_suite::Result;
use anyrt_tokio_suite::different::{lines, word};

use crate::source::{self, Tests};

/// The excluded parts.
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

    /// Returns the excluded functions of a file.
    pub fn functions(&self, file: &str) -> BTreeSet<String> {
        self.functions.get(file).cloned().unwrap_or_default()
    }

    /// Returns the numbers of files and functions.
    pub fn len(&self) -> (usize, usize) {
        let functions = self.functions.values().map(BTreeSet::len).sum();
        (self.files.len(), functions)
    }
}
