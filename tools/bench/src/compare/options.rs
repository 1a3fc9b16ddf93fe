//! The command line of `compare`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lexopt::prelude::*;

use crate::fail::fail;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Measures the four runtimes on this machine, and writes a report.

Usage: anyrt-bench compare [options]

  --quick         under 2 minutes: fewer rows, fewer rounds, no programs built
  --native        measure each runtime natively, too
  --rounds N      number of measurements of each row (5; with --quick up to 3)
  --size SIZE     size of the file that is written and read, such as 256M or 1G (1G; with --quick 64M)
  --only WORD     only rows whose group, name or title contains the word, such as echo, memory or file
  --limit SECONDS time limit of one measurement (120)
  --html FILE     the report (anyrt-compare.html)
  --json FILE     the figures (anyrt-compare.json)
  --write         also replace the figures in docs/en/performance.md and its translation
  --check         only build the small programs, and fail if one exceeds its budget relative to the native one

For reliable figures, use an otherwise idle machine. The report shows the load before and after.";

/// The command line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) native: bool,
    pub(crate) rounds: usize,
    pub(crate) size: u64,
    pub(crate) only: Option<String>,
    pub(crate) limit: Duration,
    pub(crate) html: PathBuf,
    pub(crate) json: PathBuf,
    pub(crate) write: bool,
    pub(crate) check: bool,
}

impl Options {
    /// Parses the command line. Returns `None` if it asks for help.
    pub(crate) fn read(args: &mut lexopt::Parser) -> Result<Option<Self>> {
        let mut options = Self {
            quick: false,
            native: false,
            rounds: 0,
            size: 0,
            only: None,
            limit: Duration::from_secs(120),
            html: "anyrt-compare.html".into(),
            json: "anyrt-compare.json".into(),
            write: false,
            check: false,
        };
        let (mut rounds, mut size) = (None, None);
        while let Some(arg) = args.next()? {
            match arg {
                Long("quick") => options.quick = true,
                Long("native") => options.native = true,
                Long("rounds") => rounds = Some(at_least_one("--rounds", args)?),
                Long("size") => size = Some(bytes(&args.value()?.string()?)?),
                Long("only") => options.only = Some(args.value()?.string()?.to_lowercase()),
                Long("limit") => {
                    options.limit = Duration::from_secs(at_least_one("--limit", args)? as u64);
                }
                Long("html") => options.html = args.value()?.into(),
                Long("json") => options.json = args.value()?.into(),
                Long("write") => options.write = true,
                Long("check") => options.check = true,
                Long("help") | Short('h') => {
                    println!("{HELP}");
                    return Ok(None);
                }
                other => return Err(other.unexpected().into()),
            }
        }
        let usual = Self::usual(options.quick);
        options.rounds = rounds.unwrap_or(usual.0);
        options.size = size.unwrap_or(usual.1);
        Ok(Some(options))
    }

    /// Formats the command line again, without the paths of the report.
    pub(crate) fn command(&self) -> String {
        let mut command = "compare".to_owned();
        for (given, option) in [(self.quick, " --quick"), (self.native, " --native")] {
            command.push_str(if given { option } else { "" });
        }
        let usual = Self::usual(self.quick);
        if self.rounds != usual.0 {
            command.push_str(&format!(" --rounds {}", self.rounds));
        }
        if self.size != usual.1 {
            command.push_str(&format!(" --size {}", self.size));
        }
        if let Some(word) = &self.only {
            command.push_str(&format!(" --only {word}"));
        }
        command
    }

    /// Returns the default number of rounds and size of the file.
    const fn usual(quick: bool) -> (usize, u64) {
        if quick { (3, 64 << 20) } else { (5, 1 << 30) }
    }

    /// Fails now rather than after all measurements.
    pub(crate) fn can_write(&self) -> Result<()> {
        for file in [&self.html, &self.json] {
            let directory = match file.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            if file.is_dir() {
                return Err(fail(format!("{} is a directory", file.display())));
            }
            if !directory.is_dir() {
                return Err(fail(format!("no directory {}", directory.display())));
            }
        }
        Ok(())
    }
}

fn at_least_one(option: &str, args: &mut lexopt::Parser) -> Result<usize> {
    let value = args.value()?.string()?;
    match value.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err(fail(format!(
            "{option} takes a number from 1 on, not `{value}`"
        ))),
    }
}

/// Parses `64M`, `1GiB`, or a plain number of bytes.
fn bytes(text: &str) -> Result<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(0),
        "k" | "kb" | "kib" => Some(10),
        "m" | "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        _ => None,
    };
    let size = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << shift));
    match size {
        Some(size @ 1..) => Ok(size),
        _ => Err(fail(format!(
            "--size takes a size such as 256M or 1G, not `{text}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, bytes};

    fn read(args: &[&str]) -> super::Result<Option<Options>> {
        Options::read(&mut lexopt::Parser::from_args(args))
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [
            ("1", 1),
            ("4096b", 4096),
            ("64K", 64 << 10),
            ("256M", 256 << 20),
            ("1g", 1 << 30),
            ("1GiB", 1 << 30),
            ("2GB", 2 << 30),
        ] {
            assert_eq!(bytes(text).unwrap(), size, "{text}");
        }
    }

    #[test]
    fn a_bad_argument_is_told() {
        for (args, told) in [
            (vec!["--size", "huge"], "`huge`"),
            (vec!["--size", "0"], "`0`"),
            (vec!["--size", "1.5G"], "`1.5G`"),
            (vec!["--size", "99999999999G"], "`99999999999G`"),
            (vec!["--size"], "--size"),
            (vec!["--rounds", "0"], "--rounds takes a number from 1 on"),
            (vec!["--rounds", "-3"], "-3"),
            (vec!["--fast"], "--fast"),
            (vec!["quick"], "quick"),
        ] {
            let error = read(&args).unwrap_err().to_string();
            assert!(error.contains(told), "{args:?}: {error}");
        }
    }

    #[test]
    fn quick_takes_less_unless_more_is_asked_for() {
        let quick = read(&["--quick"]).unwrap().unwrap();
        assert_eq!((quick.rounds, quick.size), (3, 64 << 20));
        let more = read(&["--quick", "--rounds", "7", "--size", "1G"]);
        let more = more.unwrap().unwrap();
        assert_eq!((more.rounds, more.size), (7, 1 << 30));
    }

    #[test]
    fn the_command_tells_what_was_asked_for_and_not_where_it_went() {
        let args = [
            "--native",
            "--html",
            "/tmp/x.html",
            "--write",
            "--rounds",
            "2",
        ];
        let options = read(&args).unwrap().unwrap();
        assert_eq!(options.command(), "compare --native --rounds 2");
    }
}
