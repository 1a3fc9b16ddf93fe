//! Tasks: running, joining, detaching, ids.

use std::cell::Cell;
use std::collections::HashSet;
use std::future::{Future, pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use anyrt_core::runtime::Owner;
use anyrt_core::task::{AbortHandle, JoinHandle, yield_now};
use anyrt_core::{Runtime, Spawner};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::case::cases;
use crate::{Backend, DropFlag, Gate, on_thread, panic_on_purpose, park_on, poll_once, settle};

cases! {
    async a_task_gives_its_value;
    async spawn_never_polls_inside_the_call;
    async dropping_the_handle_detaches_the_task;
    async dropping_the_handle_of_a_finished_task_drops_its_value;
    async a_detached_tasks_value_is_dropped;
    async the_future_is_dropped_before_the_handle_gives_the_value;
    async awaiting_the_handle_in_a_race_loses_nothing;
    async polling_a_handle_after_it_has_completed_panics;
    async is_finished_turns_true_without_a_join;
    async is_finished_is_false_while_the_task_waits;
    async ids_are_unique_among_all_kinds_of_tasks;
    async ids_are_not_reused_after_the_task_has_ended;
    async the_abort_handle_has_the_id_of_the_handle;
    async a_plain_thread_can_join;
    fn    another_runtime_can_join;
    fn    a_handle_spawns_from_a_thread_that_is_in_no_runtime;
    async spawning_in_a_spawned_task_a_hundred_thousand_deep_does_not_recurse;
    async ten_thousand_tasks_all_run;
    async futures_of_128_kib_are_spawned;
    async yield_now_lets_other_tasks_run;
    async two_tasks_that_only_yield_to_each_other_take_turns;
    fn    cpu_bound_tasks_run_on_two_workers_at_once;
    fn    blocked_tasks_do_not_keep_the_other_worker_from_its_tasks;
    async a_result_that_is_an_error_is_a_value;
    async a_handle_may_be_joined_by_another_task;
}

async fn a_task_gives_its_value<R: Runtime>(rt: R) {
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
    let text = String::from("moved in and out");
    assert_eq!(rt.spawn(async { text }).await.unwrap(), "moved in and out");
}

async fn spawn_never_polls_inside_the_call<R: Runtime>(rt: R) {
    thread_local! {
        static INSIDE_SPAWN: Cell<bool> = const { Cell::new(false) };
    }
    async fn spawn_and_check<R: Runtime>(rt: R) {
        INSIDE_SPAWN.set(true);
        let task = rt.spawn(async { INSIDE_SPAWN.get() });
        INSIDE_SPAWN.set(false);
        assert!(!task.await.unwrap(), "polled inside spawn");
    }
    for _ in 0..100 {
        spawn_and_check(rt.clone()).await;
        rt.spawn(spawn_and_check(rt.clone())).await.unwrap();
    }
}

async fn dropping_the_handle_detaches_the_task<R: Runtime>(rt: R) {
    let (go, done) = (Gate::new(), Gate::new());
    let (wait, tell) = (go.clone(), done.clone());
    drop(rt.spawn(async move {
        wait.wait().await;
        yield_now().await;
        tell.open();
    }));
    settle(&rt).await;
    go.open();
    done.wait().await;
}

async fn dropping_the_handle_of_a_finished_task_drops_its_value<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn(async { flag });
    while !task.is_finished() {
        yield_now().await;
    }
    assert!(!dropped.is_dropped(), "the value waits for its handle");
    drop(task);
    dropped.wait().await;
}

async fn a_detached_tasks_value_is_dropped<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let go = Gate::new();
    let wait = go.clone();
    drop(rt.spawn(async move {
        wait.wait().await;
        flag
    }));
    go.open();
    dropped.wait().await;
}

async fn the_future_is_dropped_before_the_handle_gives_the_value<R: Runtime>(rt: R) {
    struct Ready {
        _flag: DropFlag,
    }
    impl Future for Ready {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    for _ in 0..100 {
        let (flag, dropped) = DropFlag::new();
        rt.spawn(Ready { _flag: flag }).await.unwrap();
        assert!(dropped.is_dropped());
    }
}

async fn awaiting_the_handle_in_a_race_loses_nothing<R: Runtime>(rt: R) {
    let go = Gate::new();
    let wait = go.clone();
    let mut task = rt.spawn(async move {
        wait.wait().await;
        7
    });
    for _ in 0..10 {
        assert!(poll_once(&mut task).await.is_pending());
        yield_now().await;
    }
    go.open();
    assert_eq!((&mut task).await.unwrap(), 7);
}

async fn polling_a_handle_after_it_has_completed_panics<R: Runtime>(rt: R) {
    async fn join_twice<J: JoinHandle<u32>>(mut handle: J) {
        let first = (&mut handle).await;
        let id = handle.id();
        assert!(handle.is_finished());
        let again = AssertUnwindSafe(&mut handle).catch_unwind().await;
        assert!(again.is_err(), "{id} ended twice: {first:?}, {again:?}");
        handle.abort();
        assert!(handle.is_finished());
        assert_eq!(handle.id(), id);
    }
    join_twice(rt.spawn(async { 7 })).await;
    join_twice(rt.spawn_local(async { 7 })).await;
    join_twice(rt.spawn_blocking(|| 7)).await;
    let panics = poll_fn(|_| -> Poll<u32> { panic_on_purpose("oops") });
    join_twice(rt.spawn(panics)).await;
    let aborted = rt.spawn(pending());
    aborted.abort();
    join_twice(aborted).await;
}

async fn is_finished_turns_true_without_a_join<R: Runtime>(rt: R) {
    let task = rt.spawn(async { 7 });
    while !task.is_finished() {
        yield_now().await;
    }
    assert!(task.abort_handle().is_finished());
    assert_eq!(task.await.unwrap(), 7);
}

async fn is_finished_is_false_while_the_task_waits<R: Runtime>(rt: R) {
    let go = Gate::new();
    let task = rt.spawn(go.wait());
    settle(&rt).await;
    assert!(!task.is_finished());
    assert!(!task.abort_handle().is_finished());
    go.open();
    task.await.unwrap();
}

async fn ids_are_unique_among_all_kinds_of_tasks<R: Runtime>(rt: R) {
    let mut ids = HashSet::new();
    for _ in 0..100 {
        let (sent, local, blocking) = (
            rt.spawn(async {}),
            rt.spawn_local(async {}),
            rt.spawn_blocking(|| {}),
        );
        for id in [sent.id(), local.id(), blocking.id()] {
            assert!(ids.insert(id), "{id} was given twice");
        }
        sent.await.unwrap();
        local.await.unwrap();
        blocking.await.unwrap();
    }
}

async fn ids_are_not_reused_after_the_task_has_ended<R: Runtime>(rt: R) {
    let mut ids = HashSet::new();
    for _ in 0..1_000 {
        let task = rt.spawn(async {});
        assert!(ids.insert(task.id()));
        task.await.unwrap();
    }
}

async fn the_abort_handle_has_the_id_of_the_handle<R: Runtime>(rt: R) {
    let task = rt.spawn(pending::<()>());
    let id = task.id();
    assert_eq!(task.abort_handle().id(), id);
    task.abort();
    assert_eq!(task.await.unwrap_err().id(), id, "and so has the error");
}

async fn a_plain_thread_can_join<R: Runtime>(rt: R) {
    let go = Gate::new();
    let wait = go.clone();
    let task = rt.spawn(async move {
        wait.wait().await;
        7
    });
    let joined = on_thread(move || {
        go.open();
        park_on(task).unwrap()
    });
    assert_eq!(joined.await, 7);
}

fn another_runtime_can_join<O: Owner>(backend: &Backend<O>) {
    let (one, other) = (backend.build(), backend.build());
    let rt = one.handle().clone();
    let value = one.block_on(async {
        let go = Gate::new();
        let wait = go.clone();
        let task = rt.spawn(async move {
            wait.wait().await;
            7
        });
        on_thread(move || {
            let value = other.block_on(async {
                go.open();
                task.await.unwrap()
            });
            drop(other);
            value
        })
        .await
    });
    assert_eq!(value, 7);
}

fn a_handle_spawns_from_a_thread_that_is_in_no_runtime<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let task = owner.handle().spawn(async { 7 });
    assert_eq!(owner.block_on(task).unwrap(), 7);
}

async fn spawning_in_a_spawned_task_a_hundred_thousand_deep_does_not_recurse<R: Runtime>(rt: R) {
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    fn deeper<R: Runtime>(
        rt: R,
        left: usize,
        end: Gate,
        deepest: Arc<AtomicUsize>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let depth = DEPTH.get();
            deepest.fetch_max(depth, Ordering::SeqCst);
            // Ends early if it recurses: the stack would overflow and end all other cases.
            if left == 0 || depth > 10 {
                return end.open();
            }
            DEPTH.set(depth + 1);
            drop(rt.spawn(deeper(rt.clone(), left - 1, end, deepest)));
            DEPTH.set(depth);
        })
    }
    let (end, deepest) = (Gate::new(), Arc::default());
    let first = deeper(rt.clone(), 100_000, end.clone(), Arc::clone(&deepest));
    drop(rt.spawn(first));
    end.wait().await;
    assert_eq!(deepest.load(Ordering::SeqCst), 0, "spawn polls the task");
}

async fn ten_thousand_tasks_all_run<R: Runtime>(rt: R) {
    let count = Arc::new(AtomicUsize::new(0));
    let tasks = (0..10_000).map(|number| {
        let count = Arc::clone(&count);
        rt.spawn(async move {
            yield_now().await;
            count.fetch_add(1, Ordering::Relaxed);
            number
        })
    });
    for (number, joined) in join_all(tasks).await.into_iter().enumerate() {
        assert_eq!(joined.unwrap(), number);
    }
    assert_eq!(count.load(Ordering::Relaxed), 10_000);
}

async fn futures_of_128_kib_are_spawned<R: Runtime>(rt: R) {
    let tasks = (0..50_u8).map(|number| {
        rt.spawn(async move {
            let buffer = [number; 128 * 1024];
            yield_now().await;
            buffer.iter().all(|byte| *byte == number)
        })
    });
    for joined in join_all(tasks).await {
        assert!(joined.unwrap());
    }
}

async fn yield_now_lets_other_tasks_run<R: Runtime>(rt: R) {
    let ran = Gate::new();
    let tell = ran.clone();
    drop(rt.spawn(async move { tell.open() }));
    while !ran.is_open() {
        yield_now().await;
    }
}

async fn two_tasks_that_only_yield_to_each_other_take_turns<R: Runtime>(rt: R) {
    let turn = Arc::new(AtomicUsize::new(0));
    let player = |parity: usize| {
        let turn = Arc::clone(&turn);
        rt.spawn(async move {
            for _ in 0..100 {
                while turn.load(Ordering::SeqCst) % 2 != parity {
                    yield_now().await;
                }
                turn.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let (even, odd) = (player(0), player(1));
    even.await.unwrap();
    odd.await.unwrap();
    assert_eq!(turn.load(Ordering::SeqCst), 200);
}

fn cpu_bound_tasks_run_on_two_workers_at_once<O: Owner>(backend: &Backend<O>) {
    backend.needs_workers(2);
    let owner = backend.build();
    let rt = owner.handle();
    let arrived = [false, false].map(|_| Arc::new(AtomicBool::new(false)));
    let spin = |own: usize, other: usize| {
        let (own, other) = (Arc::clone(&arrived[own]), Arc::clone(&arrived[other]));
        rt.spawn(async move {
            own.store(true, Ordering::SeqCst);
            // Ends only if the other task runs in the meantime.
            while !other.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        })
    };
    let (one, other) = (spin(0, 1), spin(1, 0));
    owner.block_on(async {
        one.await.unwrap();
        other.await.unwrap();
    });
}

fn blocked_tasks_do_not_keep_the_other_worker_from_its_tasks<O: Owner>(backend: &Backend<O>) {
    backend.needs_workers(2);
    let owner = backend.build();
    let rt = owner.handle();
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let blocked = rt.spawn(async move {
        tell.open();
        wait.wait_blocking();
    });
    owner.block_on(async {
        started.wait().await;
        // Whichever queue these enter first, one worker is free to run them.
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            let ran = Arc::clone(&ran);
            drop(rt.spawn(async move {
                ran.fetch_add(1, Ordering::SeqCst);
            }));
        }
        while ran.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        go.open();
        blocked.await.unwrap();
    });
}

async fn a_result_that_is_an_error_is_a_value<R: Runtime>(rt: R) {
    let joined = rt.spawn(async { Err::<(), _>("no") }).await;
    assert_eq!(joined.unwrap(), Err("no"));
}

async fn a_handle_may_be_joined_by_another_task<R: Runtime>(rt: R) {
    let inner = rt.spawn(async {
        yield_now().await;
        7
    });
    let outer = rt.spawn(async move { inner.await.unwrap() + 1 });
    assert_eq!(outer.await.unwrap(), 8);
}
