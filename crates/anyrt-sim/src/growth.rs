//! Tests that the cost of an event grows with the logarithm of the number of nodes, timers and ready
//! tasks, by counting.
//!
//! The loops of the ready set and the agenda count their rounds. A loop elsewhere is not counted.

use std::cell::Cell;
use std::time::Duration;

use anyrt_core::task::yield_now;
use anyrt_core::{Spawner, Timer};

use crate::{Schedule, Sim, SimRuntime};

thread_local! {
    static ROUNDS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a round of a loop.
pub(crate) fn count() {
    ROUNDS.set(ROUNDS.get() + 1);
}

fn here() -> SimRuntime {
    SimRuntime::try_current().expect("it runs in a simulation")
}

/// Returns the rounds for each event of a program.
fn rounds(schedule: Schedule, program: impl FnOnce(&Sim)) -> f64 {
    let sim = Sim::builder().seed(1).schedule(schedule).build();
    let sim = sim.expect("the options are valid");
    program(&sim);
    ROUNDS.set(0);
    sim.run().expect("all clients end");
    ROUNDS.get() as f64 / sim.step_count() as f64
}

/// Each node waits for timers of its own, which are due at different times.
fn nodes(sim: &Sim, count: u64) {
    for number in 0..count {
        sim.client(&format!("node-{number}"), async move {
            for round in 0..10 {
                let micros = 1_000 + (number * 7_919 + round * 104_729) % 100_000;
                here().sleep(Duration::from_micros(micros)).await;
            }
        });
    }
}

/// All tasks of one node are ready at once, and have a timer as well.
fn tasks(sim: &Sim, count: u64) {
    sim.client("node", async move {
        let tasks = (0..count).map(|number| {
            here().spawn(async move {
                let _later = here().sleep(Duration::from_secs(number));
                for _ in 0..10 {
                    yield_now().await;
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("it ends");
        }
    });
}

/// The rounds that an event may cost more if there are twice as many: one for each of the loops of
/// logarithmic length, which are the choice of a task, its removal and its return.
const MORE: f64 = 3.5;

#[test]
fn twice_as_many_nodes_and_tasks_cost_an_event_a_constant_more() {
    for (name, program) in [("nodes", nodes as fn(&Sim, u64)), ("tasks", tasks)] {
        for count in [250, 500, 1_000] {
            let of = |count| rounds(Schedule::Random, |sim| program(sim, count));
            let (once, twice) = (of(count), of(2 * count));
            assert!(once > 0.1, "{count} {name}: the loops count nothing");
            assert!(
                twice - once <= MORE,
                "{count} {name}: {once:.2} rounds for an event, {twice:.2} with twice as many"
            );
        }
    }
}
