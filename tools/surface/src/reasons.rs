//! The reasons for missing and different items.
//!
//! A line is `item -- reason`; `#` starts a comment. The item is a path below `tokio`, such as
//! `net::TcpListener::bind`, whose last name may be `impl AsFd`. It is preceded by `signature` if
//! the signature differs, or by `auto` and followed by the trait. A path that ends in `*` matches
//! all paths with that beginning.

use std::path::Path;

/// All reasons.
pub struct Reasons(Vec<(String, String)>);

impl Reasons {
    pub fn read(path: &Path) -> Result<Self, String> {
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

    /// Returns the reason for an item.
    pub fn of(&self, what: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(pattern, _)| matches(pattern, what));
        found.map(|(_, why)| why.as_str())
    }

    /// Returns the reasons that apply to none of these items.
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
