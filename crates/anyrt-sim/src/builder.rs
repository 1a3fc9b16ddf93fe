//! The options of a simulation.

use std::collections::BTreeSet;
use std::time::Duration;

use anyrt_core::error::BuildError;
use anyrt_core::runtime::{Config, Flavor};

use crate::injected::{self, FAULTS_VARIABLE, FaultId};
use crate::ready::Schedule;
use crate::runtime::{KIND, SEED_VARIABLE, Sim};
use crate::world::Options;

/// The options of a simulation.
#[derive(Debug, Clone)]
pub struct Builder {
    seed: Option<u64>,
    options: Options,
}

/// A day: longer than any deliberate simulation, but simulated quickly.
const TIME_LIMIT: Duration = Duration::from_secs(86_400);
/// The number of consecutive polls without any other event.
const BUSY_LIMIT: u64 = 1_000_000;
/// Real time that a blocking job may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Builder {
    /// Returns the defaults.
    pub(crate) fn new() -> Self {
        Self {
            seed: None,
            options: Options {
                seed: 0,
                schedule: Schedule::default(),
                open: false,
                record: false,
                explains: true,
                only_faults: None,
                time_limit: Some(TIME_LIMIT),
                busy_limit: BUSY_LIMIT,
                patience: PATIENCE,
                config: Config::default(),
            },
        }
    }

    /// Sets the seed. Unless set, it is that of the environment variable `ANYRT_SIM_SEED`, or 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the policy that selects the next task; [`Schedule::Random`] unless set.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.options.schedule = schedule;
        self
    }

    /// Allows threads from outside to take part: they may wake tasks, poll futures and call
    /// `block_on`, and blocking jobs run in parallel with the tasks.
    ///
    /// Such an execution cannot be replayed, and deadlocks are not detected, because the simulator
    /// waits for the threads. The option is meant for tests of the runtime itself;
    /// [`Owner::build`](anyrt_core::runtime::Owner::build) sets it.
    pub fn open(mut self) -> Self {
        self.options.open = true;
        self.options.time_limit = None;
        self
    }

    /// Records all steps, for [`Sim::steps`].
    pub fn record(mut self) -> Self {
        self.options.record = true;
        self
    }

    /// Leaves out of a report where tasks wait, which takes longer than most simulations.
    pub(crate) fn unexplained(mut self) -> Self {
        self.options.explains = false;
        self
    }

    /// Sets the limit of virtual time, after which the simulation fails; a day unless set, and no
    /// limit for `None`.
    pub fn time_limit(mut self, limit: Option<Duration>) -> Self {
        self.options.time_limit = limit;
        self
    }

    /// Sets the limit of consecutive polls without a timer, a packet or a job between them, after
    /// which the simulation fails because its tasks only wake each other; a million unless set.
    pub fn busy_limit(mut self, polls: u64) -> Self {
        self.options.busy_limit = polls;
        self
    }

    /// Sets the limit of real time for a blocking job, after which the simulation fails because the
    /// job waits for something outside; 10 s unless set.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// Sets the options that all backends have; see
    /// [`Owner::build`](anyrt_core::runtime::Owner::build) on [`Sim`].
    pub fn config(mut self, config: &Config) -> Self {
        self.options.config = config.clone();
        self
    }

    /// Builds the simulation.
    ///
    /// # Errors
    /// [`BuildError::Invalid`] for an invalid value, such as an `ANYRT_SIM_SEED` that is not a
    /// number; [`BuildError::Unsupported`] for an option that needs worker threads or a clock that
    /// can be paused.
    pub fn build(mut self) -> Result<Sim, BuildError> {
        let config = &self.options.config;
        config.validate()?;
        let unsupported = |option, why| BuildError::Unsupported {
            backend: KIND.name(),
            option,
            why,
        };
        if config.start_paused {
            return Err(unsupported(
                "start_paused",
                "its clock is virtual already: time passes only when nothing is ready; leave it out",
            ));
        }
        if config.pin_workers && config.flavor == Flavor::MultiThread {
            return Err(unsupported(
                "pin_workers",
                "it has no worker threads: all tasks run on the thread that calls block_on",
            ));
        }
        self.options.seed = match self.seed {
            Some(seed) => seed,
            None => {
                if self.options.only_faults.is_none() {
                    self.options.only_faults = faults_of_environment()?;
                }
                seed_of_environment()?
            }
        };
        Ok(Sim::start(self.options))
    }
}

fn seed_of_environment() -> Result<u64, BuildError> {
    match std::env::var(SEED_VARIABLE) {
        Err(_) => Ok(0),
        Ok(text) => text.parse().map_err(|_| BuildError::Invalid {
            option: SEED_VARIABLE,
            why: "it must be a number from 0 to 18446744073709551615",
        }),
    }
}

fn faults_of_environment() -> Result<Option<BTreeSet<FaultId>>, BuildError> {
    match std::env::var(FAULTS_VARIABLE) {
        Ok(text) if !text.is_empty() => {
            let faults = injected::parse_list(&text);
            let invalid = |_| BuildError::Invalid {
                option: FAULTS_VARIABLE,
                why: "it must be a list such as 3,t2,1-2.57, or none",
            };
            faults.map(Some).map_err(invalid)
        }
        _ => Ok(None),
    }
}

impl Builder {
    /// Suppresses all faults but these. The identities are those of [`Sim::faults`] after an
    /// execution of the same seed.
    ///
    /// Suppressed faults of [`Chaos`](crate::Chaos), of lossy links and of `buggify!` do not
    /// happen; a suppressed crash, pause, partition or hold of the test has no effect. Unless set,
    /// the faults are those of `ANYRT_SIM_FAULTS`, if the seed comes from the environment, too.
    pub fn only_faults(mut self, faults: impl IntoIterator<Item = FaultId>) -> Self {
        self.options.only_faults = Some(faults.into_iter().collect());
        self
    }
}
