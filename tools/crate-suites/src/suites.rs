//! The crates, and the workspace in which their tests are built.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyrt_tokio_suite::Result;
use serde_json::Value;

/// A crate whose tests are run.
pub struct Suite {
    pub name: &'static str,
    pub version: &'static str,
    features: &'static str,
    /// The port of the server that its tests need.
    pub server: Option<u16>,
    /// A part of the names of tests that are left out.
    pub without: Option<&'static str>,
}

const fn suite(name: &'static str, version: &'static str, features: &'static str) -> Suite {
    Suite {
        name,
        version,
        features,
        server: None,
        without: None,
    }
}

pub const SUITES: [Suite; 8] = [
    suite("axum", "0.8.9", "http2,macros,multipart,ws"),
    Suite {
        // The files that they read are not published. Neither is the crate with the tests of its
        // sockets.
        without: Some("hpack::test::fixture::"),
        ..suite("h2", "0.4.20", "stream,unstable")
    },
    suite("hyper", "1.12.0", "full"),
    suite("hyper-util", "0.1.21", "full"),
    suite("tokio-stream", "0.1.19", "full"),
    suite("tokio-util", "0.7.20", "full"),
    suite("tower", "0.5.3", "full"),
    Suite {
        server: Some(5433),
        ..suite("tokio-postgres", "0.7.18", "runtime")
    },
];

/// The tests of axum need a feature of its macros, by a dependency that is not published with it.
const FOR_TESTS: &str = "axum-macros = { version = \"0.5\", features = [\"__private\"] }";

/// A workspace of copies of all these crates.
pub struct Tree {
    dir: PathBuf,
    build: PathBuf,
}

impl Tree {
    /// Writes the workspace: with Tokio itself, or with anyrt in its place.
    pub fn write(root: &Path, target: &Path, reference: bool) -> Result<Self> {
        let base = target.join("crate-suites");
        let dir = base.join(if reference { "reference" } else { "patched" });
        let sources = sources(&base.join("fetch"))?;
        for suite in &SUITES {
            let source = sources
                .get(suite.name)
                .ok_or_else(|| format!("cargo does not tell where {} is", suite.name))?;
            copy(source, &dir.join("crates").join(suite.name))?;
        }
        let mut manifest = String::from(
            "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\", \"backends\"]\n\n[patch.crates-io]\n",
        );
        for suite in &SUITES {
            let _ = writeln!(manifest, "{0} = {{ path = \"crates/{0}\" }}", suite.name);
        }
        let tokio = if reference {
            let version = locked_tokio(root)?;
            format!("tokio = {{ version = \"={version}\", features = [\"full\", \"test-util\"] }}")
        } else {
            let patched = target.join("patched");
            let status = Command::new(root.join("scripts/patched-tree"))
                .arg(&patched)
                .stdout(Stdio::null())
                .status()
                .map_err(|error| format!("scripts/patched-tree: {error}"))?;
            if !status.success() {
                return Err("scripts/patched-tree failed".to_owned());
            }
            let _ = writeln!(
                manifest,
                "tokio = {{ path = {:?} }}",
                patched.join("crates/tokio")
            );
            let glommio = if cfg!(target_os = "linux") {
                ", \"glommio\""
            } else {
                ""
            };
            format!(
                "tokio = {{ version = \"1\", features = [\"full\", \"test-util\", \"tokio\", \"smol\", \"async-std\"{glommio}] }}"
            )
        };
        manifest += "\n[profile.dev]\ndebug = false\nincremental = false\n";
        write(&dir.join("Cargo.toml"), &manifest)?;
        let backends = format!(
            "[package]\nname = \"backends\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[dependencies]\n{tokio}\n{FOR_TESTS}\n"
        );
        write(&dir.join("backends/Cargo.toml"), &backends)?;
        write(&dir.join("backends/src/lib.rs"), "")?;
        // The recorded versions; cargo removes the unused ones.
        let lock = dir.join("Cargo.lock");
        let pinned = root.join("tools/crate-suites/suites.lock");
        if !lock.exists() && pinned.exists() {
            fs::copy(&pinned, &lock).map_err(|error| format!("{}: {error}", pinned.display()))?;
        }
        Ok(Self {
            dir,
            build: base.join("build"),
        })
    }

    /// Returns the directory of a suite's package, in which cargo would run its tests.
    pub fn dir_of(&self, suite: &Suite) -> PathBuf {
        self.dir.join("crates").join(suite.name)
    }

    /// Builds the tests. Returns the crate, target and program of each.
    pub fn build(&self, suites: &[&'static Suite]) -> Result<Vec<(&'static str, String, PathBuf)>> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "test",
            "--no-run",
            "--lib",
            "--tests",
            "--quiet",
            "--message-format",
            "json",
            "--package",
            "backends",
        ]);
        let mut features = Vec::new();
        for suite in suites {
            cargo.args(["--package", suite.name]);
            features.extend(
                suite
                    .features
                    .split(',')
                    .map(|feature| format!("{}/{feature}", suite.name)),
            );
        }
        let output = cargo
            .args(["--features", &features.join(",")])
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", &self.build)
            // Warnings of foreign code are of no interest.
            .env("RUSTFLAGS", "--cap-lints allow")
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        let (mut programs, mut errors) = (Vec::new(), String::new());
        for line in output.stdout.split(|byte| *byte == b'\n') {
            let Ok(message) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            let manifest = Path::new(message["manifest_path"].as_str().unwrap_or_default());
            let suite = suites
                .iter()
                .find(|suite| manifest == self.dir_of(suite).join("Cargo.toml"));
            if let (Some(suite), Some(program)) = (suite, message["executable"].as_str()) {
                let target = message["target"]["name"].as_str().unwrap_or_default();
                programs.push((suite.name, target.replace('-', "_"), PathBuf::from(program)));
            } else if message["message"]["level"] == "error" {
                errors += message["message"]["rendered"].as_str().unwrap_or_default();
            }
        }
        if output.status.success() {
            programs.sort();
            Ok(programs)
        } else {
            Err(format!("the tests do not compile:\n{errors}"))
        }
    }
}

/// Returns the directories with the sources of the crates, which cargo downloads and verifies if
/// necessary.
fn sources(dir: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut manifest = String::from(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n[dependencies]\n",
    );
    for suite in &SUITES {
        let _ = writeln!(manifest, "{} = \"={}\"", suite.name, suite.version);
    }
    write(&dir.join("Cargo.toml"), &manifest)?;
    write(&dir.join("src/lib.rs"), "")?;
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--quiet"])
        .args(["--filter-platform", &host()?])
        .current_dir(dir)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| "cargo could not fetch the crates; is there a network?".to_owned())?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages.filter_map(|package| {
        let name = package["name"].as_str()?;
        let version = package["version"].as_str()?;
        let suite = SUITES
            .iter()
            .find(|suite| suite.name == name && suite.version == version)?;
        let dir = Path::new(package["manifest_path"].as_str()?).parent()?;
        Some((suite.name.to_owned(), dir.to_owned()))
    });
    Ok(found.collect())
}

fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not tell its host")?.to_owned())
}

/// Returns the version of Tokio in the workspace's `Cargo.lock`.
fn locked_tokio(root: &Path) -> Result<String> {
    let path = root.join("Cargo.lock");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut lines = text.lines().skip_while(|line| *line != "name = \"tokio\"");
    let version = lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = "));
    let version = version.ok_or("Cargo.lock has no tokio")?;
    Ok(version.trim_matches('"').to_owned())
}

/// Copies a directory, but only files that differ, so that cargo does not rebuild the others.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let told = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(told)?;
    for entry in fs::read_dir(from).map_err(told)?.flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to)?;
        } else if entry.file_name() != "Cargo.lock" && entry.file_name() != ".cargo-ok" {
            let new = fs::read(&path).map_err(told)?;
            if fs::read(&to).is_ok_and(|old| old == new) {
                continue;
            }
            fs::write(&to, new).map_err(|error| format!("{}: {error}", to.display()))?;
        }
    }
    Ok(())
}

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
