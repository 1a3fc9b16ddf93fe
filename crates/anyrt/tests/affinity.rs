//! Bound workers bind no other thread or process to their core. A separate program, because the
//! signal thread is started once per process, here by a bound worker.
#![cfg(all(target_os = "linux", feature = "process", feature = "signal"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;

use anyrt::process::Command;
use anyrt::runtime::{Backend, Builder, Runtime};
use anyrt::signal::unix::{SignalKind, signal};
use anyrt::task::{block_in_place, spawn_blocking};
use rustix::thread::{Pid, sched_getaffinity};

fn pinned(workers: usize) -> impl Iterator<Item = Runtime> {
    Backend::enabled().iter().filter_map(move |backend| {
        let mut builder = Builder::new_multi_thread();
        builder
            .backend(*backend)
            .worker_threads(workers)
            .pin_workers(true);
        let runtime = builder.enable_all().build();
        if *backend == Backend::Tokio {
            assert_eq!(runtime.unwrap_err().kind(), io::ErrorKind::Unsupported);
            return None;
        }
        Some(runtime.unwrap())
    })
}

fn cores(thread: Option<Pid>) -> u32 {
    sched_getaffinity(thread).unwrap().count()
}

/// Returns the cores, in the format of `taskset -p`.
async fn cores_of_a_child() -> usize {
    let mut command = Command::new("nproc");
    let output = command.output().await.unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn what_a_bound_worker_starts_may_run_on_all_cores_of_the_process() {
    let all = cores(None);
    for runtime in pinned(2) {
        let task = runtime.spawn(async move {
            assert_eq!(cores(None), 1, "the worker");
            let jobs: Vec<_> = (0..3).map(|_| spawn_blocking(|| cores(None))).collect();
            for job in jobs {
                assert_eq!(job.await.unwrap(), all, "a blocking thread");
            }
            assert_eq!(
                u32::try_from(cores_of_a_child().await).unwrap(),
                all,
                "a child"
            );
            let substitute = block_in_place(|| anyrt::spawn(async {}));
            substitute.await.unwrap();
            let _signal = signal(SignalKind::user_defined1()).unwrap();
            assert_eq!(cores(None), 1, "the worker is bound again");
        });
        runtime.block_on(task).unwrap();
        // A runtime that is built on a bound worker may use all cores.
        let inner = runtime.spawn_blocking(|| {
            let runtime = Runtime::new().unwrap();
            let cores = runtime.block_on(async { anyrt::spawn(async { cores(None) }).await });
            cores.unwrap()
        });
        assert_eq!(runtime.block_on(inner).unwrap(), all);
    }
    // The only worker blocks, so another thread runs the task.
    for runtime in pinned(1) {
        let handle = runtime.handle().clone();
        let task = runtime.spawn(async move {
            let worker = sched_getaffinity(None).unwrap();
            let elsewhere = block_in_place(|| {
                handle.block_on(anyrt::spawn(async { sched_getaffinity(None).unwrap() }))
            });
            assert_eq!(elsewhere.unwrap(), worker, "the substitute of a worker");
        });
        runtime.block_on(task).unwrap();
        let freed = runtime.spawn_blocking(|| cores(None));
        assert_eq!(runtime.block_on(freed).unwrap(), all, "a former substitute");
    }
    let signals = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .find_map(|task| {
            let task = task.unwrap();
            let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
            let id = task.file_name().to_str()?.parse().ok()?;
            (name.trim() == "anyrt-signals").then(|| Pid::from_raw(id).unwrap())
        });
    if let Some(signals) = signals {
        assert_eq!(
            cores(Some(signals)),
            all,
            "the thread that waits for signals"
        );
    }
}
