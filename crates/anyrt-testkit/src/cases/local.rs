//! Local tasks: futures that are not `Send` stay on their thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyrt_core::runtime::{Flavor, Owner};
use anyrt_core::task::{AbortHandle, JoinHandle, yield_now};
use anyrt_core::{LocalSpawner, Runtime, Spawner};
use futures_util::future::join_all;

use super::peer::start_thread;
use crate::case::cases;
use crate::{Backend, Bomb, DropFlag, Gate, on_thread, panic_message, panic_on_purpose, settle};

cases! {
    async a_local_task_gives_a_value_that_is_not_send;
    async a_local_task_runs_on_its_own_thread;
    async spawn_local_never_polls_inside_the_call;
    async a_local_task_can_spawn_local_tasks;
    async dropping_the_local_handle_detaches_the_task;
    async a_local_task_is_aborted;
    async a_plain_thread_can_abort_a_local_task;
    async a_local_panic_is_an_error_and_the_others_go_on;
    async a_local_destructor_that_panics_while_aborting_is_an_error;
    async a_plain_thread_wakes_a_local_task;
    async local_tasks_and_others_wake_each_other;
    async local_tasks_sleep;
    async ten_thousand_local_tasks_all_run;
    async local_futures_of_128_kib_are_spawned;
    async a_local_task_that_only_yields_lets_block_on_go_on;
    async a_sent_task_can_join_nothing_local_but_hears_from_it;
    fn    local_tasks_are_dropped_on_their_thread_when_block_on_returns;
    fn    the_handle_of_a_local_task_that_was_left_behind_gives_cancelled;
    fn    a_local_destructor_may_spawn_local_tasks_at_the_end;
    fn    a_local_destructor_that_panics_at_the_end_loses_no_other;
    fn    a_task_beside_block_on_starts_the_first_local_task;
    fn    local_tasks_of_two_threads_stay_apart;
    fn    spawn_local_outside_of_block_on_panics_and_says_so;
}

async fn a_local_task_gives_a_value_that_is_not_send<R: Runtime>(rt: R) {
    let shared = Rc::new(7);
    let other = Rc::clone(&shared);
    let value: Rc<i32> = rt.spawn_local(async move { other }).await.unwrap();
    assert!(Rc::ptr_eq(&shared, &value));
}

async fn a_local_task_runs_on_its_own_thread<R: Runtime>(rt: R) {
    let home = thread::current().id();
    let task = rt.spawn_local(async move {
        for _ in 0..100 {
            assert_eq!(thread::current().id(), home);
            yield_now().await;
        }
    });
    task.await.unwrap();
    assert_eq!(thread::current().id(), home);
}

async fn spawn_local_never_polls_inside_the_call<R: Runtime>(rt: R) {
    let polled = Rc::new(Cell::new(false));
    let seen = Rc::clone(&polled);
    let task = rt.spawn_local(async move { seen.set(true) });
    assert!(!polled.get(), "polled inside spawn_local");
    task.await.unwrap();
    assert!(polled.get());
}

async fn a_local_task_can_spawn_local_tasks<R: Runtime>(rt: R) {
    let order = Rc::new(RefCell::new(Vec::new()));
    let (inner_rt, inner_order) = (rt.clone(), Rc::clone(&order));
    let task = rt.spawn_local(async move {
        let order = Rc::clone(&inner_order);
        let child = inner_rt.spawn_local(async move { order.borrow_mut().push("child") });
        inner_order.borrow_mut().push("parent");
        child.await.unwrap();
    });
    task.await.unwrap();
    assert_eq!(*order.borrow(), ["parent", "child"]);
}

async fn dropping_the_local_handle_detaches_the_task<R: Runtime>(rt: R) {
    let (go, done) = (Gate::new(), Gate::new());
    let (wait, tell) = (go.clone(), done.clone());
    drop(rt.spawn_local(async move {
        wait.wait().await;
        tell.open();
    }));
    settle(&rt).await;
    go.open();
    done.wait().await;
}

async fn a_local_task_is_aborted<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn_local(async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    });
    settle(&rt).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(dropped.thread(), Some(thread::current().id()));
}

async fn a_plain_thread_can_abort_a_local_task<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let task = rt.spawn_local(async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    });
    let abort = task.abort_handle();
    settle(&rt).await;
    on_thread(move || abort.abort()).await;
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(dropped.thread(), Some(thread::current().id()));
}

async fn a_local_panic_is_an_error_and_the_others_go_on<R: Runtime>(rt: R) {
    let go = Gate::new();
    let other = rt.spawn_local(go.wait());
    let error = rt.spawn_local(async { panic_on_purpose("boom") }).await;
    let payload = error.unwrap_err().into_panic();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
    go.open();
    other.await.unwrap();
}

async fn a_local_destructor_that_panics_while_aborting_is_an_error<R: Runtime>(rt: R) {
    let task = rt.spawn_local(async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    });
    settle(&rt).await;
    task.abort();
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(rt.spawn_local(async { 7 }).await.unwrap(), 7);
}

async fn a_plain_thread_wakes_a_local_task<R: Runtime>(rt: R) {
    for _ in 0..50 {
        let gate = Gate::new();
        let task = rt.spawn_local(gate.wait());
        let opener = gate.clone();
        let thread = start_thread(move || opener.open());
        task.await.unwrap();
        thread.join().await;
    }
}

async fn local_tasks_and_others_wake_each_other<R: Runtime>(rt: R) {
    let gates: Vec<_> = (0..100).map(|_| Gate::new()).collect();
    let (sent_gates, local_gates) = (gates.clone(), gates);
    let sent = rt.spawn(async move {
        for pair in sent_gates.chunks(2) {
            pair[0].open();
            pair[1].wait().await;
        }
    });
    let local = rt.spawn_local(async move {
        for pair in local_gates.chunks(2) {
            pair[0].wait().await;
            pair[1].open();
        }
    });
    sent.await.unwrap();
    local.await.unwrap();
}

async fn local_tasks_sleep<R: Runtime>(rt: R) {
    let tasks = (0..10).map(|_| {
        let timer = rt.clone();
        rt.spawn_local(async move {
            let before = Rc::new(timer.now());
            timer.sleep(Duration::from_millis(5)).await;
            assert!(timer.now() >= *before + Duration::from_millis(5));
        })
    });
    for joined in join_all(tasks).await {
        joined.unwrap();
    }
}

async fn ten_thousand_local_tasks_all_run<R: Runtime>(rt: R) {
    let count = Rc::new(Cell::new(0));
    let tasks = (0..10_000).map(|_| {
        let count = Rc::clone(&count);
        rt.spawn_local(async move {
            yield_now().await;
            count.set(count.get() + 1);
        })
    });
    for joined in join_all(tasks).await {
        joined.unwrap();
    }
    assert_eq!(count.get(), 10_000);
}

async fn local_futures_of_128_kib_are_spawned<R: Runtime>(rt: R) {
    let task = rt.spawn_local(async move {
        let buffer = [7_u8; 128 * 1024];
        yield_now().await;
        buffer.iter().all(|byte| *byte == 7)
    });
    assert!(task.await.unwrap());
}

async fn a_local_task_that_only_yields_lets_block_on_go_on<R: Runtime>(rt: R) {
    let stop = Rc::new(Cell::new(false));
    let seen = Rc::clone(&stop);
    let busy = rt.spawn_local(async move {
        while !seen.get() {
            yield_now().await;
        }
    });
    settle(&rt).await;
    rt.sleep(Duration::from_millis(5)).await;
    stop.set(true);
    busy.await.unwrap();
}

async fn a_sent_task_can_join_nothing_local_but_hears_from_it<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let sent = rt.spawn(gate.wait());
    let local = rt.spawn_local(async move {
        let gate = Rc::new(gate);
        yield_now().await;
        gate.open();
    });
    local.await.unwrap();
    sent.await.unwrap();
}

fn local_tasks_are_dropped_on_their_thread_when_block_on_returns<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let (polled, polled_dropped) = DropFlag::new();
    let (queued, queued_dropped) = DropFlag::new();
    owner.block_on(async {
        let started = Gate::new();
        let tell = started.clone();
        drop(rt.spawn_local(async move {
            let _flag = Rc::new(polled);
            tell.open();
            std::future::pending::<()>().await;
        }));
        started.wait().await;
        drop(rt.spawn_local(async move {
            let _flag = Rc::new(queued);
            std::future::pending::<()>().await;
        }));
    });
    for dropped in [polled_dropped, queued_dropped] {
        assert_eq!(dropped.thread(), Some(thread::current().id()));
    }
}

fn the_handle_of_a_local_task_that_was_left_behind_gives_cancelled<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let mut task = None;
    owner.block_on(async { task = Some(rt.spawn_local(std::future::pending::<()>())) });
    let task = task.unwrap();
    assert!(task.is_finished());
    assert!(owner.block_on(task).unwrap_err().is_cancelled());
}

fn a_local_destructor_may_spawn_local_tasks_at_the_end<O: Owner>(backend: &Backend<O>) {
    struct SpawnsAgain<R: Runtime>(R, Option<DropFlag>);
    impl<R: Runtime> Drop for SpawnsAgain<R> {
        fn drop(&mut self) {
            let flag = self.1.take();
            drop(self.0.spawn_local(async move {
                let _flag = flag;
                std::future::pending::<()>().await;
            }));
        }
    }
    let owner = backend.build();
    let rt = owner.handle().clone();
    let (flag, dropped) = DropFlag::new();
    owner.block_on(async {
        let again = SpawnsAgain(rt.clone(), Some(flag));
        drop(rt.spawn_local(async move {
            let _again = again;
            std::future::pending::<()>().await;
        }));
        yield_now().await;
    });
    assert!(dropped.is_dropped());
}

fn a_local_destructor_that_panics_at_the_end_loses_no_other<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let mut all_dropped = Vec::new();
    owner.block_on(async {
        for _ in 0..10 {
            let (flag, dropped) = DropFlag::new();
            all_dropped.push(dropped);
            drop(rt.spawn_local(async move {
                let _flag = flag;
                let _bomb = Bomb;
                std::future::pending::<()>().await;
            }));
        }
        settle(&rt).await;
    });
    assert!(all_dropped.iter().all(crate::Dropped::is_dropped));
    assert_eq!(owner.block_on(rt.spawn(async { 7 })).unwrap(), 7);
}

/// Only on a current-thread runtime; elsewhere other tasks share the thread.
fn a_task_beside_block_on_starts_the_first_local_task<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let (here, gate) = (thread::current().id(), Gate::new());
    let open = gate.clone();
    let beside = owner.block_on(owner.handle().spawn(async move {
        let beside = thread::current().id() == here;
        if beside {
            drop(rt.spawn_local(async move { open.open() }));
            gate.wait().await;
        }
        beside
    }));
    let alone = backend.config().flavor == Flavor::CurrentThread;
    assert_eq!(beside.unwrap(), alone);
}

fn local_tasks_of_two_threads_stay_apart<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let gates = [Gate::new(), Gate::new()];
    thread::scope(|scope| {
        for number in 0..2 {
            let (owner, gates) = (&owner, &gates);
            scope.spawn(move || {
                let rt = owner.handle().clone();
                let home = thread::current().id();
                owner.block_on(async {
                    gates[number].open();
                    let other = gates[1 - number].clone();
                    let task = rt.spawn_local(async move {
                        other.wait().await;
                        Rc::new(thread::current().id())
                    });
                    assert_eq!(*task.await.unwrap(), home);
                });
            });
        }
    });
}

fn spawn_local_outside_of_block_on_panics_and_says_so<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle().clone();
    let message = panic_message(|| rt.spawn_local(async {}));
    assert!(message.contains("block_on"), "what to do? {message}");
}
