//! `overhead --peers`: the same operations through the other abstraction layers.
//!
//! The peers' programs are in a separate workspace, `peers/`, with a feature for each peer and
//! runtime.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use anyrt_bench::{Backend, Row, Via};
use serde::Deserialize;

use super::budget::GROWTH;
use super::probe::{Build, Counts, Measured, Probe, Probes, in_parallel, none_failed, spinner};
use super::selection::Selection;
use super::table::{DOCUMENTS, Language, whole};
use crate::{docs, fail};

/// The amount by which anyrt may exceed a peer, because every program lays the same source out
/// differently: the larger of the two.
const TOLERANCE: f64 = 0.01;
const TOLERANCE_INSTRUCTIONS: f64 = 15.0;

/// The packages that determine the counts, which must have the same version on both sides.
const SHARED: [&str; 8] = [
    "async-executor",
    "async-io",
    "async-std",
    "async-task",
    "mio",
    "polling",
    "smol",
    "tokio",
];

/// A peer on a runtime.
struct Peer {
    name: String,
    version: String,
    backend: Backend,
    program: PathBuf,
}

/// The reason why a peer costs less, in `peers/reasons.toml`.
#[derive(Deserialize)]
struct Reasons {
    reason: Vec<PeerReason>,
    /// Valid if the native runtime is above the peer, too, and anyrt is not above native.
    native: Why,
}

#[derive(Deserialize)]
struct PeerReason {
    backends: Vec<String>,
    peers: Vec<String>,
    rows: Vec<String>,
    /// The number of instructions by which anyrt may exceed the peer; more is a regression.
    above: f64,
    /// The same for allocations.
    #[serde(default)]
    allocations: f64,
    #[serde(flatten)]
    why: Why,
}

#[derive(Deserialize, PartialEq)]
struct Why {
    why: String,
    why_zh: String,
}

impl Reasons {
    fn of(&self, peer: &Peer, row: Row, [native, anyrt, counts]: [Counts; 3]) -> Option<&Why> {
        let listed = self.reason.iter().find(|reason| {
            let names = |list: &[String], name: &str| list.iter().any(|one| one == name);
            names(&reason.backends, peer.backend.name())
                && names(&reason.peers, &peer.name)
                && names(&reason.rows, row.name())
        });
        // What the native runtime allocates is no cost of a layer.
        let counts = Counts {
            allocations: counts.allocations.max(native.allocations),
            ..counts
        };
        match listed {
            Some(reason) => {
                let allowed = Counts {
                    allocations: counts.allocations + reason.allocations,
                    ..counts
                };
                is_within(anyrt, allowed, reason.above).then_some(&reason.why)
            }
            None => (!is_above(anyrt, native)).then_some(&self.native),
        }
    }
}

/// By the peer's place in the list, then by row.
type Figures = BTreeMap<(usize, usize), Counts>;

pub(super) fn run(options: &Selection) -> Result<(), Box<dyn Error>> {
    let backends = options.backends.iter().copied();
    let plan: Vec<Probe> = backends.flat_map(of_backend).collect();
    let probes = Probes::build(&plan)?;
    let peers = build(&options.backends)?;
    let (measured, failures) = probes.measure(&options.jobs(&plan), Probe::runs);
    none_failed(&failures)?;
    let figures = measure(&probes, &peers, options.rows())?;

    let reasons: Reasons = toml::from_str(&std::fs::read_to_string(crate::places::here(
        "peers/reasons.toml",
    ))?)?;

    let mut above = Vec::new();
    for backend in Backend::ALL.iter().copied() {
        if !peers.iter().any(|peer| peer.backend == backend) {
            continue;
        }
        let table = |language| table(backend, &peers, &reasons, &measured, &figures, language);
        println!("{}", table(Language::English).0);
        above.extend(table(Language::English).1);
        if options.write {
            for (document, language) in DOCUMENTS {
                docs::replace(document, &format!("peers:{backend}"), &table(language).0)?;
            }
        }
    }
    for line in &above {
        eprintln!("above a peer: {line}");
    }
    if options.check && !above.is_empty() {
        return Err(fail(format!("{} above a peer", above.len())));
    }
    Ok(())
}

/// Returns the probes that the peers are compared with.
fn of_backend(backend: Backend) -> [Probe; 2] {
    let facade = Probe {
        backend,
        via: Via::Facade,
        build: Build::Alone,
    };
    [Probe::native(backend), facade]
}

/// Builds a program for each peer on one of the runtimes: the features that are named
/// `PEER-RUNTIME`.
fn build(backends: &[Backend]) -> Result<Vec<Peer>, Box<dyn Error>> {
    let workspace = crate::places::here("peers");
    let target = crate::places::target_directory()?.join("overhead/peers");
    let manifest: toml::Table =
        toml::from_str(&std::fs::read_to_string(workspace.join("Cargo.toml"))?)?;
    let theirs = versions(workspace.join("Cargo.lock"))?;
    for shared in versions(crate::places::workspace().join("Cargo.lock"))? {
        if SHARED.contains(&shared.0.as_str()) && !theirs.contains(&shared) {
            let (name, version) = shared;
            return Err(fail(format!(
                "{name} is {version}, and another version in peers/Cargo.lock"
            )));
        }
    }
    let features = manifest["features"].as_table().into_iter().flatten();
    let combinations: Vec<(&str, Backend)> = features
        .flat_map(|(feature, _)| {
            backends.iter().filter_map(move |&backend| {
                let peer = feature.strip_suffix(backend.name())?.strip_suffix('-')?;
                Some((peer, backend))
            })
        })
        .collect();

    let bar = spinner(combinations.len());
    let mut peers = Vec::new();
    for (name, backend) in combinations {
        let feature = format!("{name}-{backend}");
        bar.set_message(format!("building {feature}"));
        let status = Command::new(crate::places::cargo())
            .args(["build", "--quiet", "--profile", "bench"])
            .args(["--features", &feature, "--target-dir"])
            .arg(&target)
            .current_dir(&workspace)
            .status()?;
        if !status.success() {
            return Err(fail(format!("the program of {feature} does not build")));
        }
        let program = target.join(&feature);
        std::fs::copy(target.join("release/anyrt-peers"), &program)?;
        let version = theirs.iter().find(|(package, _)| package == name);
        peers.push(Peer {
            name: name.to_owned(),
            version: version.map_or_else(String::new, |(_, version)| version.clone()),
            backend,
            program,
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(peers)
}

/// Returns the packages of a lock file.
fn versions(lock: PathBuf) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let lock: toml::Table = toml::from_str(&std::fs::read_to_string(lock)?)?;
    let packages = lock["package"].as_array().into_iter().flatten();
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    Ok(packages
        .filter_map(|package| Some((text(&package["name"])?, text(&package["version"])?)))
        .collect())
}

fn measure(probes: &Probes, peers: &[Peer], rows: &[Row]) -> Result<Figures, Box<dyn Error>> {
    let jobs: Vec<(usize, Row)> = (0..peers.len())
        .flat_map(|peer| rows.iter().map(move |row| (peer, *row)))
        .collect();
    let (figures, failed) = (Mutex::new(Figures::new()), Mutex::new(Vec::new()));
    in_parallel(&jobs, |bar, &(index, row)| {
        let peer = &peers[index];
        let what = format!("{}, {} on {}", row.name(), peer.name, peer.backend);
        bar.set_message(what.clone());
        if is_absent(peer, row) {
            return;
        }
        let times = Probe::native(peer.backend).runs(row);
        match probes.slope(&peer.program, peer.backend, row, times) {
            Ok(counts) => {
                let mut figures = figures.lock().expect("no thread panics");
                figures.insert((index, row as usize), counts);
            }
            Err(why) => {
                let mut failed = failed.lock().expect("no thread panics");
                failed.push(format!("{what}: {why}"));
            }
        }
    });
    let failed = failed.into_inner().expect("no thread panics");
    if !failed.is_empty() {
        return Err(fail(format!("failed: {}", failed.join("; "))));
    }
    Ok(figures.into_inner().expect("no thread panics"))
}

/// Returns `true` if the peer's program reported that it has no such operation.
fn is_absent(peer: &Peer, row: Row) -> bool {
    let (runtime, n) = (peer.backend.name(), row.count().to_string());
    let output = Command::new(&peer.program)
        .args([runtime, row.name(), &n])
        .output();
    output.is_ok_and(|output| output.stdout == b"absent\n")
}

/// Returns the table of one runtime, and the figures of anyrt that exceed a peer's.
fn table(
    backend: Backend,
    peers: &[Peer],
    reasons: &Reasons,
    measured: &Measured,
    figures: &Figures,
    language: Language,
) -> (String, Vec<String>) {
    let (head, native) = match language {
        Language::English => ("instructions per operation, and allocations", "native"),
        Language::Chinese => ("每次操作的指令数和分配次数", "原生"),
    };
    let of_backend = || (0..peers.len()).filter(|&peer| peers[peer].backend == backend);
    let mut text = format!("| {backend}: {head} | {native} | anyrt");
    for peer in of_backend() {
        let _ = write!(text, " | {} {}", peers[peer].name, peers[peer].version);
    }
    text.push_str(" |\n|---|---:|---:");
    text.push_str(&"|---:".repeat(of_backend().count()));
    text.push_str("|\n");

    let (mut above, mut notes) = (Vec::new(), Vec::new());
    for row in Row::ALL {
        let key = row as usize;
        let both = self::of_backend(backend).map(|probe| measured.get(&(probe, key)));
        let ([Some(native), Some(anyrt)], true) = (
            both,
            of_backend().any(|peer| figures.contains_key(&(peer, key))),
        ) else {
            continue;
        };
        let _ = write!(
            text,
            "| {} | {} | {}",
            row.title(),
            cell(*native),
            cell(*anyrt)
        );
        for peer in of_backend() {
            let Some(counts) = figures.get(&(peer, key)) else {
                text.push_str(" | —");
                continue;
            };
            if !is_above(*anyrt, *counts) {
                let _ = write!(text, " | {}", cell(*counts));
            } else if let Some(why) = reasons.of(&peers[peer], row, [*native, *anyrt, *counts]) {
                let number = notes.iter().position(|note| *note == why);
                let number = number.unwrap_or_else(|| {
                    notes.push(why);
                    notes.len() - 1
                });
                let _ = write!(text, " | {} [{}]", cell(*counts), number + 1);
            } else {
                let _ = write!(text, " | **{}**", cell(*counts));
                above.push(format!(
                    "{} on {backend}: {}, {} {}",
                    row.name(),
                    cell(*anyrt),
                    peers[peer].name,
                    cell(*counts)
                ));
            }
        }
        text.push_str(" |\n");
    }
    for (number, note) in notes.into_iter().enumerate() {
        let why = match language {
            Language::English => &note.why,
            Language::Chinese => &note.why_zh,
        };
        let line = if number == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{line}{}. {why}", number + 1);
    }
    (text, above)
}

fn is_above(anyrt: Counts, peer: Counts) -> bool {
    let tolerance = peer.instructions.unwrap_or_default() * TOLERANCE;
    !is_within(anyrt, peer, tolerance.max(TOLERANCE_INSTRUCTIONS))
}

fn is_within(anyrt: Counts, peer: Counts, above: f64) -> bool {
    let instructions = match (anyrt.instructions, peer.instructions) {
        (Some(anyrt), Some(peer)) => anyrt <= peer + above,
        _ => true,
    };
    instructions && anyrt.allocations <= peer.allocations + GROWTH
}

fn cell(counts: Counts) -> String {
    let instructions = whole(counts.instructions);
    if counts.allocations < 0.005 {
        instructions
    } else {
        format!("{instructions}, {:.2}", counts.allocations)
    }
}
