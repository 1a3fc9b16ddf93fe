//! The sources of Tokio's tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyrt_tokio_suite::Result;
use serde_json::Value;

/// The areas, each of which is compiled into one program.
pub(crate) const AREAS: [&str; 11] = [
    "fs", "io", "macros", "net", "process", "rt", "signal", "sync", "task", "time", "types",
];

/// The files of Tokio's tests, by name without `.rs`.
pub struct Tests {
    /// Their directory.
    pub dir: PathBuf,
    /// The version of Tokio.
    pub version: String,
    sources: BTreeMap<String, String>,
}

impl Tests {
    /// Gets the directory of the `tokio` in `Cargo.lock` from cargo.
    pub fn find(root: &Path) -> Result<Self> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cargo metadata: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let metadata: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let tokio = metadata["packages"]
            .as_array()
            .and_then(|all| all.iter().find(|package| package["name"] == "tokio"))
            .ok_or("there is no tokio in Cargo.lock")?;
        let manifest = tokio["manifest_path"].as_str().unwrap_or_default();
        let dir = Path::new(manifest).with_file_name("tests");
        let mut sources = BTreeMap::new();
        let entries =
            std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if let (Some("rs"), Some(name)) = (
                path.extension().and_then(|extension| extension.to_str()),
                path.file_stem().and_then(|name| name.to_str()),
            ) {
                let source = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                sources.insert(name.to_owned(), source);
            }
        }
        Ok(Self {
            dir,
            version: tokio["version"].as_str().unwrap_or_default().to_owned(),
            sources,
        })
    }

    /// Returns the directory of their package.
    pub fn package(&self) -> &Path {
        self.dir.parent().unwrap_or(&self.dir)
    }

    /// Returns their names, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// Returns the text of a file.
    pub fn source(&self, file: &str) -> Result<&str> {
        let source = self.sources.get(file).map(String::as_str);
        source.ok_or_else(|| format!("{file}: no such file in Tokio's tests"))
    }
}

/// Returns the area of a file.
pub fn area(file: &str) -> Option<&'static str> {
    const BY_PREFIX: [(&str, &str); 26] = [
        ("async_send_sync", "types"),
        ("unwindsafe", "types"),
        ("_require_full", "types"),
        ("buffered", "io"),
        ("duplex_stream", "io"),
        ("coop_budget", "rt"),
        ("dump", "rt"),
        ("no_rt", "rt"),
        ("join_handle_panic", "task"),
        ("test_clock", "time"),
        ("tracing_", "rt"),
        ("unix_", "net"),
        ("fs", "fs"),
        ("io_", "io"),
        ("macros_", "macros"),
        ("net_", "net"),
        ("tcp_", "net"),
        ("udp", "net"),
        ("uds_", "net"),
        ("process_", "process"),
        ("rt_", "rt"),
        ("signal_", "signal"),
        ("sync_", "sync"),
        ("task_", "task"),
        ("time_", "time"),
        ("wasm", "rt"),
    ];
    let found = BY_PREFIX
        .iter()
        .find(|(prefix, _)| file.starts_with(prefix));
    found.map(|(_, area)| *area)
}

/// Returns the outermost function around a line (counted from 1), if there is one.
pub fn function_at(source: &str, line: usize) -> Option<&str> {
    let lines: Vec<_> = source.lines().collect();
    let mut at = line.checked_sub(1)?;
    // An error in an attribute belongs to the function below it.
    while lines.get(at)?.trim_start().starts_with("#[") {
        at += 1;
    }
    let mut found = function_on(lines[at]);
    let mut outermost = indentation(lines[at]);
    for line in lines[..at].iter().rev() {
        if !line.trim().is_empty() && indentation(line) < outermost {
            outermost = indentation(line);
            found = function_on(line).or(found);
        }
    }
    found
}

/// Returns `true` if the file has something with that name to exclude.
pub fn has(source: &str, name: &str) -> bool {
    source
        .lines()
        .any(|line| function_on(line) == Some(name) || is_call_with(line, name))
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn function_on(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        if let Some(name) = rest.strip_prefix("fn ") {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_')?;
            return Some(&name[..end]);
        }
        let word = ["pub ", "pub(crate) ", "async ", "unsafe ", "const "]
            .iter()
            .find(|word| rest.starts_with(**word))?;
        rest = &rest[word.len()..];
    }
}

/// Returns `true` if the line is a macro call, such as `assert_value!(…);`, that contains the word.
fn is_call_with(line: &str, word: &str) -> bool {
    let line = line.trim();
    let called = line.split_once("!(").is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    });
    called
        && line.ends_with(");")
        && line
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|part| part == word)
}

/// Returns the text without these functions, or macro calls with these words. The line numbers are
/// kept.
pub fn without(source: &str, functions: &BTreeSet<String>) -> String {
    let lines: Vec<_> = source.lines().collect();
    let mut out: BTreeMap<usize, String> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        let called = || functions.iter().any(|word| is_call_with(line, word));
        if function_on(line).is_some_and(|name| functions.contains(name)) || called() {
            let attributes = lines[..at].iter().rev();
            let first = at - attributes.take_while(|line| is_attribute(line)).count();
            out.insert(first, format!("#[cfg(any())] {}", lines[first]));
        }
    }
    let lines = lines.into_iter().enumerate();
    let kept: Vec<_> = lines
        .map(|(at, line)| out.get(&at).map_or(line, String::as_str))
        .collect();
    kept.join("\n")
}

fn is_attribute(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[") || line.starts_with("///")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{area, function_at, without};

    const SOURCE: &str = "\
use tokio::net;

#[tokio::test]
#[cfg(unix)]
async fn first() {
    fn inner() {
        call();
    }
    inner();
}

assert_value!(Wrapped<First>: Send);
assert_value!(First: Send);
rt_test! {
    #[test]
    fn second() {
        call();
    }
}
";

    #[test]
    fn the_outermost_function_is_found() {
        for (line, name) in [
            (1, None),
            (3, Some("first")),
            (5, Some("first")),
            (7, Some("first")),
            (9, Some("first")),
            (12, None),
            (13, None),
            (15, Some("second")),
            (17, Some("second")),
        ] {
            assert_eq!(function_at(SOURCE, line), name, "line {line}");
        }
    }

    #[test]
    fn functions_are_taken_out_with_their_attributes() {
        let names = ["first", "second", "First"].map(str::to_owned);
        let text = without(SOURCE, &BTreeSet::from(names));
        assert!(text.contains("#[cfg(any())] #[tokio::test]\n#[cfg(unix)]"));
        assert!(text.contains("#[cfg(any())]     #[test]\n    fn second"));
        assert!(text.contains("\n#[cfg(any())] assert_value!(W"));
        assert!(text.contains("\n#[cfg(any())] assert_value!(F"));
        assert_eq!(text.lines().count(), SOURCE.lines().count());
    }

    #[test]
    fn every_file_has_an_area() {
        assert_eq!(area("tcp_accept"), Some("net"));
        assert_eq!(area("of_a_later_version"), None);
    }
}
