//! Which seeds a test runs, and how.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use crate::injected::{self, FAULTS_VARIABLE, FaultId};
use crate::runtime::SEED_VARIABLE;

/// The environment variable that selects the seeds of a test.
pub const SEEDS_VARIABLE: &str = "ANYRT_SIM_SEEDS";

/// The environment variable with the path to which the trace of a single seed is written.
pub const TRACE_VARIABLE: &str = "ANYRT_SIM_TRACE";

/// The arguments of a test.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// The path of the test, with its crate: `module_path!()` and the function.
    pub name: &'static str,
    /// The package, for the command that replays a failure.
    pub package: Option<&'static str>,
    /// The number of seeds to run, from 0.
    pub seeds: u64,
    /// The number of fresh processes whose hashes are compared; 0 does not compare.
    pub check: u32,
    /// The limit of virtual time for one seed; a day unless set.
    pub time_limit: Option<Duration>,
    /// The limit of real time for the whole test; there is none if the environment selects the
    /// seeds.
    pub timeout: Duration,
}

/// The seeds of a run, and their origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) seeds: Range<u64>,
    /// The environment selects more than the test does.
    pub(super) wide: bool,
    /// The environment selects one seed.
    pub(super) single: bool,
    /// The only faults that happen, if the environment names them.
    pub(super) faults: Option<BTreeSet<FaultId>>,
}

impl Plan {
    fn new(
        seeds: u64,
        single: Option<String>,
        many: Option<String>,
        faults: Option<String>,
    ) -> Result<Self, String> {
        let faults = match faults.filter(|text| !text.is_empty()) {
            Some(text) => {
                let faults = injected::parse_list(&text);
                Some(faults.map_err(|error| format!("{FAULTS_VARIABLE}: {error}"))?)
            }
            None => None,
        };
        if faults.is_some() && single.as_ref().is_none_or(String::is_empty) {
            return Err(format!(
                "{FAULTS_VARIABLE} names faults of one seed, so {SEED_VARIABLE} must be set too"
            ));
        }
        if let Some(text) = single.filter(|text| !text.is_empty()) {
            let seed: u64 = text
                .parse()
                .map_err(|_| format!("{SEED_VARIABLE} must be a number, and is {text:?}"))?;
            let end = seed.checked_add(1).ok_or_else(|| {
                format!(
                    "{SEED_VARIABLE} must be less than {}, and is {text:?}",
                    u64::MAX
                )
            })?;
            return Ok(Self {
                seeds: seed..end,
                wide: false,
                single: true,
                faults,
            });
        }
        let Some(text) = many.filter(|text| !text.is_empty()) else {
            return Ok(Self {
                seeds: 0..seeds,
                wide: false,
                single: false,
                faults: None,
            });
        };
        let (from, to) = text.split_once("..").unwrap_or(("0", &text));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if from < to => Ok(Self {
                seeds: from..to,
                wide: true,
                single: false,
                faults: None,
            }),
            _ => Err(format!(
                "{SEEDS_VARIABLE} must be a number of seeds or a range such as 100..200, and is {text:?}"
            )),
        }
    }

    pub(super) fn of_environment(seeds: u64) -> Result<Self, String> {
        let read = |name| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned());
        Self::new(
            seeds,
            read(SEED_VARIABLE),
            read(SEEDS_VARIABLE),
            read(FAULTS_VARIABLE),
        )
    }

    /// Returns how a seed of it is run.
    pub(super) fn how(&self, test: &Test, seed: u64) -> How {
        How {
            seed,
            faults: self.faults.clone(),
            time_limit: test.time_limit,
            record: false,
            explains: true,
            minimises: !self.single,
            traces: !self.single,
            watches: false,
        }
    }
}

/// Returns the seeds that the environment selects, or those from 0 to `seeds`, for suites that
/// build their simulations themselves.
///
/// # Errors
/// Fails if `ANYRT_SIM_SEED` or `ANYRT_SIM_SEEDS` is invalid.
pub fn seeds(seeds: u64) -> Result<Range<u64>, String> {
    Plan::of_environment(seeds).map(|plan| plan.seeds)
}

/// The settings for the run of a seed.
#[derive(Debug, Clone)]
pub(super) struct How {
    pub(super) seed: u64,
    /// The only faults that happen; all, if `None`.
    pub(super) faults: Option<BTreeSet<FaultId>>,
    pub(super) time_limit: Option<Duration>,
    pub(super) record: bool,
    /// Whether the report of a deadlock says where the tasks wait.
    pub(super) explains: bool,
    /// Whether a report lists the faults that are needed.
    pub(super) minimises: bool,
    /// Whether a report writes a trace.
    pub(super) traces: bool,
    /// Whether the program's use of the operating system is counted.
    pub(super) watches: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(single: Option<&str>, many: Option<&str>) -> Result<Plan, String> {
        Plan::new(
            100,
            single.map(str::to_owned),
            many.map(str::to_owned),
            None,
        )
    }

    #[test]
    fn faults_need_a_seed_and_must_be_some() {
        let plan = |single: Option<&str>, faults: &str| {
            let single = single.map(str::to_owned);
            Plan::new(100, single, None, Some(faults.to_owned()))
        };
        let named = plan(Some("17"), "3,t2").expect("it is a plan").faults;
        assert_eq!(named.expect("they are named").len(), 2);
        assert_eq!(
            plan(Some("17"), "none").expect("it is a plan").faults,
            Some(BTreeSet::new())
        );
        assert_eq!(plan(Some("17"), "").expect("it is a plan").faults, None);
        for (single, faults, part) in [
            (None, "3", SEED_VARIABLE),
            (Some(""), "3", SEED_VARIABLE),
            (Some("17"), "3,x", "\"x\" names no fault"),
        ] {
            let error = plan(single, faults).expect_err("it is none");
            assert!(
                error.contains(part) && error.contains(FAULTS_VARIABLE),
                "{error}"
            );
        }
    }

    #[test]
    fn the_environment_decides_which_seeds_run() {
        let seeds = |plan: Result<Plan, String>| plan.map(|plan| (plan.seeds, plan.wide));
        assert_eq!(seeds(plan(None, None)), Ok((0..100, false)));
        assert_eq!(seeds(plan(Some(""), Some(""))), Ok((0..100, false)));
        assert_eq!(seeds(plan(Some("17"), Some("5"))), Ok((17..18, false)));
        assert_eq!(seeds(plan(None, Some("5000"))), Ok((0..5_000, true)));
        assert_eq!(seeds(plan(None, Some("7..9"))), Ok((7..9, true)));
    }

    #[test]
    fn senseless_seeds_are_errors_that_name_the_variable() {
        for (single, many, named) in [
            (Some("x"), None, SEED_VARIABLE),
            (Some("-1"), None, SEED_VARIABLE),
            (Some("18446744073709551615"), None, SEED_VARIABLE),
            (None, Some("0"), SEEDS_VARIABLE),
            (None, Some("9..7"), SEEDS_VARIABLE),
            (None, Some("many"), SEEDS_VARIABLE),
        ] {
            let error = plan(single, many).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
