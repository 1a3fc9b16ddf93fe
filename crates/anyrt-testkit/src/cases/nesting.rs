//! `block_on`: its result, and the places where it must not be called.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Blocking, LocalSpawner, Spawner, Timer, context};

use crate::case::cases;
use crate::{Backend, Gate, panic_message, panic_on_purpose};

cases! {
    fn block_on_gives_values_that_borrow_and_are_not_send;
    fn block_on_runs_on_the_calling_thread_and_needs_no_send_future;
    fn block_on_takes_a_future_of_128_kib;
    fn block_on_can_be_called_again_and_again;
    fn tasks_go_on_in_the_next_block_on;
    fn block_on_inside_block_on_panics_and_says_so;
    fn block_on_inside_a_task_panics_and_says_so;
    fn block_on_inside_a_local_task_panics_and_says_so;
    fn block_on_of_another_runtime_inside_block_on_panics_and_says_so;
    fn a_refused_block_on_leaves_the_runtime_usable;
    fn block_on_inside_a_blocking_job_works;
    fn block_on_of_another_runtime_inside_a_blocking_job_works;
    fn a_panic_in_block_on_comes_out_of_it_with_its_payload;
    fn the_runtime_is_usable_after_a_panic_in_block_on;
    fn four_threads_block_on_one_runtime_at_once;
    fn four_threads_that_block_on_one_runtime_share_its_timers;
    fn the_thread_that_drives_may_leave_before_the_others;
    fn two_runtimes_run_on_two_threads_and_talk;
    fn block_on_a_join_handle_of_its_own_runtime;
}

/// The beginning of the message of both the core and Tokio.
fn assert_refuses(message: &str) {
    assert!(message.contains("from within"), "why? {message}");
}

fn block_on_gives_values_that_borrow_and_are_not_send<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let text = String::from("borrowed");
    let counted = Rc::new(7);
    let (slice, clone) = owner.block_on(async {
        yield_now().await;
        (&text[..6], Rc::clone(&counted))
    });
    assert_eq!((slice, *clone), ("borrow", 7));
}

fn block_on_runs_on_the_calling_thread_and_needs_no_send_future<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let home = thread::current().id();
    let cell = Rc::new(Cell::new(0));
    owner.block_on(async {
        for _ in 0..100 {
            cell.set(cell.get() + 1);
            yield_now().await;
            assert_eq!(thread::current().id(), home);
        }
    });
    assert_eq!(cell.get(), 100);
}

fn block_on_takes_a_future_of_128_kib<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let is_whole = owner.block_on(async {
        let buffer = [7_u8; 128 * 1024];
        yield_now().await;
        buffer.iter().all(|byte| *byte == 7)
    });
    assert!(is_whole);
}

fn block_on_can_be_called_again_and_again<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    for number in 0..1_000 {
        assert_eq!(owner.block_on(async { number }), number);
    }
}

fn tasks_go_on_in_the_next_block_on<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (first, second) = (Gate::new(), Gate::new());
    let (tell, wait) = (first.clone(), second.clone());
    let task = owner.handle().spawn(async move {
        tell.open();
        wait.wait().await;
        7
    });
    owner.block_on(first.wait());
    second.open();
    assert_eq!(owner.block_on(task).unwrap(), 7);
}

fn block_on_inside_block_on_panics_and_says_so<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let message = owner.block_on(async { panic_message(|| owner.block_on(async {})) });
    assert_refuses(&message);
}

fn block_on_inside_a_task_panics_and_says_so<O: Owner>(backend: &Backend<O>) {
    // Another owner, because a task cannot borrow its own. Only the thread matters.
    let (owner, other) = (backend.build(), backend.build());
    let task = owner.handle().spawn(async move {
        let message = panic_message(|| other.block_on(async {}));
        other.shutdown_background();
        message
    });
    assert_refuses(&owner.block_on(task).unwrap());
}

fn block_on_inside_a_local_task_panics_and_says_so<O: Owner>(backend: &Backend<O>) {
    let owner = Rc::new(backend.build());
    let rt = owner.handle().clone();
    let inner = Rc::clone(&owner);
    let message = owner.block_on(async move {
        let task = rt.spawn_local(async move { panic_message(|| inner.block_on(async {})) });
        task.await.unwrap()
    });
    assert_refuses(&message);
}

fn block_on_of_another_runtime_inside_block_on_panics_and_says_so<O: Owner>(backend: &Backend<O>) {
    let (owner, other) = (backend.build(), backend.build());
    let message = owner.block_on(async { panic_message(|| other.block_on(async {})) });
    assert_refuses(&message);
    assert_eq!(other.block_on(async { 7 }), 7);
}

fn a_refused_block_on_leaves_the_runtime_usable<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    owner.block_on(async {
        assert_refuses(&panic_message(|| owner.block_on(async {})));
        assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
        assert_eq!(rt.spawn_local(async { 7 }).await.unwrap(), 7);
        rt.sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(owner.block_on(async { 7 }), 7);
}

fn block_on_inside_a_blocking_job_works<O: Owner>(backend: &Backend<O>) {
    let owner = std::sync::Arc::new(backend.build());
    let rt = owner.handle().clone();
    let inner = std::sync::Arc::clone(&owner);
    let job = owner.handle().spawn_blocking(move || {
        inner.block_on(async {
            let task = rt.spawn(async { 7 });
            let local = rt.spawn_local(async { Rc::new(1) });
            task.await.unwrap() + *local.await.unwrap()
        })
    });
    assert_eq!(owner.block_on(job).unwrap(), 8);
    // The thread of the job may still hold the owner, which must not be dropped there.
    let mut owner = owner;
    let owner = loop {
        match std::sync::Arc::try_unwrap(owner) {
            Ok(owner) => break owner,
            Err(shared) => owner = shared,
        }
        thread::yield_now();
    };
    drop(owner);
}

fn block_on_of_another_runtime_inside_a_blocking_job_works<O: Owner>(backend: &Backend<O>) {
    let (owner, other) = (backend.build(), backend.build());
    let job = owner.handle().spawn_blocking(move || {
        let task = other.handle().spawn(async { 7 });
        other.block_on(task).unwrap()
    });
    assert_eq!(owner.block_on(job).unwrap(), 7);
}

fn a_panic_in_block_on_comes_out_of_it_with_its_payload<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let message = panic_message(|| {
        owner.block_on(async {
            yield_now().await;
            panic_on_purpose("out of block_on");
        })
    });
    assert_eq!(message, "out of block_on");
}

fn the_runtime_is_usable_after_a_panic_in_block_on<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let task = rt.spawn(async {
        yield_now().await;
        7
    });
    for _ in 0..10 {
        panic_message(|| owner.block_on(async { panic_on_purpose("again") }));
        assert!(context::driving().is_none(), "the thread is not released");
    }
    assert_eq!(owner.block_on(task).unwrap(), 7);
    assert_eq!(owner.block_on(rt.spawn(async { 7 })).unwrap(), 7);
}

fn four_threads_block_on_one_runtime_at_once<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let gates: Vec<_> = (0..4).map(|_| Gate::new()).collect();
    thread::scope(|scope| {
        for number in 0..4 {
            let (owner, gates) = (&owner, &gates);
            scope.spawn(move || {
                owner.block_on(async {
                    gates[number].open();
                    // Each waits until all others are inside `block_on`.
                    for gate in gates {
                        gate.wait().await;
                    }
                    let task = owner.handle().spawn(async move { number });
                    assert_eq!(task.await.unwrap(), number);
                });
            });
        }
    });
}

fn four_threads_that_block_on_one_runtime_share_its_timers<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                owner.block_on(async {
                    let rt = owner.handle();
                    for _ in 0..5 {
                        let before = rt.now();
                        rt.sleep(Duration::from_millis(2)).await;
                        assert!(rt.now() >= before + Duration::from_millis(2));
                    }
                });
            });
        }
    });
}

fn the_thread_that_drives_may_leave_before_the_others<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (inside, leave) = (Gate::new(), Gate::new());
    thread::scope(|scope| {
        let driver = scope.spawn(|| {
            owner.block_on(async {
                inside.open();
                leave.wait().await;
            });
        });
        inside.wait_blocking();
        owner.block_on(async {
            let rt = owner.handle().clone();
            // Moved from one thread to the other while it runs.
            let timer = rt.clone();
            let task = rt.spawn(async move {
                timer.sleep(Duration::from_millis(5)).await;
                7
            });
            yield_now().await;
            leave.open();
            assert_eq!(task.await.unwrap(), 7);
        });
        driver.join().unwrap();
    });
}

fn two_runtimes_run_on_two_threads_and_talk<O: Owner>(backend: &Backend<O>) {
    let (one, other) = (backend.build(), backend.build());
    let gates: Vec<_> = (0..200).map(|_| Gate::new()).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            one.block_on(async {
                for pair in gates.chunks(2) {
                    pair[0].open();
                    pair[1].wait().await;
                }
            });
        });
        other.block_on(async {
            for pair in gates.chunks(2) {
                pair[0].wait().await;
                pair[1].open();
            }
        });
    });
}

fn block_on_a_join_handle_of_its_own_runtime<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    for number in 0..200 {
        let task = owner.handle().spawn(async move { number });
        assert_eq!(owner.block_on(task).unwrap(), number);
    }
}
