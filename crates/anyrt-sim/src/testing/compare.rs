//! Executions of one seed in several processes, compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use std::time::Instant;

use super::execution::{Execution, Failing, Make, Sometimes, execute, merge, run_seed};
use super::outside::Outside;
use super::plan::{How, Plan, SEEDS_VARIABLE, TRACE_VARIABLE, Test};
use super::report::{self, Shape, Signs, name_in_harness, replay, sources};
use crate::injected::FAULTS_VARIABLE;
use crate::runtime::SEED_VARIABLE;
use crate::trace::Step;

/// The environment variable with the path to which a compared process writes its report.
const REPORT_VARIABLE: &str = "ANYRT_SIM_REPORT";
/// The variable that makes it write all steps as well.
const STEPS_VARIABLE: &str = "ANYRT_SIM_REPORT_STEPS";

/// The number of steps shown before the first that differs.
const BEFORE: usize = 3;

/// Returns the file for the report of this process, if it is one of those that are compared.
pub(super) fn report_of_child() -> Option<PathBuf> {
    std::env::var_os(REPORT_VARIABLE).map(PathBuf::from)
}

impl Failing {
    pub(super) fn describe(&self, test: &Test, make: &Make, deadline: Option<Instant>) -> String {
        let execution = self.execution.as_ref();
        match execution.and_then(|first| Some((first, first.failure.as_ref()?))) {
            Some((first, failed)) => {
                report::describe(test, make, &self.how, first, failed, deadline)
            }
            None => differ_here(test, make, &self.how),
        }
    }
}

/// Runs the seeds and writes their hashes, one per line. Stops at a failing seed, which the parent
/// runs once more to describe the failure.
pub(super) fn run_child(
    test: &Test,
    plan: &Plan,
    make: &Make,
    report: &Path,
) -> Result<(), String> {
    let with_steps = std::env::var_os(STEPS_VARIABLE).is_some();
    let mut text = String::new();
    let mut sometimes = Sometimes::new();
    let mut outside = Outside::default();
    for seed in plan.seeds.clone() {
        let how = How {
            record: with_steps,
            watches: true,
            ..plan.how(test, seed)
        };
        let execution = execute(test, make, &how);
        outside = outside.max(execution.outside);
        if execution.failure.is_some() {
            let _ = writeln!(text, "failed {seed}");
            break;
        }
        let Execution {
            hash,
            step_count,
            foreign_wakes,
            steps,
            sometimes: one,
            ..
        } = execution;
        merge(&mut sometimes, one);
        let _ = writeln!(text, "seed {seed} {hash:016x} {step_count} {foreign_wakes}");
        for step in steps {
            let _ = writeln!(text, "step {step}");
        }
    }
    for (name, happened) in sometimes {
        let word = if happened { "happened" } else { "missed" };
        let _ = writeln!(text, "{word} {}", name.escape_debug());
    }
    let _ = writeln!(text, "outside {} {}", outside.threads, outside.sockets);
    text += "end\n";
    let written = fs::File::create(report).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write {}: {error}", report.display()))
}

/// The report of a process.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    /// Hash, number of steps and wake-ups from outside, by seed.
    seeds: BTreeMap<u64, (String, u64, u64)>,
    steps: Vec<String>,
    failed: Option<u64>,
    sometimes: Sometimes,
    outside: Outside,
}

impl Report {
    /// Returns `None` if it is incomplete.
    fn parse(text: &str) -> Option<Self> {
        let mut report = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("step", step)) => report.steps.push(step.to_owned()),
                Some(("happened", name)) => {
                    report.sometimes.insert(name.to_owned(), true);
                }
                Some(("missed", name)) => {
                    report.sometimes.insert(name.to_owned(), false);
                }
                Some(("outside", counts)) => {
                    let (threads, sockets) = counts.split_once(' ')?;
                    report.outside = Outside {
                        threads: threads.parse().ok()?,
                        sockets: sockets.parse().ok()?,
                    };
                }
                Some(("failed", seed)) => report.failed = Some(seed.parse().ok()?),
                Some(("seed", rest)) => {
                    let mut words = rest.split(' ');
                    let seed = words.next()?.parse().ok()?;
                    let hash = words.next()?.to_owned();
                    let steps = words.next()?.parse().ok()?;
                    let foreign = words.next()?.parse().ok()?;
                    report.seeds.insert(seed, (hash, steps, foreign));
                }
                None if line == "end" => return Some(report),
                _ => return None,
            }
        }
        None
    }
}

/// Runs the seeds in fresh processes and compares them. Returns the events that must happen
/// sometimes, or `None` if the test cannot run in a process of its own.
pub(super) fn in_processes(
    test: &Test,
    plan: &Plan,
    make: &Make,
    deadline: Option<Instant>,
) -> Result<Option<Sometimes>, String> {
    let Some(reports) = reports(test, test.check, |command| {
        command.env(
            SEEDS_VARIABLE,
            format!("{}..{}", plan.seeds.start, plan.seeds.end),
        );
        // A replay lists its faults.
        if plan.single {
            command.env_remove(SEEDS_VARIABLE);
        } else {
            command
                .env_remove(SEED_VARIABLE)
                .env_remove(FAULTS_VARIABLE);
        }
    }) else {
        eprintln!(
            "{}: the test cannot be run in a process of its own, so executions are compared within this one",
            test.name
        );
        return Ok(None);
    };
    if let Some(seed) = reports.iter().find_map(|report| report.failed) {
        // This process repeats the failure to describe it.
        if let Err(failing) = run_seed(test, make, plan.how(test, seed), false) {
            return Err(failing.describe(test, make, deadline));
        }
        return Err(format!(
            "{} failed with seed {seed} in a fresh process, and does not in this one: something is left from one \
             execution to the next. {}\n{}",
            test.name,
            sources(&Signs::default()),
            replay(test, seed, plan.faults.as_ref())
        ));
    }
    let [first, others @ ..] = &reports[..] else {
        return Ok(None);
    };
    for other in others {
        let differs = first
            .seeds
            .iter()
            .find(|(seed, execution)| other.seeds.get(seed) != Some(execution));
        if let Some((&seed, (_, _, foreign_wakes))) = differs {
            let outside = first.outside.max(other.outside);
            let signs = Signs {
                threads: outside.threads,
                sockets: outside.sockets,
                ..Signs::of(*foreign_wakes)
            };
            return Err(differ(test, plan, seed, signs));
        }
    }
    Ok(Some(first.sometimes.clone()))
}

/// Runs this test in fresh processes. Returns `None` if that is not possible.
fn reports(test: &Test, count: u32, configure: impl Fn(&mut Command)) -> Option<Vec<Report>> {
    let program = std::env::current_exe().ok()?;
    let directory = std::env::temp_dir();
    let children: Vec<_> = (0..count)
        .map(|number| {
            let name = format!(
                "anyrt-sim-{}-{}-{number}",
                std::process::id(),
                name_in_harness(test.name).replace("::", "-")
            );
            let report = directory.join(name);
            let mut command = Command::new(&program);
            command
                .args(["--exact", name_in_harness(test.name), "--nocapture"])
                .args(["--include-ignored", "--test-threads=1"])
                .env(REPORT_VARIABLE, &report)
                .env_remove(TRACE_VARIABLE)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            configure(&mut command);
            (command.spawn(), report)
        })
        .collect();
    let mut reports = Vec::new();
    for (child, report) in children {
        let output: Option<Output> = child.ok().and_then(|child| child.wait_with_output().ok());
        let text = fs::read_to_string(&report).ok();
        let _ = fs::remove_file(&report);
        reports.push(output.and(text).and_then(|text| Report::parse(&text)));
    }
    reports.into_iter().collect()
}

/// Describes a seed whose executions differ between processes, with the first step that differs.
fn differ(test: &Test, plan: &Plan, seed: u64, mut signs: Signs) -> String {
    let recorded = reports(test, 2, |command| {
        command
            .env(SEED_VARIABLE, seed.to_string())
            .env_remove(SEEDS_VARIABLE)
            .env(STEPS_VARIABLE, "1");
    });
    let steps = recorded
        .as_deref()
        .and_then(|reports| match reports {
            [one, other] => {
                signs.shape = shape(&one.steps, &other.steps);
                first_difference(&one.steps, &other.steps)
            }
            _ => None,
        })
        .unwrap_or_else(|| "Two further processes with this seed alone do not differ".to_owned());
    let replay = replay(test, seed, plan.faults.as_ref());
    text(test, seed, "two processes", &steps, &signs, &replay)
}

/// As above, within this process.
pub(super) fn differ_here(test: &Test, make: &Make, how: &How) -> String {
    let how = How {
        record: true,
        ..how.clone()
    };
    let record = || {
        let execution = execute(test, make, &how);
        let steps = execution.steps.iter().map(Step::to_string);
        (steps.collect::<Vec<_>>(), execution.foreign_wakes)
    };
    let ((one, foreign_wakes), (other, _)) = (record(), record());
    let steps = first_difference(&one, &other)
        .unwrap_or_else(|| "Two further executions do not differ".to_owned());
    let signs = Signs {
        shape: shape(&one, &other),
        ..Signs::of(foreign_wakes)
    };
    let replay = replay(test, how.seed, how.faults.as_ref());
    text(test, how.seed, "one process", &steps, &signs, &replay)
}

fn text(test: &Test, seed: u64, place: &str, steps: &str, signs: &Signs, replay: &str) -> String {
    format!(
        "{}: two executions of seed {seed} in {place} differ: chance has come in. {steps}\n{}\n{}",
        test.name,
        sources(signs),
        replay
    )
}

/// Classifies the first step that differs; see [`Step`]'s `Display` for its words.
fn shape(one: &[String], other: &[String]) -> Shape {
    let Some((one, other)) = one.iter().zip(other).find(|(one, other)| one != other) else {
        return Shape::Unknown;
    };
    let words = |step: &str| {
        let mut words = step.split([' ', '(']).map(str::to_owned);
        (words.next(), words.next())
    };
    let ((one_time, one_event), (other_time, other_event)) = (words(one), words(other));
    if one_event == other_event && one_time != other_time {
        return Shape::Time;
    }
    match (one_event.as_deref(), other_event.as_deref()) {
        (Some("Packet"), Some("Packet")) => Shape::Content,
        (Some("Poll"), Some("Poll")) => Shape::Order,
        _ => Shape::Unknown,
    }
}

/// Formats the first step that differs, with those before it.
fn first_difference(one: &[String], other: &[String]) -> Option<String> {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    if same == one.len() && same == other.len() {
        return None;
    }
    let mut text = format!("The first step that differs is {}:", same + 1);
    for step in &one[same.saturating_sub(BEFORE)..same] {
        let _ = write!(text, "\n    both: {step}");
    }
    for (name, steps) in [("one", one), ("other", other)] {
        let step = steps.get(same).map_or("the end", String::as_str);
        let _ = write!(text, "\n    {name}: {step}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_back() {
        let text = "seed 3 00ff 12 0\nstep 1ns Poll(1) 00ff\nseed 4 0001 2 1\nhappened a b\nmissed c\nfailed 5\noutside 2 1\nend\n";
        let report = Report::parse(text).expect("it is whole");
        assert_eq!(report.seeds[&3], ("00ff".to_owned(), 12, 0));
        assert_eq!(report.seeds[&4], ("0001".to_owned(), 2, 1));
        assert_eq!(report.steps, ["1ns Poll(1) 00ff"]);
        assert_eq!(report.failed, Some(5));
        let outside = Outside {
            threads: 2,
            sockets: 1,
        };
        assert_eq!(report.outside, outside);
        let sometimes = [("a b".to_owned(), true), ("c".to_owned(), false)];
        assert_eq!(report.sometimes, BTreeMap::from(sometimes));
        assert_eq!(Report::parse("seed 3 00ff 12 0\n"), None, "it has no end");
        assert_eq!(Report::parse("nonsense\nend\n"), None);
    }

    #[test]
    fn the_first_difference_has_a_shape() {
        let shape = |one: &str, other: &str| {
            let steps = |step: &str| ["0ns Poll(1) 00".to_owned(), step.to_owned()];
            shape(&steps(one), &steps(other))
        };
        assert_eq!(shape("1ns Poll(1) 01", "2ns Poll(1) 02"), Shape::Time);
        assert_eq!(shape("1ns Poll(1) 01", "1ns Poll(2) 02"), Shape::Order);
        assert_eq!(
            shape("1ns Packet(1) 01", "1ns Packet(2) 02"),
            Shape::Content
        );
        assert_eq!(shape("1ns Packet(1) 01", "1ns Spawn(2) 02"), Shape::Unknown);
        assert_eq!(shape("1ns Poll(1) 01", "1ns Poll(1) 01"), Shape::Unknown);
    }

    #[test]
    fn the_first_difference_is_shown_with_what_was_before() {
        let steps = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(first_difference(&steps("a b c"), &steps("a b c")), None);
        let text = first_difference(&steps("a b c d e"), &steps("a b c d x")).expect("they differ");
        assert!(text.contains("step that differs is 5"), "{text}");
        assert!(
            text.contains("both: b") && !text.contains("both: a"),
            "{text}"
        );
        assert!(
            text.contains("one: e") && text.contains("other: x"),
            "{text}"
        );
        let text = first_difference(&steps("a"), &steps("a b")).expect("they differ");
        assert!(text.contains("one: the end"), "{text}");
    }
}
