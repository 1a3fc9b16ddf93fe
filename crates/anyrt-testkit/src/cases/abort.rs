//! Aborting: from any thread, at any time, any number of times.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyrt_core::runtime::{Flavor, Owner};
use anyrt_core::task::{AbortHandle, JoinHandle, yield_now};
use anyrt_core::{Runtime, Spawner};
use futures_util::future::join_all;

use crate::case::cases;
use crate::{Backend, DropFlag, Gate, Live, on_thread, poll_once, settle};

cases! {
    fn    aborting_a_queued_task_drops_it;
    async aborting_a_waiting_task_drops_it;
    async aborting_a_running_task_ends_it_at_its_next_await;
    async aborting_in_the_last_poll_keeps_the_value;
    async aborting_a_finished_task_keeps_the_value;
    async aborting_twice_is_aborting_once;
    async a_plain_thread_can_abort;
    async the_abort_handle_aborts_a_detached_task;
    async an_abort_handle_outlives_its_task;
    async a_task_can_abort_itself;
    async an_aborted_task_ends_after_its_destructor_ran;
    async is_finished_is_false_while_the_abort_is_only_asked_for;
    async aborting_a_sleeping_task_drops_it;
    async aborting_a_task_that_joins_another_leaves_the_other_alone;
    async a_thousand_tasks_are_aborted_by_one_thread_while_they_run;
    async cancel_waits_until_the_future_was_dropped;
    async cancel_gives_the_value_of_a_task_that_was_faster;
    async dropping_cancel_still_aborts;
    async an_abort_wakes_who_joins_already;
}

fn aborting_a_queued_task_drops_it<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let polled = Arc::new(AtomicBool::new(false));
    let (flag, dropped) = DropFlag::new();
    let seen = Arc::clone(&polled);
    let spawner = owner.handle().spawn(async move {
        let task = rt.spawn(async move {
            let _flag = flag;
            seen.store(true, Ordering::SeqCst);
            std::future::pending::<()>().await;
        });
        task.abort();
        task.await
    });
    let error = owner.block_on(spawner).unwrap().unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert!(dropped.is_dropped());
    // Another worker may have started it before the abort. A single worker was busy with the
    // spawning task.
    if backend.config().flavor == Flavor::CurrentThread {
        assert!(!polled.load(Ordering::SeqCst), "polled after the abort");
    }
}

async fn aborting_a_waiting_task_drops_it<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let started = Gate::new();
    let tell = started.clone();
    let task = rt.spawn(async move {
        let _flag = flag;
        tell.open();
        std::future::pending::<()>().await;
    });
    started.wait().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(dropped.is_dropped());
}

async fn aborting_a_running_task_ends_it_at_its_next_await<R: Runtime>(rt: R) {
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let task = rt.spawn(async move {
        tell.open();
        wait.wait_blocking();
        yield_now().await;
        panic!("it went on after the await");
    });
    let abort = task.abort_handle();
    on_thread(move || {
        started.wait_blocking();
        abort.abort();
        assert!(!abort.is_finished(), "it is still inside its poll");
        go.open();
    })
    .await;
    let joined: Result<(), _> = task.await;
    assert!(joined.unwrap_err().is_cancelled());
}

async fn aborting_in_the_last_poll_keeps_the_value<R: Runtime>(rt: R) {
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let task = rt.spawn(async move {
        tell.open();
        wait.wait_blocking();
        7
    });
    let abort = task.abort_handle();
    on_thread(move || {
        started.wait_blocking();
        abort.abort();
        go.open();
    })
    .await;
    assert_eq!(task.await.unwrap(), 7);
}

async fn aborting_a_finished_task_keeps_the_value<R: Runtime>(rt: R) {
    let task = rt.spawn(async { 7 });
    while !task.is_finished() {
        yield_now().await;
    }
    task.abort();
    task.abort_handle().abort();
    assert_eq!(task.await.unwrap(), 7);
}

async fn aborting_twice_is_aborting_once<R: Runtime>(rt: R) {
    let task = rt.spawn(std::future::pending::<()>());
    for _ in 0..10 {
        task.abort();
        task.abort_handle().abort();
    }
    assert!(task.await.unwrap_err().is_cancelled());
    // The abort must not affect a later task.
    assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
}

async fn a_plain_thread_can_abort<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn(async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    });
    settle(&rt).await;
    let abort = task.abort_handle();
    on_thread(move || abort.abort()).await;
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(dropped.is_dropped());
}

async fn the_abort_handle_aborts_a_detached_task<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn(async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    });
    let abort = task.abort_handle();
    drop(task);
    settle(&rt).await;
    assert!(!dropped.is_dropped() && !abort.is_finished());
    abort.clone().abort();
    dropped.wait().await;
    while !abort.is_finished() {
        yield_now().await;
    }
}

async fn an_abort_handle_outlives_its_task<R: Runtime>(rt: R) {
    let task = rt.spawn(async {});
    let (abort, id) = (task.abort_handle(), task.id());
    task.await.unwrap();
    // New tasks may reuse the memory or slot of the old one; the abort must not affect them.
    let others: Vec<_> = (0..100).map(|_| rt.spawn(yield_now())).collect();
    abort.abort();
    assert!(abort.is_finished());
    assert_eq!(abort.id(), id);
    for joined in join_all(others).await {
        joined.unwrap();
    }
}

async fn a_task_can_abort_itself<R: Runtime>(rt: R) {
    let (go, slot) = (Gate::new(), Arc::new(std::sync::Mutex::new(None)));
    let (wait, own) = (go.clone(), Arc::clone(&slot));
    let task = rt.spawn(async move {
        wait.wait().await;
        let abort = own.lock().unwrap().take();
        AbortHandle::abort(&abort.unwrap());
        yield_now().await;
        panic!("it went on after the await");
    });
    *slot.lock().unwrap() = Some(task.abort_handle());
    go.open();
    let joined: Result<(), _> = task.await;
    assert!(joined.unwrap_err().is_cancelled());
}

/// Its destructor blocks until `go` is opened.
struct SlowDrop {
    began: Gate,
    go: Gate,
    ended: Gate,
}

impl Drop for SlowDrop {
    fn drop(&mut self) {
        self.began.open();
        self.go.wait_blocking();
        self.ended.open();
    }
}

async fn an_aborted_task_ends_after_its_destructor_ran<R: Runtime>(rt: R) {
    let (began, go, ended) = (Gate::new(), Gate::new(), Gate::new());
    let slow = SlowDrop {
        began: began.clone(),
        go: go.clone(),
        ended: ended.clone(),
    };
    let task = rt.spawn(async move {
        let _slow = slow;
        std::future::pending::<()>().await;
    });
    settle(&rt).await;
    let abort = task.abort_handle();
    let observer = std::thread::spawn(move || {
        abort.abort();
        began.wait_blocking();
        assert!(!abort.is_finished(), "the destructor is still running");
        go.open();
    });
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(ended.is_open(), "joined before the destructor had run");
    on_thread(move || observer.join().unwrap()).await;
}

async fn is_finished_is_false_while_the_abort_is_only_asked_for<R: Runtime>(rt: R) {
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let task = rt.spawn(async move {
        tell.open();
        wait.wait_blocking();
        std::future::pending::<()>().await;
    });
    let task = on_thread(move || {
        started.wait_blocking();
        task.abort();
        assert!(!task.is_finished());
        go.open();
        task
    })
    .await;
    assert!(task.await.unwrap_err().is_cancelled());
}

async fn aborting_a_sleeping_task_drops_it<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let timer = rt.clone();
    let task = rt.spawn(async move {
        let _flag = flag;
        timer.sleep(Duration::from_secs(3_600)).await;
    });
    settle(&rt).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(dropped.is_dropped());
}

async fn aborting_a_task_that_joins_another_leaves_the_other_alone<R: Runtime>(rt: R) {
    let go = Gate::new();
    let wait = go.clone();
    let done = Gate::new();
    let tell = done.clone();
    let inner = rt.spawn(async move {
        wait.wait().await;
        tell.open();
    });
    let outer = rt.spawn(inner);
    settle(&rt).await;
    assert!(outer.cancel().await.unwrap_err().is_cancelled());
    go.open();
    done.wait().await;
}

async fn a_thousand_tasks_are_aborted_by_one_thread_while_they_run<R: Runtime>(rt: R) {
    let live = Live::new();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let token = live.token();
            rt.spawn(async move {
                let _token = token;
                loop {
                    yield_now().await;
                }
            })
        })
        .collect();
    let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
    on_thread(move || aborts.iter().for_each(AbortHandle::abort)).await;
    for joined in join_all(tasks).await {
        let joined: Result<(), _> = joined;
        assert!(joined.unwrap_err().is_cancelled());
    }
    assert_eq!(live.count(), 0);
}

async fn cancel_waits_until_the_future_was_dropped<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn(async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    });
    settle(&rt).await;
    assert!(task.cancel().await.unwrap_err().is_cancelled());
    assert!(dropped.is_dropped());
}

async fn cancel_gives_the_value_of_a_task_that_was_faster<R: Runtime>(rt: R) {
    let task = rt.spawn(async { 7 });
    while !task.is_finished() {
        yield_now().await;
    }
    assert_eq!(task.cancel().await.unwrap(), 7);
}

async fn dropping_cancel_still_aborts<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn(async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    });
    drop(task.cancel());
    dropped.wait().await;
}

async fn an_abort_wakes_who_joins_already<R: Runtime>(rt: R) {
    let mut task = rt.spawn(std::future::pending::<()>());
    assert!(poll_once(&mut task).await.is_pending());
    let abort = task.abort_handle();
    let joiner = rt.spawn(task);
    settle(&rt).await;
    on_thread(move || abort.abort()).await;
    assert!(joiner.await.unwrap().unwrap_err().is_cancelled());
}
