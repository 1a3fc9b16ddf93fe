//! Tasks that need not be `Send`, in a set and on a local runtime.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use anyrt::runtime::{Backend, Builder, Handle, LocalOptions, LocalRuntime};
use anyrt::sync::{Notify, oneshot};
use anyrt::task::{self, JoinSet, LocalSet, spawn_local, yield_now};
use anyrt::time::{Duration, sleep};

#[anyrt::test]
async fn tasks_of_a_set_run_here_while_it_is_polled() {
    let here = thread::current().id();
    let set = LocalSet::new();
    let ran = Rc::new(Cell::new(0));
    let count = Rc::clone(&ran);
    let task = set.spawn_local(async move {
        count.set(count.get() + 1);
        sleep(Duration::from_millis(1)).await;
        count.set(count.get() + 1);
        thread::current().id()
    });
    yield_now().await;
    assert_eq!(ran.get(), 0);
    assert_eq!(set.run_until(task).await.unwrap(), here);
    assert_eq!(ran.get(), 2);
}

#[anyrt::test(flavor = "multi_thread")]
async fn inside_a_set_local_tasks_are_its_tasks() {
    let set = LocalSet::new();
    let (inner,) = set
        .run_until(async {
            let data = Rc::new(7);
            let inner = spawn_local({
                let data = Rc::clone(&data);
                async move { spawn_local(async move { *data }).await.unwrap() }
            });
            assert_eq!(inner.await.unwrap(), 7);
            // Also through the handle of the runtime.
            let sent = anyrt::spawn(async { thread::current().id() }).await;
            assert!(sent.is_ok());
            let later = spawn_local(async {
                yield_now().await;
                8
            });
            (later,)
        })
        .await;
    // The set is not polled any more, the task is still in it.
    assert!(!inner.is_finished());
    set.await;
    assert_eq!(inner.await.unwrap(), 8);
}

#[anyrt::test]
async fn a_set_that_is_awaited_ends_with_its_last_task() {
    let set = LocalSet::new();
    let done = Rc::new(RefCell::new(Vec::new()));
    for number in 0..3 {
        let done = Rc::clone(&done);
        set.spawn_local(async move {
            for _ in 0..number {
                yield_now().await;
            }
            done.borrow_mut().push(number);
        });
    }
    set.await;
    assert_eq!(*done.borrow(), [0, 1, 2]);
}

#[anyrt::test]
async fn dropping_a_set_drops_its_tasks_here() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let guard = Dropped(Rc::clone(&dropped));
    let set = LocalSet::new();
    let task = set.spawn_local(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    set.run_until(yield_now()).await;
    assert!(!dropped.get());
    drop(set);
    assert!(dropped.get());
    assert!(task.await.unwrap_err().is_cancelled());
}

#[anyrt::test]
async fn a_task_of_a_set_is_woken_from_another_thread() {
    let (sender, receiver) = oneshot::channel();
    let set = LocalSet::new();
    let task = set.spawn_local(async move { receiver.await.unwrap() });
    let waker = thread::spawn(move || sender.send(7).unwrap());
    assert_eq!(set.run_until(task).await.unwrap(), 7);
    waker.join().unwrap();
}

#[anyrt::test]
async fn a_panic_stays_in_its_task() {
    let set = LocalSet::new();
    let bad = set.spawn_local(async { panic!("on purpose") });
    let good = set.spawn_local(async { task::id() });
    let id = good.id();
    set.run_until(async {
        assert!(bad.await.unwrap_err().is_panic());
        assert_eq!(good.await.unwrap(), id);
    })
    .await;
}

#[anyrt::test]
async fn a_task_of_a_set_can_be_aborted() {
    let set = LocalSet::new();
    let task = set.spawn_local(pending::<()>());
    let abort = task.abort_handle();
    set.run_until(async {
        yield_now().await;
        abort.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    })
    .await;
    assert!(abort.is_finished());
}

#[anyrt::test]
async fn sets_nest() {
    let outer = LocalSet::new();
    outer
        .run_until(async {
            let inner = LocalSet::new();
            let (of_inner,) = inner
                .run_until(async { (spawn_local(pending::<()>()),) })
                .await;
            let of_outer = spawn_local(async { 1 });
            drop(inner);
            assert!(of_inner.await.unwrap_err().is_cancelled());
            assert_eq!(of_outer.await.unwrap(), 1);
        })
        .await;
}

#[anyrt::test]
async fn an_entered_set_takes_local_tasks() {
    let set = LocalSet::new();
    let task = {
        let _inside = set.enter();
        spawn_local(async { 7 })
    };
    assert!(!task.is_finished());
    assert_eq!(set.run_until(task).await.unwrap(), 7);
}

#[anyrt::test]
async fn a_busy_set_lets_others_run() {
    let set = LocalSet::new();
    let stop = Rc::new(Cell::new(false));
    let flag = Rc::clone(&stop);
    set.spawn_local(async move {
        while !flag.get() {
            yield_now().await;
        }
    });
    let notify = std::sync::Arc::new(Notify::new());
    let notified = std::sync::Arc::clone(&notify);
    anyrt::spawn(async move {
        sleep(Duration::from_millis(2)).await;
        notified.notify_one();
    });
    set.run_until(notify.notified()).await;
    stop.set(true);
    set.await;
}

#[anyrt::test]
async fn a_join_set_joins_local_tasks() {
    let local = LocalSet::new();
    let mut set = JoinSet::new();
    let data = Rc::new(3);
    for number in 0..4 {
        let data = Rc::clone(&data);
        set.spawn_local_on(async move { *data * number }, &local);
    }
    let mut all = local.run_until(set.join_all()).await;
    all.sort_unstable();
    assert_eq!(all, [0, 3, 6, 9]);
}

#[anyrt::test(flavor = "multi_thread")]
#[should_panic(expected = "can call blocking only when running on the multi-threaded runtime")]
async fn nobody_takes_a_set_over_while_it_blocks() {
    LocalSet::new()
        .run_until(async { task::block_in_place(|| {}) })
        .await;
}

#[test]
fn a_set_works_between_runs_of_a_runtime() {
    for &backend in Backend::enabled() {
        let runtime = Builder::new_current_thread()
            .backend(backend)
            .build()
            .unwrap();
        let set = LocalSet::new();
        let task = set.spawn_local(async { Handle::current().backend() });
        assert_eq!(set.block_on(&runtime, task).unwrap(), backend);
        let again = set.spawn_local(async { 2 });
        assert_eq!(set.block_on(&runtime, again).unwrap(), 2);
    }
}

#[test]
fn a_local_runtime_keeps_its_tasks() {
    for &backend in Backend::enabled() {
        let runtime: LocalRuntime = Builder::new_current_thread()
            .backend(backend)
            .build_local(LocalOptions::default())
            .unwrap();
        let data = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&data);
        let task = runtime.spawn_local(async move {
            log.borrow_mut().push("started");
            sleep(Duration::from_millis(1)).await;
            log.borrow_mut().push("ended");
            Handle::current().backend()
        });
        runtime.block_on(async {
            while data.borrow().is_empty() {
                yield_now().await;
            }
        });
        let polls = runtime.block_on(async {
            let mut polls = 0;
            let mut task = task;
            poll_fn(|cx| {
                polls += 1;
                let Poll::Ready(on) = std::pin::Pin::new(&mut task).poll(cx) else {
                    return Poll::Pending;
                };
                assert_eq!(on.unwrap(), backend);
                Poll::Ready(())
            })
            .await;
            polls
        });
        assert!(polls >= 1);
        assert_eq!(*data.borrow(), ["started", "ended"]);
        let blocking = runtime.spawn_blocking(|| 3);
        assert_eq!(runtime.block_on(blocking).unwrap(), 3);
        // Its destructor runs inside the runtime.
        struct Last(Backend);
        impl Drop for Last {
            fn drop(&mut self) {
                assert_eq!(Handle::current().backend(), self.0);
            }
        }
        let last = Last(backend);
        let task = runtime.spawn_local(async move {
            let _last = last;
            pending::<()>().await;
        });
        runtime.block_on(yield_now());
        drop(runtime);
        assert!(task.is_finished());
    }
}
