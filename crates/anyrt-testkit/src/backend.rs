//! The runtime under test, for cases that build it themselves.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use anyrt_core::BuildError;
use anyrt_core::runtime::{Builder, Config, Owner};

use crate::simulation::{self, Peers, Simulation};
use crate::watchdog;

type Build<O> = dyn Fn(&Config) -> Result<(O, Option<Peers>), BuildError> + Send + Sync;

/// Builds runtimes of the kind and with the options under which the backend is registered.
pub struct Backend<O> {
    name: String,
    config: Config,
    build: Arc<Build<O>>,
    /// The peers of each simulation that was built.
    peers: Arc<Mutex<Vec<Arc<Peers>>>>,
}

impl<O: Owner> Backend<O> {
    pub(crate) fn new(
        name: String,
        config: Config,
        build: impl Fn(&Config) -> Result<O, BuildError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            config,
            build: Arc::new(move |config| Ok((build(config)?, None))),
            peers: Arc::default(),
        }
    }

    pub(crate) fn simulated(
        name: String,
        config: Config,
        build: impl Fn(&Config) -> Result<Simulation<O>, BuildError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            config,
            build: Arc::new(move |config| {
                let Simulation { owner, peers } = build(config)?;
                Ok((owner, Some(peers)))
            }),
            peers: Arc::default(),
        }
    }

    /// What must be equal for all executions under one seed; `None` if something foreign took part.
    pub(crate) fn fingerprint(&self) -> Option<Vec<u64>> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.iter().map(|peers| peers.fingerprint()).collect()
    }

    /// Returns the name of the registration: `tokio`, `tokio_current_thread`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the options of the registration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Builds a runtime.
    ///
    /// # Panics
    /// Panics if it cannot be built, so that the case fails. If the system lacks what the backend
    /// needs ([`BuildError::Unavailable`]), the case is skipped with that reason.
    #[track_caller]
    pub fn build(&self) -> O {
        self.build_with(|_| {})
    }

    /// Builds a runtime with changed options.
    ///
    /// # Panics
    /// See [`build`](Self::build).
    #[track_caller]
    pub fn build_with(&self, options: impl FnOnce(&mut Builder<O>)) -> O {
        match self.try_build(options) {
            Ok(owner) => owner,
            Err(error) => panic!("{error}"),
        }
    }

    /// Builds a runtime with changed options, or returns the error.
    ///
    /// # Errors
    /// See [`Owner::build`].
    ///
    /// # Panics
    /// Skips the case on [`BuildError::Unavailable`].
    pub fn try_build(&self, options: impl FnOnce(&mut Builder<O>)) -> Result<O, BuildError> {
        let mut builder = Builder::from_config(self.config.clone());
        options(&mut builder);
        match (self.build)(builder.config()) {
            Err(error @ BuildError::Unavailable { .. }) => watchdog::skip(error.to_string()),
            Err(error) => Err(error),
            Ok((owner, None)) => Ok(owner),
            Ok((owner, Some(peers))) => {
                let peers = Arc::new(peers);
                simulation::set_peers(Some(Arc::clone(&peers)));
                let mut all = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(peers);
                Ok(owner)
            }
        }
    }

    /// Skips the case unless the runtime has at least `count` workers.
    ///
    /// # Panics
    /// Panics to skip the case. The reason is printed.
    pub fn needs_workers(&self, count: usize) {
        let workers = self.config.workers();
        if workers < count {
            watchdog::skip(format!(
                "needs {count} workers, {} has {workers}",
                self.name
            ));
        }
    }
}

// Not derived, because owners need not be `Clone`.
impl<O> Clone for Backend<O> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            config: self.config.clone(),
            build: Arc::clone(&self.build),
            peers: Arc::clone(&self.peers),
        }
    }
}

impl<O> fmt::Debug for Backend<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
