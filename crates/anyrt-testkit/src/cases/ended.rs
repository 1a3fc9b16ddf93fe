//! Handles of a runtime that has ended report it, and leave no task waiting.

use std::thread;
use std::time::Duration;

use anyrt_core::context::{self, Kind};
use anyrt_core::runtime::Owner;
use anyrt_core::task::{AbortHandle, JoinHandle, yield_now};
use anyrt_core::{Blocking, Spawner};

use super::shutdown::start;
use crate::case::cases;
use crate::{Backend, DropFlag, Gate, park_on};

cases! {
    fn spawn_after_the_end_gives_cancelled;
    fn spawn_blocking_after_the_end_gives_cancelled;
    fn a_handle_joined_after_the_end_gives_cancelled;
    fn a_value_is_still_joined_after_the_end;
    fn an_abort_after_the_end_does_nothing;
    fn a_waker_used_after_the_end_does_nothing;
    fn a_joiner_on_another_thread_is_woken_at_the_end;
    fn a_runtime_ends_while_it_is_current_on_a_thread;
    fn a_runtime_ends_inside_enter_of_another;
}

fn spawn_after_the_end_gives_cancelled<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    drop(owner);
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn(async move {
        let _flag = flag;
    });
    assert!(dropped.is_dropped(), "nobody else will drop it");
    assert!(park_on(task).unwrap_err().is_cancelled());
}

fn spawn_blocking_after_the_end_gives_cancelled<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    drop(owner);
    let (flag, dropped) = DropFlag::new();
    let job = rt.spawn_blocking(move || drop(flag));
    assert!(dropped.is_dropped(), "nobody else will drop it");
    assert!(park_on(job).unwrap_err().is_cancelled());
}

fn a_handle_joined_after_the_end_gives_cancelled<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (_, tasks) = start(&owner, 10, |_| std::future::pending());
    drop(owner);
    for task in tasks {
        assert!(task.is_finished());
        assert!(park_on(task).unwrap_err().is_cancelled());
    }
}

fn a_value_is_still_joined_after_the_end<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let task = owner.handle().spawn(async { 7 });
    owner.block_on(async {
        while !task.is_finished() {
            yield_now().await;
        }
    });
    drop(owner);
    assert_eq!(park_on(task).unwrap(), 7);
}

fn an_abort_after_the_end_does_nothing<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (_, mut tasks) = start(&owner, 1, |_| std::future::pending());
    drop(owner);
    let task = tasks.remove(0);
    let abort = task.abort_handle();
    abort.abort();
    task.abort();
    assert!(abort.is_finished() && task.is_finished());
    assert!(park_on(task).unwrap_err().is_cancelled());
}

fn a_waker_used_after_the_end_does_nothing<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let gate = Gate::new();
    // The gate keeps the waker of the task.
    let (live, _tasks) = start(&owner, 10, |_| gate.wait());
    drop(owner);
    assert_eq!(live.count(), 0);
    gate.open();
}

fn a_joiner_on_another_thread_is_woken_at_the_end<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (_, mut tasks) = start(&owner, 1, |_| std::future::pending());
    let task = tasks.remove(0);
    let waits = Gate::new();
    let tell = waits.clone();
    let joiner = thread::spawn(move || {
        let mut task = task;
        park_on(async {
            assert!(crate::poll_once(&mut task).await.is_pending());
            tell.open();
            task.await
        })
    });
    waits.wait_blocking();
    drop(owner);
    assert!(joiner.join().unwrap().unwrap_err().is_cancelled());
}

fn a_runtime_ends_while_it_is_current_on_a_thread<O: Owner>(backend: &Backend<O>) {
    fn name() -> Option<&'static str> {
        context::current().map(Kind::name)
    }
    let (owner, other) = (backend.build(), backend.build());
    let rt = owner.handle().clone();
    let (started, go) = (Gate::new(), Gate::new());
    let (tell, wait) = (started.clone(), go.clone());
    let job = owner.handle().spawn_blocking(move || {
        let before = name();
        tell.open();
        wait.wait_blocking();
        assert_eq!(name(), before, "the end is not seen on other threads");
        let (flag, dropped) = DropFlag::new();
        let task = rt.spawn(async move {
            let _flag = flag;
            std::future::pending::<()>().await;
        });
        // At once, or by a worker that has not ended yet.
        dropped.wait_blocking();
        assert!(park_on(task).unwrap_err().is_cancelled());
        assert!(
            park_on(rt.spawn_blocking(|| {}))
                .unwrap_err()
                .is_cancelled()
        );
        // A runtime that lives works there, and leaves what was current.
        let task = other.handle().spawn(async { 7 });
        assert_eq!(other.block_on(task).unwrap(), 7);
        assert_eq!(name(), before, "the ended one is current again");
        before
    });
    started.wait_blocking();
    let inside = owner.enter(name);
    owner.shutdown_background();
    go.open();
    let seen = park_on(job).unwrap();
    assert!(seen.is_some());
    assert_eq!(seen, inside);
}

fn a_runtime_ends_inside_enter_of_another<O: Owner>(backend: &Backend<O>) {
    let ends: [fn(O); 3] = [drop, O::shutdown_background, |owner| {
        owner.shutdown_timeout(Duration::MAX);
    }];
    let other = backend.build();
    for end in ends {
        let owner = backend.build();
        let (_, mut tasks) = start(&owner, 1, |_| std::future::pending());
        other.enter(|| end(owner));
        let task = tasks.remove(0);
        assert!(park_on(task).unwrap_err().is_cancelled());
    }
    assert_eq!(
        other.block_on(other.handle().spawn(async { 7 })).unwrap(),
        7
    );
}
