//! Tests with a known different result than on Tokio.
//!
//! A line of `different.txt` has the backends, such as `smol,glommio` or `all`, the name of a test,
//! and a reason; `#` starts a comment. A test that only sometimes differs has `sometimes` before
//! its reason.

use std::path::Path;

use crate::Result;

/// A test that differs.
#[derive(Debug)]
pub struct Difference {
    backends: Vec<String>,
    /// The name of the test.
    pub test: String,
    /// Whether it sometimes passes.
    pub sometimes: bool,
}

impl Difference {
    fn is_of(&self, backend: &str) -> bool {
        let mut backends = self.backends.iter();
        backends.any(|name| name == backend || (name == "all" && backend != "reference"))
    }
}

/// The tests that differ.
#[derive(Debug)]
pub struct Different(Vec<Difference>);

impl Different {
    /// Reads a list.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or if a line has no reason.
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

    /// Returns the entry for a test on a backend.
    pub fn find(&self, backend: &str, test: &str) -> Option<&Difference> {
        let mut all = self.0.iter();
        all.find(|difference| difference.test == test && difference.is_of(backend))
    }

    /// Returns the entries for a backend.
    pub fn of<'a>(&'a self, backend: &'a str) -> impl Iterator<Item = &'a Difference> {
        let all = self.0.iter();
        all.filter(move |difference| difference.is_of(backend))
    }
}

/// Returns the lines of a list, without comments.
///
/// # Errors
/// Fails if the file cannot be read.
pub fn lines(path: &Path) -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

/// Returns the first word of a line, and the rest.
///
/// # Errors
/// Fails if there is no rest.
pub fn word<'a>(line: &'a str, path: &Path) -> Result<(&'a str, &'a str)> {
    let (word, rest) = line
        .split_once(char::is_whitespace)
        .ok_or_else(|| format!("{}: `{line}` has no reason", path.display()))?;
    Ok((word, rest.trim_start()))
}
