//! The suite: the backends to test, and the report.

use std::fmt;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyrt_core::runtime::{Config, Flavor, Owner};
use anyrt_core::{BuildError, FromStd};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::Sockets;
use crate::backend::Backend;
use crate::boxed::Boxed;
use crate::case::{Body, Cases};
use crate::cases;
use crate::erased::Erased;
use crate::simulation::{Seeds, Simulation};
use crate::watchdog;

/// All cases, for each registered backend.
///
/// A registration covers the whole contract.
#[derive(Default)]
#[must_use = "nothing is tested until `run`"]
pub struct Suite {
    trials: Vec<Box<dyn FnOnce(Duration) -> Vec<Trial>>>,
}

impl Suite {
    /// Creates a suite without backends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tests `O`, multi-threaded with two workers, under the name of its kind.
    pub fn backend<O: Owner<Handle: Sockets>>(self) -> Self {
        self.with(&kind_name::<O>(), |_| {}, O::build)
    }

    /// Tests `O` again with other options, under the name `<kind>_<suffix>`.
    pub fn flavor<O: Owner<Handle: Sockets>>(
        self,
        suffix: &str,
        options: impl FnOnce(&mut Config),
    ) -> Self {
        let name = format!("{}_{suffix}", kind_name::<O>());
        self.with(&name, options, O::build)
    }

    /// Tests `O` again through `ErasedRuntime`, whose sockets have no readiness, under the name
    /// `<kind>_erased`.
    pub fn erased<O: Owner<Handle: FromStd>>(self) -> Self {
        let name = format!("{}_erased", kind_name::<O>());
        let build = |config: &Config| O::build(config).map(Erased::new);
        let backend = Backend::new(name, two_workers(|_| {}), build);
        self.register(backend, cases::of_erased, |_| None)
    }

    /// Tests the runtimes that `build` creates, under the given name.
    ///
    /// Intended for owners that can be built in several ways.
    pub fn with<O: Owner<Handle: Sockets>>(
        self,
        name: &str,
        options: impl FnOnce(&mut Config),
        build: impl Fn(&Config) -> Result<O, BuildError> + Send + Sync + 'static,
    ) -> Self {
        let backend = Backend::new(name.to_owned(), two_workers(options), build);
        self.register(backend, cases::all, |_| None)
    }

    /// Like [`with`](Self::with), but boxes every future and job before `O` gets it.
    ///
    /// Intended for a facade over backends that are registered by themselves as well: a facade is
    /// compiled with the code of all its backends for each future, in as much time as all of them.
    pub fn boxed<O: Owner<Handle: Sockets>>(
        self,
        name: &str,
        options: impl FnOnce(&mut Config),
        build: impl Fn(&Config) -> Result<O, BuildError> + Send + Sync + 'static,
    ) -> Self {
        self.with(name, options, move |config| build(config).map(Boxed::new))
    }

    /// Tests a runtime with its own network, under seeds: `build` creates a simulation for each
    /// execution of a case, whose peers run on a second node.
    ///
    /// `left_out` lists the cases that cannot be simulated, with reasons. All others must apply.
    /// A failure tells the seed and how to replay it. Some seeds are run twice, and the executions
    /// must have the same [fingerprint](Simulation::fingerprint).
    ///
    /// ```no_run
    /// # use anyrt_core::net::{Net, SocketOptions};
    /// # use anyrt_testkit::Sockets;
    /// # use anyrt_core::{BuildError, runtime::{Config, Owner}};
    /// use anyrt_testkit::{Seeds, Simulation, Suite, current_thread};
    ///
    /// # fn conformance<S>(build: fn(u64, &Config) -> Result<Simulation<S>, BuildError>)
    /// # -> std::process::ExitCode
    /// # where
    /// #     S: Owner<Handle: Sockets>,
    /// #     <S::Handle as Net>::TcpStream: SocketOptions,
    /// # {
    /// let seeds = Seeds {
    ///     range: 0..20,
    ///     replay: "MY_SEED={seed} cargo test --test conformance -- --exact {case}",
    /// };
    /// let left_out = vec![("listener::nobody_can_share_the_port", "it has no system sockets")];
    /// Suite::new()
    ///     .simulated("mine", current_thread, seeds, left_out, build)
    ///     .run()
    /// # }
    /// ```
    pub fn simulated<O: Owner<Handle: Sockets>>(
        mut self,
        name: &str,
        options: impl FnOnce(&mut Config),
        seeds: Seeds,
        left_out: Vec<(&'static str, &'static str)>,
        build: impl Fn(u64, &Config) -> Result<Simulation<O>, BuildError> + Send + Sync + 'static,
    ) -> Self {
        let (name, config) = (name.to_owned(), two_workers(options));
        let build = Arc::new(build);
        self.trials.push(Box::new(move |timeout| {
            let mut trials = vec![cases::all_exist(&name, left_out.clone())];
            for (case, body) in cases::all::<O>() {
                let full = format!("{name}::{case}");
                if let Some((_, why)) = left_out.iter().find(|(of, _)| *of == case) {
                    trials.push(ignored(full, why));
                    continue;
                }
                let (name, config, build) = (name.clone(), config.clone(), Arc::clone(&build));
                let seeds = seeds.clone();
                trials.push(Trial::test(full.clone(), move || {
                    under_seeds(&full, &seeds, |seed| {
                        let build = Arc::clone(&build);
                        let build = move |config: &Config| build(seed, config);
                        let backend = Backend::simulated(name.clone(), config.clone(), build);
                        execute(&full, timeout, &backend, &body)
                    })
                }));
            }
            trials
        }));
        self
    }

    /// Leaves out the cases for which `left_out` returns a reason.
    fn register<O: Owner>(
        mut self,
        backend: Backend<O>,
        list: fn() -> Cases<O>,
        left_out: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        self.trials.push(Box::new(move |timeout| {
            list()
                .into_iter()
                .map(|(case, body)| {
                    let name = format!("{}::{case}", backend.name());
                    let backend = backend.clone();
                    if let Some(why) = left_out(&case) {
                        return ignored(name, why);
                    }
                    Trial::ignorable_test(name.clone(), move || {
                        watchdog::run(&name, timeout, move || body(&backend))
                    })
                })
                .collect()
        }));
        self
    }

    /// Tests a runtime that the application started by itself, with `workers` threads, under the
    /// given name. Futures and jobs are [boxed](Self::boxed).
    ///
    /// Cases about the owner (options, threads, the end) are reported as ignored, and so are those
    /// of `except`, a list of cases with reasons.
    pub fn native<O: Owner<Handle: Sockets>>(
        self,
        name: &str,
        workers: usize,
        except: &'static [(&'static str, &'static str)],
        build: impl Fn(&Config) -> Result<O, BuildError> + Send + Sync + 'static,
    ) -> Self {
        let options = |config: &mut Config| config.worker_threads = NonZeroUsize::new(workers);
        let build = move |config: &Config| build(config).map(Boxed::new);
        let backend = Backend::new(name.to_owned(), two_workers(options), build);
        self.register(backend, cases::all, move |case| {
            let excepted = except.iter().find(|(name, _)| *name == case);
            match excepted {
                Some((_, why)) => Some(*why),
                None => cases::is_of_owner(case).then_some("the application owns the runtime"),
            }
        })
    }

    /// Reports every case of a backend that cannot run here as ignored, with the reason, and never
    /// as passed.
    pub fn skipped(mut self, name: &str, reason: &str) -> Self {
        let (name, reason) = (name.to_owned(), reason.to_owned());
        self.trials.push(Box::new(move |_| {
            cases::names()
                .into_iter()
                .map(|case| ignored(format!("{name}::{case}"), &reason))
                .collect()
        }));
        self
    }

    /// Runs the cases that the arguments of the process select, like `cargo test`.
    pub fn run(self) -> ExitCode {
        let arguments = Arguments::from_args();
        let timeout = match watchdog::timeout() {
            Ok(timeout) => timeout,
            Err(message) => {
                eprintln!("{message}");
                return ExitCode::FAILURE;
            }
        };
        let trials = self
            .trials
            .into_iter()
            .flat_map(|trials| trials(timeout))
            .collect();
        libtest_mimic::run(&arguments, trials).exit_code()
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("registrations", &self.trials.len())
            .finish()
    }
}

const DIFFERS: &str = "two executions under this seed differ, though nothing foreign took part";

/// Executes a case once under each seed, and under some twice, to compare the fingerprints.
fn under_seeds(
    case: &str,
    seeds: &Seeds,
    execute: impl Fn(u64) -> Result<Option<Vec<u64>>, Failed>,
) -> Result<(), Failed> {
    let executions = |seed| {
        let first = execute(seed)?;
        if Seeds::is_compared(seed) && first.is_some() && execute(seed)? != first {
            return Err(Failed::from(DIFFERS));
        }
        Ok(())
    };
    for seed in seeds.range.clone() {
        executions(seed).map_err(|failed| {
            let failed = failed.message().unwrap_or_default();
            let replay = seeds.replay(case, seed);
            Failed::from(format!("seed {seed}: {failed}\nto replay it: {replay}"))
        })?;
    }
    Ok(())
}

/// Runs a case in a simulation and returns the fingerprint. A case that does not apply has failed.
fn execute<O: Owner>(
    name: &str,
    timeout: Duration,
    backend: &Backend<O>,
    body: &Body<O>,
) -> Result<Option<Vec<u64>>, Failed> {
    let (body, there) = (Arc::clone(body), backend.clone());
    match watchdog::run(name, timeout, move || body(&there))? {
        Completion::Ignored { reason } => Err(format!(
            "it does not apply ({}) and is not among the cases that are left out",
            reason.unwrap_or_default()
        )
        .into()),
        _ => Ok(backend.fingerprint()),
    }
}

/// A case that is reported as ignored.
fn ignored(name: String, why: &str) -> Trial {
    let why = why.to_owned();
    Trial::ignorable_test(name, move || Ok(Completion::ignored_with(why)))
}

/// Two workers by default.
fn two_workers(options: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.worker_threads = NonZeroUsize::new(2);
    options(&mut config);
    config
}

/// The options of a current-thread runtime, for [`Suite::flavor`].
pub fn current_thread(config: &mut Config) {
    config.flavor = Flavor::CurrentThread;
    config.worker_threads = None;
}

/// `async-std` is `async_std` in the name of a test, as in paths.
fn kind_name<O: Owner>() -> String {
    O::KIND.name().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const SEEDS: Seeds = Seeds {
        range: 3..6,
        replay: "SEED={seed} test {case}",
    };

    #[test]
    fn each_seed_is_executed_and_each_fourth_twice() {
        let executed = RefCell::new(Vec::new());
        let result = under_seeds("x::passes", &SEEDS, |seed| {
            executed.borrow_mut().push(seed);
            Ok(Some(vec![seed]))
        });
        assert!(result.is_ok());
        assert_eq!(executed.into_inner(), [3, 4, 4, 5]);
    }

    #[test]
    fn a_failure_tells_its_seed_and_how_to_replay_it() {
        let result = under_seeds("x::fails", &SEEDS, |seed| match seed {
            5 => Err("wrong".into()),
            _ => Ok(None),
        });
        let failed = result.unwrap_err();
        assert_eq!(
            failed.message(),
            Some("seed 5: wrong\nto replay it: SEED=5 test x::fails")
        );
    }

    #[test]
    fn executions_that_differ_are_a_failure() {
        let count = RefCell::new(0);
        let result = under_seeds("x::differs", &SEEDS, |_| {
            *count.borrow_mut() += 1;
            Ok(Some(vec![*count.borrow()]))
        });
        let failed = result.unwrap_err();
        assert!(failed.message().is_some_and(|text| text.contains(DIFFERS)));
    }

    #[test]
    fn executions_with_something_foreign_may_differ() {
        assert!(under_seeds("x::foreign", &SEEDS, |_| Ok(None)).is_ok());
    }
}
