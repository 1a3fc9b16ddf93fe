//! async-std's own executor, with one thread. The environment at its start determines the number,
//! so the test starts this program again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyrt_async_std::AsyncStdRuntime;
use anyrt_core::Spawner;

const THREADS: &str = "ASYNC_STD_THREAD_COUNT";
/// Long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_task_that_blocks_in_place_may_wait_for_another_one() {
    const NAME: &str = "a_task_that_blocks_in_place_may_wait_for_another_one";

    if env::var_os(THREADS).is_some_and(|count| count == "1") {
        return wait_in_place();
    }
    let mut program = Command::new(env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(THREADS, "1")
        .spawn()
        .unwrap();
    assert!(program.wait().unwrap().success());
}

/// Three nested tasks that block need four threads, which is the maximum. Then twenty more, one
/// after the other.
fn wait_in_place() {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let rt = AsyncStdRuntime::global();
        let mut sum = rt.block_on(in_place(&rt, in_place(&rt, in_place(&rt, async { 1 }))));
        for _ in 0..20 {
            sum += rt.block_on(in_place(&rt, async { 1 }));
        }
        let _ = tell.send(sum);
    });
    let sum = told.recv_timeout(LIMIT).expect("a task waits for ever");
    assert_eq!(sum, 21);
}

/// Spawns a task that blocks its thread until another task with `future` has finished.
fn in_place<F>(rt: &AsyncStdRuntime, future: F) -> impl Future<Output = F::Output> + Send + 'static
where
    F: Future<Output: Send> + Send + 'static,
{
    let rt = rt.clone();
    async move {
        let handle = rt.clone();
        let wait = move || handle.block_in_place(|| handle.block_on(handle.spawn(future)));
        rt.spawn(async move { wait() }).await.unwrap().unwrap()
    }
}
