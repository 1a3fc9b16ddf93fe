//! The package in which the tests are compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyrt_tokio_suite::Result;
use serde_json::Value;

use crate::args::Args;
use crate::lists::Excluded;
use crate::source::{self, AREAS, Tests};

const FEATURES: &str = "\"full\", \"test-util\"";

/// A separate package under the target directory.
pub struct Package {
    dir: PathBuf,
    target: PathBuf,
}

/// The result of a build.
pub struct Built {
    /// The program of each area.
    pub programs: BTreeMap<&'static str, PathBuf>,
    /// The parts of files that could not be compiled.
    pub failed: BTreeMap<String, Failed>,
}

/// The parts of a file that did not compile.
#[derive(Default)]
pub struct Failed {
    /// The whole file.
    pub whole: bool,
    /// These functions.
    pub functions: BTreeSet<String>,
    /// The messages of the compiler.
    pub errors: BTreeSet<String>,
}

impl Package {
    pub fn new(root: &Path, target: PathBuf, tests: &Tests, reference: bool) -> Result<Self> {
        let (name, dependency) = if reference {
            let version = &tests.version;
            let dependency =
                format!("tokio = {{ version = \"={version}\", features = [{FEATURES}] }}");
            ("tokio-suite-reference", dependency)
        } else {
            let path = root.join("crates/anyrt");
            let glommio = if cfg!(target_os = "linux") {
                ", \"glommio\""
            } else {
                ""
            };
            let dependency = format!(
                "tokio = {{ package = \"anyrt\", path = {path:?}, \
                 features = [{FEATURES}, \"tokio\", \"smol\", \"async-std\"{glommio}] }}"
            );
            ("tokio-suite", dependency)
        };
        let dir = target.join(name);
        let manifest = include_str!("../suite.toml")
            .replace("NAME", name)
            .replace("PACKAGE", &dependency)
            .replace("DEBUG", &debug());
        let targets: String = AREAS
            .iter()
            .map(|area| format!("\n[[test]]\nname = \"{area}\"\npath = \"areas/{area}.rs\"\n"))
            .collect();
        write(&dir.join("src/lib.rs"), "")?;
        write(&dir.join("Cargo.toml"), &(manifest + &targets))?;
        // The versions with which the project itself is tested.
        if !dir.join("Cargo.lock").exists() {
            fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock"))
                .map_err(|error| error.to_string())?;
        }
        Ok(Self { dir, target })
    }

    /// Builds the areas of the files. Parts that do not compile are left out and reported.
    pub fn build(&self, args: &Args, tests: &Tests, excluded: &Excluded) -> Result<Built> {
        let mut failed = BTreeMap::<String, Failed>::new();
        loop {
            let mut areas = BTreeSet::new();
            for area in AREAS {
                let files = args
                    .files
                    .iter()
                    .filter(|file| source::area(file) == Some(area));
                let files: Vec<_> = files
                    .filter(|file| {
                        !excluded.has(file) && !failed.get(*file).is_some_and(|failed| failed.whole)
                    })
                    .collect();
                if !files.is_empty() {
                    areas.insert(area);
                    self.write_area(area, &files, tests, excluded, &failed)?;
                } else if !self
                    .dir
                    .join("areas")
                    .join(area)
                    .with_extension("rs")
                    .exists()
                {
                    write(&self.dir.join("areas").join(area).with_extension("rs"), "")?;
                }
            }
            if areas.is_empty() {
                return Ok(Built {
                    programs: BTreeMap::new(),
                    failed,
                });
            }
            let (programs, errors) = self.cargo(&areas)?;
            if errors.is_empty() {
                return Ok(Built { programs, failed });
            }
            self.leave_out(errors, tests, excluded, &mut failed)?;
        }
    }

    fn write_area(
        &self,
        area: &str,
        files: &[&String],
        tests: &Tests,
        excluded: &Excluded,
        failed: &BTreeMap<String, Failed>,
    ) -> Result<()> {
        let mut root = String::from("#![allow(warnings)]\nuse tokio::*;\n");
        for file in files {
            let mut functions = excluded.functions(file);
            if let Some(failed) = failed.get(*file) {
                functions.extend(failed.functions.iter().cloned());
            }
            let path = if functions.is_empty() {
                tests.dir.join(file).with_extension("rs")
            } else {
                self.write_part(file, tests, &functions)?
            };
            let _ = write!(root, "#[path = {path:?}]\nmod {file};\n");
        }
        write(
            &self.dir.join("areas").join(area).with_extension("rs"),
            &root,
        )
    }

    /// Writes a copy of the file without the functions, next to copies of the files that it
    /// includes.
    fn write_part(
        &self,
        file: &str,
        tests: &Tests,
        functions: &BTreeSet<String>,
    ) -> Result<PathBuf> {
        let parts = self.dir.join("parts");
        let path = parts.join(file).with_extension("rs");
        write(&path, &source::without(tests.source(file)?, functions))?;
        let support = tests.dir.join("support");
        let entries =
            fs::read_dir(&support).map_err(|error| format!("{}: {error}", support.display()))?;
        for entry in entries.flatten() {
            let text = fs::read_to_string(entry.path()).map_err(|error| error.to_string())?;
            write(&parts.join("support").join(entry.file_name()), &text)?;
        }
        Ok(path)
    }

    fn cargo(
        &self,
        areas: &BTreeSet<&'static str>,
    ) -> Result<(BTreeMap<&'static str, PathBuf>, Vec<Failure>)> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--keep-going",
            "--message-format",
            "json",
        ]);
        for area in areas {
            cargo.args(["--test", area]);
        }
        let output = cargo
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", &self.target)
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        let (mut programs, mut errors, mut elsewhere) =
            (BTreeMap::new(), Vec::new(), String::new());
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let Ok(message) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            let target = message["target"]["name"].as_str().unwrap_or_default();
            if let (Some(area), Some(program)) = (areas.get(target), message["executable"].as_str())
            {
                programs.insert(*area, PathBuf::from(program));
            } else if message["message"]["level"] == "error" {
                match self.failure(&message["message"]) {
                    Some(failure) => errors.push(failure),
                    None => {
                        elsewhere += message["message"]["rendered"].as_str().unwrap_or_default()
                    }
                }
            }
        }
        if output.status.success() || !errors.is_empty() {
            return Ok((programs, errors));
        }
        Err(format!(
            "{elsewhere}{}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    fn failure(&self, message: &Value) -> Option<Failure> {
        let spans = message["spans"].as_array()?;
        let (primary, others): (Vec<_>, Vec<_>) =
            spans.iter().partition(|span| span["is_primary"] == true);
        let (file, line) = primary.iter().chain(&others).find_map(|span| place(span))?;
        let label = primary.iter().find_map(|span| span["label"].as_str());
        let text = message["message"].as_str().unwrap_or_default();
        let text = match label.filter(|label| !text.contains(label)) {
            Some(label) => format!("{text}: {label}"),
            None => text.to_owned(),
        };
        Some(Failure { file, line, text })
    }

    fn leave_out(
        &self,
        errors: Vec<Failure>,
        tests: &Tests,
        excluded: &Excluded,
        failed: &mut BTreeMap<String, Failed>,
    ) -> Result<()> {
        let (mut news, mut last) = (false, String::new());
        for Failure { file, line, text } in errors {
            let function = source::function_at(tests.source(&file)?, line);
            let of_file = failed.entry(file.clone()).or_default();
            last = format!("{file}:{line}: {text}");
            of_file.errors.insert(text);
            news |= match function.filter(|name| !excluded.functions(&file).contains(*name)) {
                Some(name) => of_file.functions.insert(name.to_owned()),
                None => !std::mem::replace(&mut of_file.whole, true),
            };
        }
        if news {
            Ok(())
        } else {
            Err(format!(
                "the compiler complains of what is not compiled: {last}"
            ))
        }
    }
}

/// Returns the debug information of the project's own dependencies. The environment has no variable
/// for the dependencies alone.
fn debug() -> String {
    match std::env::var("CARGO_PROFILE_DEV_DEBUG") {
        Ok(level) if level.parse::<u8>().is_ok() || level.parse::<bool>().is_ok() => level,
        Ok(level) => format!("{level:?}"),
        Err(_) => "\"line-tables-only\"".to_owned(),
    }
}

/// An error in one of Tokio's files.
struct Failure {
    file: String,
    line: usize,
    text: String,
}

/// Returns the place of a span in Tokio's tests, followed through macros.
fn place(span: &Value) -> Option<(String, usize)> {
    let path = Path::new(span["file_name"].as_str()?);
    let file = path.file_stem()?.to_str()?;
    let dir = path.parent()?.file_name()?;
    if dir == "tests" || dir == "parts" {
        let line = usize::try_from(span["line_start"].as_u64()?).ok()?;
        return source::area(file).map(|_| (file.to_owned(), line));
    }
    place(span.get("expansion")?.get("span")?)
}

/// Writes a file unless its contents are unchanged, so that it is not compiled again.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(told)?;
    }
    fs::write(path, text).map_err(told)
}
