//! async-std's own executor, with one thread. The environment at its start determines the number,
//! so the test starts this program again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyrt_async_std::AsyncStdRuntime;
use anyrt_core::{Blocking, Spawner};

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

/// A task of the application blocks the only thread. Three nested tasks that block need four
/// threads, which is the maximum. Then twenty more, one after the other.
fn wait_in_place() {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let rt = AsyncStdRuntime::global();
        let native = async_std::task::spawn({
            let rt = rt.clone();
            async move { rt.block_in_place(|| rt.block_on(rt.spawn(async { 1 }))) }
        });
        let mut sum = async_std::task::block_on(native).unwrap();
        sum += rt.block_on(in_place(&rt, in_place(&rt, in_place(&rt, async { 1 }))));
        for _ in 0..20 {
            sum += rt.block_on(in_place(&rt, async { 1 }));
        }
        let _ = tell.send(sum);
    });
    let sum = told.recv_timeout(LIMIT).expect("a task waits for ever");
    assert_eq!(sum, 22);
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

#[test]
fn block_on_in_a_native_task_is_refused() {
    let refused = || {
        let rt = AsyncStdRuntime::try_current().unwrap();
        let refused = catch_unwind(AssertUnwindSafe(|| rt.block_on(async {})));
        let message = refused.unwrap_err();
        let message = message.downcast_ref::<String>().unwrap();
        assert!(message.contains("from within"), "{message}");
    };
    async_std::task::block_on(async move { refused() });
    async_std::task::block_on(async_std::task::spawn(async move { refused() }));
    // Neither a task nor a thread of tasks.
    let rt = AsyncStdRuntime::global();
    let job = rt.spawn_blocking(|| AsyncStdRuntime::global().block_on(async { 7 }));
    assert_eq!(rt.block_on(job).unwrap(), 7);
}
