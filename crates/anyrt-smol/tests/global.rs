//! Smol's own executor, which has one thread.
#![cfg(feature = "global")]

use std::time::Duration;

use anyrt_core::{Blocking, Spawner, Timer};
use anyrt_smol::SmolRuntime;

// Not for another task, since no other thread would run it.
#[test]
fn a_task_that_blocks_in_place_may_wait_for_a_timer_and_a_blocking_job() {
    let rt = SmolRuntime::global();
    let handle = rt.clone();
    let blocks = rt.spawn(async move {
        handle.block_in_place(|| {
            handle.block_on(async {
                handle.sleep(Duration::from_millis(1)).await;
                handle.spawn_blocking(|| 7).await.unwrap()
            })
        })
    });
    let beside = rt.spawn(async { 1 });
    assert_eq!(rt.block_on(blocks).unwrap(), 7);
    assert_eq!(rt.block_on(beside).unwrap(), 1);
}
