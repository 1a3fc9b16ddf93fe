//! Blocking in place, ids, and sets of tasks.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use anyrt::runtime::{Backend, Builder, Handle, Runtime};
use anyrt::sync::oneshot;
use anyrt::task::{
    self, JoinError, JoinSet, block_in_place, id, spawn_blocking, try_id, unconstrained, yield_now,
};
use anyrt::time::{Duration, sleep};

#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn other_tasks_go_on_while_one_blocks_in_place() {
    let (sender, receiver) = mpsc::channel();
    // The only worker blocks until another of its tasks, queued before and after, has run.
    let other = sender.clone();
    let blocked = anyrt::spawn(async move {
        anyrt::spawn(async move {
            sleep(Duration::from_millis(1)).await;
            other.send(1).unwrap();
        });
        let thread = thread::current().id();
        let sum = block_in_place(|| {
            anyrt::spawn(async move {
                yield_now().await;
                sender.send(2).unwrap();
            });
            receiver.recv().unwrap() + receiver.recv().unwrap()
        });
        yield_now().await;
        (sum, thread == thread::current().id())
    });
    let (sum, _) = blocked.await.unwrap();
    assert_eq!(sum, 3);
    // Again, after the substitute has ended.
    for _ in 0..3 {
        assert_eq!(
            anyrt::spawn(async { block_in_place(|| 7) }).await.unwrap(),
            7
        );
    }
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_blocks_in_place_may_block_on() {
    let task = anyrt::spawn(async {
        let handle = Handle::current();
        block_in_place(|| {
            handle.block_on(async {
                sleep(Duration::from_millis(1)).await;
                anyrt::spawn(async { 7 }).await.unwrap()
            })
        })
    });
    assert_eq!(task.await.unwrap(), 7);
    // Also in the future given to `block_on`.
    let handle = Handle::current();
    assert_eq!(block_in_place(|| handle.block_on(async { 8 })), 8);
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_workers_may_block_in_place_at_once() {
    let barrier = Arc::new(Barrier::new(6));
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            anyrt::spawn(async move { block_in_place(|| barrier.wait().is_leader()) })
        })
        .collect();
    let mut leaders = 0;
    for task in tasks {
        leaders += usize::from(task.await.unwrap());
    }
    assert_eq!(leaders, 1);
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_short_job_blocks_in_place_everywhere() {
    let id = anyrt::spawn(async { (id(), block_in_place(id)) })
        .await
        .unwrap();
    assert_eq!(id.0, id.1);
    assert_eq!(block_in_place(|| 7), 7);
    let nested = spawn_blocking(|| block_in_place(|| block_in_place(|| 8)));
    assert_eq!(nested.await.unwrap(), 8);
    let panicked = anyrt::spawn(async { block_in_place(|| panic!("on purpose")) }).await;
    assert!(panicked.unwrap_err().is_panic());
}

#[anyrt::test]
async fn on_the_current_thread_nobody_takes_over() {
    let inside = catch_unwind(|| block_in_place(|| ())).unwrap_err();
    let message = inside.downcast_ref::<String>().map_or_else(
        || inside.downcast_ref::<&str>().copied().unwrap().to_owned(),
        Clone::clone,
    );
    assert!(
        message.contains("can call blocking only when running on the multi-threaded runtime"),
        "{message}"
    );
    let in_task = anyrt::spawn(async { block_in_place(|| ()) }).await;
    assert!(in_task.unwrap_err().is_panic());
    assert_eq!(spawn_blocking(|| block_in_place(|| 7)).await.unwrap(), 7);
}

#[test]
fn outside_a_runtime_the_job_just_runs() {
    assert_eq!(block_in_place(|| 7), 7);
    assert!(catch_unwind(id).is_err());
    assert_eq!(try_id(), None);
}

#[anyrt::test]
async fn a_task_knows_its_id() {
    assert_eq!(try_id(), None);
    let (ask, asked) = oneshot::channel();
    let task = anyrt::spawn(async move {
        let before = id();
        asked.await.unwrap();
        assert_eq!(try_id(), Some(before));
        before
    });
    let known = task.id();
    ask.send(()).unwrap();
    assert_eq!(task.await.unwrap(), known);
    let job = spawn_blocking(id);
    let known = job.id();
    assert_eq!(job.await.unwrap(), known);
    let inside = task::LocalSet::new();
    let local = inside.run_until(async {
        let local = task::spawn_local(async { id() });
        let known = local.id();
        assert_eq!(local.await.unwrap(), known);
    });
    local.await;
    assert_eq!(try_id(), None);
}

#[anyrt::test]
async fn destructors_know_whose_they_are() {
    struct Tell(mpsc::Sender<Option<task::Id>>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(try_id());
        }
    }
    let (sender, told) = mpsc::channel();
    // The future of a task that is aborted.
    let tell = Tell(sender.clone());
    let aborted = anyrt::spawn(async move {
        let _tell = tell;
        pending::<()>().await;
    });
    yield_now().await;
    let known = aborted.id();
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled());
    assert_eq!(told.recv().unwrap(), Some(known));
    // A result that is never taken.
    let tell = Tell(sender);
    let task = anyrt::spawn(async move { tell });
    let known = task.id();
    while !task.is_finished() {
        yield_now().await;
    }
    drop(task);
    assert_eq!(told.recv().unwrap(), Some(known));
}

#[anyrt::test]
async fn an_error_tells_what_happened() {
    let task = anyrt::spawn(async { panic!("on purpose") });
    let known = task.id();
    let error = task.await.unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert_eq!(error.id(), known);
    assert!(
        error
            .to_string()
            .ends_with("panicked with message \"on purpose\""),
        "{error}"
    );
    assert_eq!(
        error.try_into_panic().unwrap().downcast_ref(),
        Some(&"on purpose")
    );
    let task = anyrt::spawn(pending::<()>());
    task.abort();
    let error = task.await.unwrap_err();
    let into = catch_unwind(AssertUnwindSafe(|| error.into_panic()));
    assert!(into.is_err());
    let task = anyrt::spawn(pending::<()>());
    task.abort();
    let error: JoinError = task.await.unwrap_err().try_into_panic().unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(
        std::io::Error::from(error).kind(),
        std::io::ErrorKind::Other
    );
}

#[anyrt::test]
async fn a_set_takes_every_kind_of_task() {
    let mut set: JoinSet<u32> = (0..3).map(|number| async move { number }).collect();
    set.extend((3..5).map(|number| async move { number }));
    set.spawn_on(async { 5 }, &Handle::current());
    set.spawn_blocking(|| 6);
    set.spawn_blocking_on(|| 7, &Handle::current());
    let local = task::LocalSet::new();
    set.spawn_local_on(async { 8 }, &local);
    local.await;
    assert_eq!(set.len(), 9);
    let mut all = set.join_all().await;
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_set_takes_tasks_of_every_runtime() {
    let runtimes: Vec<Runtime> = Backend::enabled()
        .iter()
        .map(|&backend| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).backend(backend).build().unwrap()
        })
        .collect();
    for root in &runtimes {
        let mut set = JoinSet::new();
        // Twice, so that each kind is added to a set that has tasks of the others.
        for runtime in runtimes.iter().chain(&runtimes) {
            set.spawn_on(async { Handle::current().backend() }, runtime.handle());
        }
        set.spawn_on(pending(), root.handle());
        assert_eq!(set.len(), 2 * runtimes.len() + 1);
        root.block_on(async {
            set.spawn(async { Handle::current().backend() });
            for _ in 0..2 * runtimes.len() + 1 {
                set.join_next().await.unwrap().unwrap();
            }
            assert!(set.try_join_next().is_none());
            set.abort_all();
            let (last, none) = (set.join_next_with_id().await, set.join_next().await);
            assert!(last.unwrap().unwrap_err().is_cancelled());
            assert!(none.is_none());
        });
    }
}

#[anyrt::test]
async fn a_set_joins_in_every_way() {
    let mut set = JoinSet::new();
    assert!(set.join_next().await.is_none());
    assert!(set.try_join_next().is_none());
    let first = set.spawn(async { 1 });
    assert_eq!(
        set.join_next_with_id().await.unwrap().unwrap(),
        (first.id(), 1)
    );
    let second = set.spawn(async { 2 });
    let joined = poll_fn(|cx| set.poll_join_next_with_id(cx)).await;
    assert_eq!(joined.unwrap().unwrap(), (second.id(), 2));
    set.spawn(async { 3 });
    assert_eq!(
        poll_fn(|cx| set.poll_join_next(cx)).await.unwrap().unwrap(),
        3
    );
    for number in 0..500 {
        set.spawn(async move { number });
    }
    while !set.is_empty() {
        // However small the budget is, finished tasks are returned.
        while set.try_join_next().is_some() {}
        yield_now().await;
    }
    set.spawn(pending());
    set.abort_all();
    assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    set.spawn(pending());
    set.shutdown().await;
    assert!(set.is_empty());
    let (sender, receiver) = oneshot::channel();
    set.spawn(async { sender.send(4).map_or(0, |()| 4) });
    set.detach_all();
    assert_eq!(receiver.await.unwrap(), 4);
}

#[anyrt::test]
async fn an_unconstrained_task_ends_in_one_poll() {
    let mut polls = 0;
    let mut work = std::pin::pin!(unconstrained(async {
        for _ in 0..1000 {
            task::consume_budget().await;
        }
    }));
    poll_fn(|cx| {
        polls += 1;
        work.as_mut().poll(cx)
    })
    .await;
    assert_eq!(polls, 1);
}

#[test]
fn a_blocking_thread_of_one_runtime_may_drive_another() {
    for &outer in Backend::enabled() {
        for &inner in Backend::enabled() {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .backend(outer)
                .build()
                .unwrap();
            let job = runtime.spawn_blocking(move || {
                let runtime = Builder::new_current_thread()
                    .backend(inner)
                    .build()
                    .unwrap();
                runtime.block_on(async { anyrt::spawn(async { 7 }).await.unwrap() })
            });
            assert_eq!(runtime.block_on(job).unwrap(), 7, "{inner} in {outer}");
        }
    }
}

/// Jobs that were passed to Tokio itself.
#[anyrt::test(backend = "tokio", flavor = "multi_thread")]
async fn a_job_of_tokio_itself_may_drive_another_runtime() {
    let job = tokio::task::spawn_blocking(|| {
        for &backend in Backend::enabled() {
            let runtime = Builder::new_current_thread()
                .backend(backend)
                .build()
                .unwrap();
            assert_eq!(runtime.block_on(async { 7 }), 7);
        }
    });
    job.await.unwrap();
}

/// A future with a buffer of 128 KiB, which a test without optimization copies at each step.
async fn large() -> bool {
    let buffer = [7_u8; 128 * 1024];
    yield_now().await;
    buffer.iter().all(|byte| *byte == 7)
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_futures_and_jobs_fit_the_stack_of_a_worker_in_whatever_way_they_are_started() {
    let on_a_worker = async {
        let handle = Handle::current();
        let mut set = JoinSet::new();
        set.spawn(large());
        set.spawn_on(large(), &handle);
        let buffer = [7_u8; 128 * 1024];
        set.spawn_blocking(move || buffer.iter().all(|byte| *byte == 7));
        let tasks = [task::spawn(large()), handle.spawn(large())];
        for task in tasks {
            assert!(task.await.unwrap());
        }
        set.join_all().await.into_iter().all(|is_whole| is_whole)
    };
    assert!(task::spawn(on_a_worker).await.unwrap());
    let inside = task::LocalSet::new();
    assert!(
        inside
            .run_until(async { task::spawn_local(large()).await.unwrap() })
            .await
    );
    let set = task::LocalSet::new();
    let in_set = set.spawn_local(large());
    assert!(set.run_until(in_set).await.unwrap());
}

#[anyrt::test]
async fn block_on_takes_large_futures() {
    let backend = Handle::current().backend();
    let job = spawn_blocking(move || {
        let runtime = Builder::new_multi_thread().backend(backend).build()?;
        assert!(runtime.block_on(large()));
        assert!(runtime.handle().block_on(large()));
        Ok::<_, std::io::Error>(())
    });
    job.await.unwrap().unwrap();
}
