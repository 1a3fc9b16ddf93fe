//! The supported items of Tokio under `--cfg tokio_unstable`; see `scripts/check unstable`.
#![cfg(all(tokio_unstable, feature = "tracing"))]

use std::sync::mpsc;

use anyrt::runtime::{Builder, Handle};
use anyrt::task::{self, JoinSet, LocalSet};

#[anyrt::test]
async fn a_task_with_a_name_runs() {
    let named = task::Builder::new().name("sum");
    assert_eq!(named.spawn(async { 1 + 2 }).unwrap().await.unwrap(), 3);
    let named = task::Builder::new().name("job");
    assert_eq!(named.spawn_blocking(|| 4).unwrap().await.unwrap(), 4);
    let here = Handle::current();
    let named = task::Builder::new().name("there");
    assert_eq!(
        named.spawn_on(async { 5 }, &here).unwrap().await.unwrap(),
        5
    );
    let local = LocalSet::new();
    let named = task::Builder::new().name("local");
    let task = named.spawn_local_on(async { 6 }, &local).unwrap();
    local.await;
    assert_eq!(task.await.unwrap(), 6);
}

#[anyrt::test]
async fn a_set_builds_tasks_with_names() {
    let mut set = JoinSet::new();
    set.build_task().name("one").spawn(async { 1 }).unwrap();
    set.build_task().name("two").spawn_blocking(|| 2).unwrap();
    let mut sum = 0;
    while let Some(number) = set.join_next().await {
        sum += number.unwrap();
    }
    assert_eq!(sum, 3);
}

#[test]
fn the_threads_for_blocking_jobs_are_counted() {
    for backend in anyrt::runtime::Backend::enabled() {
        let rt = Builder::new_multi_thread()
            .backend(*backend)
            .worker_threads(1)
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let metrics = rt.metrics();
        let (started, has_started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let job = rt.spawn_blocking(move || {
            started.send(()).unwrap();
            released.recv().unwrap();
        });
        has_started.recv().unwrap();
        assert_eq!(metrics.num_blocking_threads(), 1, "{backend:?}");
        assert_eq!(metrics.num_idle_blocking_threads(), 0, "{backend:?}");
        let queued = rt.spawn_blocking(|| ());
        assert_eq!(metrics.blocking_queue_depth(), 1, "{backend:?}");
        release.send(()).unwrap();
        rt.block_on(async {
            job.await.unwrap();
            queued.await.unwrap();
        });
        assert_eq!(metrics.blocking_queue_depth(), 0, "{backend:?}");
    }
}
