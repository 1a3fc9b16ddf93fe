//! Runs a changing set of tasks, takes their results as they finish, and stops the rest.
//!
//! Use a `JoinSet` when the number of tasks is known only at run time, and when none may outlive
//! the code that started it.
//! What guides miss: results come in the order in which tasks finish, not in that of spawning;
//! dropping the set aborts its tasks, while dropping a `Vec<JoinHandle>` leaves them running.

use std::sync::Arc;

use anyhow::Context;
use anyrt::sync::Semaphore;
use anyrt::task::JoinSet;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: dynamic
    // A task's result may ask for more tasks: here, the children of a node in a tree.
    let mut tasks = JoinSet::new();
    tasks.spawn(async { visit(1) });
    let mut visited = Vec::new();
    while let Some(result) = tasks.join_next().await {
        let (node, children) = result?;
        visited.push(node);
        for child in children {
            tasks.spawn(async move { visit(child) });
        }
    }
    visited.sort_unstable();
    assert_eq!(visited, (1..32).collect::<Vec<_>>());
    // ANCHOR_END: dynamic

    // ANCHOR: limit
    // At most four at once. The permit is taken before the task exists, so that waiting tasks cost
    // nothing.
    let slots = Arc::new(Semaphore::new(4));
    let mut tasks = JoinSet::new();
    for number in 0..20_u64 {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        tasks.spawn(async move {
            let square = number * number;
            drop(slot);
            square
        });
    }
    let squares: u64 = tasks.join_all().await.iter().sum();
    assert_eq!(squares, 2470);
    // ANCHOR_END: limit

    // ANCHOR: abort_all
    // The first answer wins. `shutdown` aborts the others and waits until their futures are
    // dropped.
    let witness = Arc::new(());
    let mut replicas = JoinSet::new();
    for replica in 0..3 {
        let held = Arc::clone(&witness);
        replicas.spawn(async move {
            if replica != 1 {
                std::future::pending::<()>().await;
            }
            drop(held);
            replica
        });
    }
    let first = replicas.join_next().await.context("three were spawned")??;
    replicas.shutdown().await;
    assert_eq!((first, Arc::strong_count(&witness)), (1, 1));
    // ANCHOR_END: abort_all

    println!(
        "join_set: {} nodes visited, squares add up to {squares}, replica {first} was first",
        visited.len()
    );
    Ok(())
}

fn visit(node: u32) -> (u32, Vec<u32>) {
    let children = [2 * node, 2 * node + 1]
        .into_iter()
        .filter(|child| *child < 32);
    (node, children.collect())
}
