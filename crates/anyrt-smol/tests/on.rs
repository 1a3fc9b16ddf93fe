//! A runtime on an executor of the application.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyrt_core::{Blocking, Spawner, Timer};
use anyrt_smol::SmolRuntime;
use async_executor::Executor;

/// Long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_blocking_job_sees_its_runtime_although_all_handles_are_gone() {
    let executor = Arc::new(Executor::new());
    // The thread of the job starts before or after the handle is dropped.
    for _ in 0..100 {
        let rt = SmolRuntime::on(Arc::clone(&executor));
        let job = rt.spawn_blocking(|| SmolRuntime::try_current().is_some());
        drop(rt);
        assert!(async_io::block_on(job).unwrap());
    }
}

#[test]
fn a_native_task_that_blocks_in_place_may_wait_for_another_one() {
    let (tell, told) = mpsc::channel();
    // The only thread of the executor.
    thread::spawn(move || {
        let executor = Arc::new(Executor::new());
        let rt = SmolRuntime::on(Arc::clone(&executor));
        let native = executor.spawn(async move {
            rt.block_in_place(|| {
                rt.block_on(async {
                    rt.sleep(Duration::from_millis(1)).await;
                    rt.spawn(async { 7 }).await.unwrap()
                })
            })
        });
        let _ = tell.send(async_io::block_on(executor.run(native)));
    });
    let value = told.recv_timeout(LIMIT).expect("a task waits for ever");
    assert_eq!(value, 7);
}
