//! One execution of a test body.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyrt_core::runtime::Owner;

use super::outside::Outside;
use super::plan::{How, Test};
use crate::failure::{Failure, place};
use crate::injected::Fault;
use crate::runtime::Sim;
use crate::trace::Step;

/// A test body: its future returns a description if the test fails.
pub type Body = Pin<Box<dyn Future<Output = Option<String>> + Send>>;

/// The events that must happen under some seed, and whether they did.
pub(super) type Sometimes = BTreeMap<String, bool>;

/// One execution.
pub(super) struct Execution {
    pub(super) sometimes: Sometimes,
    pub(super) hash: u64,
    /// The virtual time at its end.
    pub(super) time: Duration,
    pub(super) step_count: u64,
    pub(super) steps: Vec<Step>,
    pub(super) failure: Option<Failed>,
    pub(super) foreign_wakes: u64,
    pub(super) faults: Vec<Fault>,
    pub(super) fault_count: u64,
    pub(super) outside: Outside,
}

pub(super) enum Failed {
    Simulation(Box<Failure>),
    Body(String),
}

/// Creates the bodies of a test, one for each execution.
pub(super) type Make = Arc<dyn Fn() -> Body + Send + Sync>;

/// The node that runs the body.
pub(super) const NODE: &str = "test";

pub(super) fn execute(test: &Test, make: &Make, how: &How) -> Execution {
    let before = how.watches.then(Outside::look);
    let (sim, failure) = simulate(test, make, how);
    let outside = before.map_or_else(Outside::default, |before| Outside::look().since(before));
    let (time, step_count) = match &failure {
        Some(Failed::Simulation(failure)) => (failure.time(), failure.step()),
        _ => (sim.handle().elapsed(), sim.step_count()),
    };
    Execution {
        sometimes: sim.sometimes(),
        hash: sim.hash(),
        time,
        step_count,
        steps: sim.steps(),
        foreign_wakes: sim.foreign_wakes(),
        faults: sim.faults(),
        fault_count: sim.fault_count(),
        outside,
        failure,
    }
}

/// Runs one seed. Returns its simulation as well.
///
/// It uses a thread of its own: thread-local values of the program, such as std's keys of hash
/// maps, would otherwise survive from one seed to the next.
pub(super) fn simulate(test: &Test, make: &Make, how: &How) -> (Sim, Option<Failed>) {
    thread::scope(|scope| {
        let quiet = place::is_quiet();
        let run = move || match quiet {
            true => place::quietly(|| simulate_here(test, make, how)),
            false => simulate_here(test, make, how),
        };
        let thread = thread::Builder::new()
            .name(test.name.to_owned())
            .spawn_scoped(scope, run);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(simulated)) => simulated,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(error) => panic!("{}: no thread for seed {}: {error}", test.name, how.seed),
        }
    })
}

pub(super) fn simulate_here(test: &Test, make: &Make, how: &How) -> (Sim, Option<Failed>) {
    let mut builder = Sim::builder().seed(how.seed);
    if how.record {
        builder = builder.record();
    }
    if !how.explains {
        builder = builder.unexplained();
    }
    if let Some(faults) = &how.faults {
        builder = builder.only_faults(faults.iter().copied());
    }
    if let Some(limit) = how.time_limit {
        builder = builder.time_limit(Some(limit));
    }
    let sim = match builder.build() {
        Ok(sim) => sim,
        Err(error) => panic!("{}: {error}", test.name),
    };
    let told = Arc::new(Mutex::new(None));
    let (make, tell) = (Arc::clone(make), Arc::clone(&told));
    sim.client(NODE, async move {
        if let Some(text) = make().await {
            *tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    });
    let result = sim.run();
    let told = told.lock().unwrap_or_else(PoisonError::into_inner).take();
    let failed = match (result, told) {
        (Err(failure), _) => Some(Failed::Simulation(Box::new(failure))),
        (Ok(()), told) => told.map(Failed::Body),
    };
    (sim, failed)
}

/// A failing seed.
pub(super) struct Failing {
    pub(super) how: How,
    /// The execution that failed; `None` if two executions differed.
    pub(super) execution: Option<Box<Execution>>,
}

/// Runs one seed. Returns the events that must happen sometimes, or the failure.
pub(super) fn run_seed(
    test: &Test,
    make: &Make,
    how: How,
    compares: bool,
) -> Result<Sometimes, Failing> {
    let first = execute(test, make, &how);
    if first.failure.is_some() {
        let execution = Some(Box::new(first));
        return Err(Failing { how, execution });
    }
    if compares && execute(test, make, &how).hash != first.hash {
        return Err(Failing {
            how,
            execution: None,
        });
    }
    Ok(first.sometimes)
}

pub(super) fn merge(all: &mut Sometimes, one: Sometimes) {
    for (name, happened) in one {
        *all.entry(name).or_default() |= happened;
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are limited in real time too"
)]
pub(super) fn real_now() -> Instant {
    Instant::now()
}
