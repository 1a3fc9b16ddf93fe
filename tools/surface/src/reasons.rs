//! Why something of Tokio's is not provided, or differs.
//!
//! A line is `what -- why`; `#` starts a comment. What is a path below `tokio`, as `net::TcpListener::bind`, also with
//! `impl AsFd` as its last name; before it is `signature` where that differs, or `auto` with the trait behind the
//! path. One that ends in `*` is for all that begin alike.

use std::path::Path;

use crate::Result;

/// All of them.
pub struct Reasons(Vec<(String, String)>);

impl Reasons {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mut all = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (what, why) = line
                .split_once(" -- ")
                .ok_or_else(|| format!("{}: `{line}` has no reason", path.display()))?;
            all.push((what.trim().to_owned(), why.trim().to_owned()));
        }
        Ok(Self(all))
    }

    /// Why that is so.
    pub fn of(&self, what: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(pattern, _)| matches(pattern, what));
        found.map(|(_, why)| why.as_str())
    }

    /// Those that are for nothing of this.
    pub fn idle<'a>(&'a self, gaps: &'a [String]) -> impl Iterator<Item = &'a str> {
        let all = self.0.iter().map(|(what, _)| what.as_str());
        all.filter(|what| !gaps.iter().any(|gap| matches(what, gap)))
    }
}

fn matches(pattern: &str, what: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => what.starts_with(start),
        None => pattern == what,
    }
}
