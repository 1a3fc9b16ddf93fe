//! The command line.

use std::collections::BTreeSet;
use std::time::Duration;

use anyrt_tokio_suite::Result;
use anyrt_tokio_suite::run::Limits;

use crate::source::{self, AREAS, Tests};

/// The parsed command line.
pub struct Args {
    /// The backends; `reference` is Tokio itself.
    pub backends: Vec<&'static str>,
    /// The files of Tokio's tests.
    pub files: BTreeSet<String>,
    /// Substrings of the names of tests; all tests if empty.
    pub filters: Vec<String>,
    /// How tests are run.
    pub limits: Limits,
    /// Whether to print the whole output of failed tests.
    pub verbose: bool,
}

const BACKENDS: [&str; 5] = ["tokio", "smol", "async-std", "glommio", "reference"];

impl Args {
    pub fn parse(tests: &Tests) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut args = Self {
            backends: Vec::new(),
            files: BTreeSet::new(),
            filters: Vec::new(),
            limits: Limits {
                timeout: Duration::from_secs(60),
                jobs: cores * 2,
            },
            verbose: false,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("{text}: not a number"));
            match word.as_str() {
                "--backend" => {
                    let name = value()?;
                    let known = BACKENDS.into_iter().find(|known| *known == name);
                    args.backends
                        .push(known.ok_or(format!("{name}: no such backend"))?);
                }
                "--reference" => args.backends.push("reference"),
                "--timeout" => args.limits.timeout = Duration::from_secs(number(value()?)?),
                "--jobs" => {
                    args.limits.jobs = usize::try_from(number(value()?)?).unwrap_or(1).max(1)
                }
                "--verbose" => args.verbose = true,
                option if option.starts_with('-') => return Err(format!("{option}: unknown")),
                area if AREAS.contains(&area) => {
                    let of_area = tests
                        .files()
                        .filter(|file| source::area(file) == Some(area));
                    args.files.extend(of_area.map(str::to_owned));
                }
                name => {
                    let file = name.trim_end_matches(".rs");
                    if tests.files().any(|known| known == file) {
                        args.files.insert(file.to_owned());
                    } else {
                        args.filters.push(name.to_owned());
                    }
                }
            }
        }
        if args.files.is_empty() {
            args.files = tests.files().map(str::to_owned).collect();
        }
        if args.backends.is_empty() {
            let here = if cfg!(target_os = "linux") { 4 } else { 3 };
            args.backends = BACKENDS[..here].to_vec();
        }
        Ok(args)
    }

    /// Returns `true` if the test with that name, without its backend, is selected.
    pub fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }
}
