//! The contract of all runtimes, simulated.

use std::process::ExitCode;

use anyrt_sim::Sim;
use anyrt_testkit::{Suite, current_thread};

/// Open to threads from outside, because many cases are about those.
const SEEDS: [u64; 3] = [0, 1, 2];

fn main() -> ExitCode {
    SEEDS
        .into_iter()
        .fold(Suite::new(), |suite, seed| {
            suite.simulated(&format!("sim_open_{seed}"), current_thread, move |config| {
                Sim::builder().seed(seed).config(config).open().build()
            })
        })
        .run()
}
