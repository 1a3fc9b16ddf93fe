//! The suite: the backends to test, and the report.

use std::fmt;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyrt_core::runtime::{Config, Flavor, Owner};
use anyrt_core::{BuildError, FromStd};
use libtest_mimic::{Arguments, Completion, Trial};

use crate::backend::Backend;
use crate::case::Cases;
use crate::cases;
use crate::erased::Erased;
use crate::watchdog;

/// All cases, for each registered backend.
///
/// A registration covers the whole contract.
#[derive(Default)]
#[must_use = "nothing is tested until `run`"]
pub struct Suite {
    trials: Vec<Box<dyn FnOnce(std::time::Duration) -> Vec<Trial>>>,
}

impl Suite {
    /// Creates a suite without backends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tests `O`, multi-threaded with two workers, under the name of its kind.
    pub fn backend<O: Owner<Handle: FromStd>>(self) -> Self {
        self.with(&kind_name::<O>(), |_| {}, O::build)
    }

    /// Tests `O` again with other options, under the name `<kind>_<suffix>`.
    pub fn flavor<O: Owner<Handle: FromStd>>(
        self,
        suffix: &str,
        options: impl FnOnce(&mut Config),
    ) -> Self {
        let name = format!("{}_{suffix}", kind_name::<O>());
        self.with(&name, options, O::build)
    }

    /// Tests `O` again through `ErasedRuntime`, under the name `<kind>_erased`.
    pub fn erased<O: Owner<Handle: FromStd>>(self) -> Self {
        let name = format!("{}_erased", kind_name::<O>());
        self.with(&name, |_| {}, |config| O::build(config).map(Erased::new))
    }

    /// Tests the runtimes that `build` creates, under the given name.
    ///
    /// Intended for owners that can be built in several ways, such as a facade over many backends.
    pub fn with<O: Owner<Handle: FromStd>>(
        self,
        name: &str,
        options: impl FnOnce(&mut Config),
        build: impl Fn(&Config) -> Result<O, BuildError> + Send + Sync + 'static,
    ) -> Self {
        let backend = Backend::new(name.to_owned(), two_workers(options), build);
        self.register(backend, cases::all, |_| None)
    }

    /// Like [`with`](Self::with), for runtimes with their own network. Cases whose peer is a socket
    /// of the operating system are reported as ignored; cases that convert such a socket are left
    /// out.
    pub fn simulated<O: Owner>(
        self,
        name: &str,
        options: impl FnOnce(&mut Config),
        build: impl Fn(&Config) -> Result<O, BuildError> + Send + Sync + 'static,
    ) -> Self {
        let backend = Backend::new(name.to_owned(), two_workers(options), build);
        let backend = backend.without_system_sockets();
        self.register(backend, cases::of_any_network, |_| None)
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
                        return Trial::ignorable_test(name, move || {
                            Ok(Completion::ignored_with(why))
                        });
                    }
                    Trial::ignorable_test(name.clone(), move || {
                        watchdog::run(&name, timeout, move || {
                            watchdog::set_system_sockets(backend.has_system_sockets());
                            body(&backend);
                        })
                    })
                })
                .collect()
        }));
        self
    }

    /// Tests a runtime that the application started by itself, with `workers` threads, under the
    /// given name.
    ///
    /// Cases about the owner (options, threads, the end) are reported as ignored, and so are those
    /// of `except`, a list of cases with reasons.
    pub fn native<O: Owner<Handle: FromStd>>(
        self,
        name: &str,
        workers: usize,
        except: &'static [(&'static str, &'static str)],
        build: impl Fn(&Config) -> Result<O, BuildError> + Send + Sync + 'static,
    ) -> Self {
        let options = |config: &mut Config| config.worker_threads = NonZeroUsize::new(workers);
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
                .map(|case| {
                    let reason = reason.clone();
                    Trial::ignorable_test(format!("{name}::{case}"), move || {
                        Ok(Completion::ignored_with(reason))
                    })
                })
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
