//! The contract of all runtimes, simulated: closed simulations, which replay, and open ones for what needs threads.
//!
//! Each case runs under many seeds, and its peers on a second node. `ANYRT_SIM_SEED=17` runs only that seed,
//! `ANYRT_SIM_SEEDS=1000` as many.

use std::future::pending;
use std::process::ExitCode;

use anyrt_core::BuildError;
use anyrt_core::runtime::{Config, Owner};
use anyrt_sim::{Builder, Schedule, Sim, SimRuntime, testing};
use anyrt_testkit::{Seeds, Simulation, Suite, current_thread};

mod left_out;

/// Two under each schedule; 0 and 4 are run twice.
const CLOSED: u64 = 6;
/// Their order of events is that of the threads rather than that of the seed.
const OPEN: u64 = 2;

const REPLAY: &str =
    "ANYRT_SIM_SEED={seed} cargo test -p anyrt-sim --test conformance -- --exact {case}";

fn main() -> ExitCode {
    let range = |seeds| match testing::seeds(seeds) {
        Ok(range) => range,
        Err(why) => panic!("{why}"),
    };
    let seeds = |seeds| Seeds {
        range: range(seeds),
        replay: REPLAY,
    };
    let closed_only = [left_out::ALWAYS, left_out::CLOSED].concat();
    let always = left_out::ALWAYS.to_vec();
    Suite::new()
        .simulated("sim", current_thread, seeds(CLOSED), closed_only, closed)
        .simulated("sim_open", current_thread, seeds(OPEN), always, open)
        .run()
}

/// Peers across a link with latency, and a schedule that depends on the seed.
fn closed(seed: u64, config: &Config) -> Result<Simulation<Sim>, BuildError> {
    let schedules = [Schedule::Random, Schedule::Pct { depth: 3 }, Schedule::Fifo];
    let schedule = schedules[(seed % 3) as usize];
    let (simulation, peers) = with_peers(Sim::builder().schedule(schedule), seed, config)?;
    let rt = peers.clone();
    Ok(simulation
        .in_lock_step(peers, |peers, future| peers.block_on(future))
        .fingerprint(move || (rt.foreign_wakes() == 0).then(|| rt.hash())))
}

fn open(seed: u64, config: &Config) -> Result<Simulation<Sim>, BuildError> {
    Ok(with_peers(Sim::builder().open(), seed, config)?.0)
}

/// Two nodes: one runs the case, and the other one its peers.
fn with_peers(
    builder: Builder,
    seed: u64,
    config: &Config,
) -> Result<(Simulation<Sim>, SimRuntime), BuildError> {
    let sim = builder.seed(seed).config(config).build()?;
    let here = sim.handle().node().ip();
    let node = sim.host("peers", pending);
    let peers = node.runtime();
    Ok((Simulation::new(sim, here, peers.clone(), node.ip()), peers))
}
