//! The join set: results in the order in which tasks end, for any number of tasks.

mod common;

use std::collections::HashSet;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use anyrt_core::coop;
use anyrt_core::task::yield_now;
use anyrt_core::{AbortHandle, CancellationToken, JoinError, JoinHandle, JoinSet, Spawner};
use anyrt_kit::executor::TaskHandle;
use common::{CountDrops, CountWakes, Rt, message, within_a_minute};
use futures_util::FutureExt;

fn assert_auto_traits<T: Send + Sync + Unpin>(value: T) -> T {
    value
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn it_is_send_and_unpin_with_its_futures() {
    let rt = Rt::new();
    let mut set = assert_auto_traits(JoinSet::new());
    set.spawn_on(&rt, async { String::new() });
    drop(assert_send(set.join_next()));
    drop(assert_send(set.join_next_with_id()));
    drop(assert_send(set.shutdown()));
    drop(assert_send(set.join_all()));
    rt.queue.drain();
}

#[test]
fn an_empty_set_gives_none() {
    let rt = Rt::new();
    let mut set = JoinSet::<(), TaskHandle<()>>::new();
    assert!(set.is_empty());
    assert!(set.try_join_next().is_none());
    assert!(rt.block_on(set.join_next()).is_none());
    // It can be filled again after it was empty.
    set.spawn_on(&rt, async {});
    assert_eq!(set.len(), 1);
    assert!(rt.block_on(set.join_next()).is_some());
    assert!(rt.block_on(set.join_next()).is_none());
    assert!(rt.block_on(set.join_all()).is_empty());
}

#[test]
fn tasks_are_joined_in_the_order_in_which_they_end() {
    within_a_minute(|| {
        let rt = Rt::new();
        let mut set = JoinSet::new();
        let go = [(); 3].map(|()| CancellationToken::new());
        for (i, go) in go.iter().enumerate() {
            let go = go.clone();
            set.spawn_on(&rt, async move {
                go.cancelled().await;
                i
            });
        }
        // The set is not polled in the meantime.
        for i in [2, 0, 1] {
            go[i].cancel();
            rt.block_on(yield_now());
        }
        assert_eq!(rt.block_on(set.join_all()), [2, 0, 1]);
    });
}

#[test]
fn tasks_that_ended_before_they_became_members_are_joined() {
    let rt = Rt::new();
    let tasks = [1, 2].map(|i| rt.spawn(async move { i }));
    rt.block_on(yield_now());
    let mut set = assert_auto_traits(JoinSet::from_iter(tasks));
    let last = set.spawn_on(&rt, async { 3 });
    assert_eq!(set.len(), 3);
    // Aborting keeps the results of finished tasks.
    set.abort_all();
    assert_eq!(set.try_join_next().unwrap().unwrap(), 1);
    assert_eq!(rt.block_on(set.join_next()).unwrap().unwrap(), 2);
    assert!(
        rt.block_on(set.join_next())
            .unwrap()
            .unwrap_err()
            .is_cancelled()
    );
    assert!(last.is_finished() && set.is_empty());
}

#[test]
fn blocking_jobs_and_local_tasks_are_members_too() {
    within_a_minute(|| {
        let rt = Rt::new();
        let mut set = JoinSet::new();
        set.spawn_on(&rt, async { 1 });
        set.spawn_blocking_on(&rt, || 2);
        let mut values = rt.block_on(set.join_all());
        values.sort_unstable();
        assert_eq!(values, [1, 2]);

        let values = rt.block_on(async {
            let mut set = JoinSet::new();
            let value = Rc::new(3);
            set.spawn_local_on(&rt, async move { value });
            set.join_all().await
        });
        assert_eq!(values, [Rc::new(3)]);
        rt.pool.shutdown(None);
    });
}

#[test]
fn handles_become_a_set() {
    within_a_minute(|| {
        let rt = Rt::new();
        let set: JoinSet<_, _> = (0..3).map(|i| rt.spawn(async move { i })).collect();
        assert_eq!(set.len(), 3);
        assert_eq!(rt.block_on(set.join_all()), [0, 1, 2]);
    });
}

#[test]
fn ids_are_those_of_the_tasks() {
    within_a_minute(|| {
        let rt = Rt::new();
        let mut set = JoinSet::new();
        let good = set.spawn_on(&rt, async { 7 }).id();
        let bad = set.spawn_on(&rt, async { panic!("bad") }).id();
        let mut seen = HashSet::new();
        rt.block_on(async {
            while let Some(result) = set.join_next_with_id().await {
                seen.insert(match result {
                    Ok((id, 7)) => (id, true),
                    Ok((_, other)) => panic!("{other} is not what it gave"),
                    Err(error) => (error.id(), false),
                });
            }
        });
        assert_eq!(seen, HashSet::from([(good, true), (bad, false)]));
    });
}

#[test]
fn panics_and_aborts_are_errors_of_their_tasks() {
    within_a_minute(|| {
        let rt = Rt::new();
        let mut set = JoinSet::new();
        set.spawn_on(&rt, async { panic!("in the task") });
        let error: JoinError = rt.block_on(set.join_next()).unwrap().unwrap_err();
        assert_eq!(message(error), "in the task");

        let abort = set.spawn_on(&rt, pending());
        abort.abort();
        assert!(
            rt.block_on(set.join_next())
                .unwrap()
                .unwrap_err()
                .is_cancelled()
        );
        assert!(abort.is_finished() && set.is_empty());
    });
}

#[test]
fn try_join_next_takes_only_what_has_ended() {
    let rt = Rt::new();
    let mut set = JoinSet::new();
    set.spawn_on(&rt, pending());
    set.spawn_on(&rt, async { 7 });
    assert!(set.try_join_next().is_none());
    rt.block_on(yield_now());
    assert_eq!(set.try_join_next().unwrap().unwrap(), 7);
    assert!(set.try_join_next().is_none());
    assert_eq!(set.len(), 1);
    set.abort_all();
    rt.block_on(yield_now());
    assert!(
        set.try_join_next_with_id()
            .unwrap()
            .unwrap_err()
            .is_cancelled()
    );
}

#[test]
fn looking_does_not_take_the_wake_up_from_who_waits() {
    let rt = Rt::new();
    let mut set = JoinSet::new();
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    set.spawn_on(&rt, yield_now());
    assert!(set.poll_join_next(&mut cx).is_pending());
    assert!(set.try_join_next().is_none());
    rt.block_on(async {
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(wakes.get(), 1, "who polled last is woken");
    assert!(set.poll_join_next(&mut cx).is_ready());
}

#[test]
fn a_dropped_join_next_has_taken_nothing() {
    let rt = Rt::new();
    let mut set = JoinSet::new();
    set.spawn_on(&rt, async { 7 });
    {
        let mut waiting = pin!(set.join_next());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        rt.block_on(yield_now());
    }
    assert_eq!(set.len(), 1);
    assert_eq!(set.join_next().now_or_never().unwrap().unwrap().unwrap(), 7);
}

#[test]
fn dropping_the_set_aborts_its_tasks() {
    let rt = Rt::new();
    let drops = CountDrops::new();
    let mut set = JoinSet::new();
    for _ in 0..3 {
        let guard = drops.guard();
        set.spawn_on(&rt, async move {
            let _guard = guard;
            pending::<()>().await;
        });
    }
    rt.block_on(yield_now());
    drop(set);
    assert_eq!(drops.get(), 0, "they end at their next poll");
    rt.block_on(yield_now());
    assert_eq!(drops.get(), 3);
}

#[test]
fn detached_tasks_go_on() {
    let rt = Rt::new();
    let count = Arc::new(AtomicUsize::new(0));
    let mut set = JoinSet::new();
    for _ in 0..3 {
        let count = Arc::clone(&count);
        set.spawn_on(&rt, async move { count.fetch_add(1, Ordering::SeqCst) });
    }
    set.detach_all();
    assert!(set.is_empty());
    drop(set);
    rt.block_on(yield_now());
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn shutdown_waits_until_all_futures_were_dropped() {
    within_a_minute(|| {
        let rt = Rt::new();
        let drops = CountDrops::new();
        let mut set = JoinSet::new();
        for i in 0..10 {
            let guard = drops.guard();
            set.spawn_on(&rt, async move {
                let _guard = guard;
                if i % 2 == 0 {
                    panic!("of no interest");
                }
                pending::<()>().await;
            });
        }
        rt.block_on(set.shutdown());
        assert_eq!((drops.get(), set.len()), (10, 0));
    });
}

#[test]
fn join_all_panics_with_the_panic_of_a_task_and_aborts_the_others() {
    within_a_minute(|| {
        let rt = Rt::new();
        let drops = CountDrops::new();
        let guard = drops.guard();
        let mut set = JoinSet::new();
        set.spawn_on(&rt, async move {
            let _guard = guard;
            pending::<()>().await;
        });
        set.spawn_on(&rt, async { panic!("the panic of the task") });
        let unwound = catch_unwind(AssertUnwindSafe(|| rt.block_on(set.join_all())));
        let payload = unwound.unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"the panic of the task"));
        rt.block_on(yield_now());
        assert_eq!(drops.get(), 1);

        let mut set = JoinSet::new();
        set.spawn_on(&rt, pending::<()>()).abort();
        let unwound = catch_unwind(AssertUnwindSafe(|| rt.block_on(set.join_all())));
        let payload = unwound.unwrap_err();
        let text = payload.downcast_ref::<String>().unwrap();
        assert!(text.ends_with("was cancelled"), "{text}");
    });
}

#[test]
fn joining_one_of_thousands_polls_no_other() {
    /// A handle that counts the polls of all such handles.
    #[derive(Debug)]
    struct Counted(TaskHandle<usize>, Arc<AtomicUsize>);
    impl Future for Counted {
        type Output = Result<usize, JoinError>;
        fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            self.1.fetch_add(1, Ordering::SeqCst);
            std::pin::Pin::new(&mut self.0).poll(cx)
        }
    }
    impl JoinHandle<usize> for Counted {
        type AbortHandle = <TaskHandle<usize> as JoinHandle<usize>>::AbortHandle;
        fn abort(&self) {
            self.0.abort();
        }
        fn is_finished(&self) -> bool {
            self.0.is_finished()
        }
        fn id(&self) -> anyrt_core::task::Id {
            self.0.id()
        }
        fn abort_handle(&self) -> Self::AbortHandle {
            self.0.abort_handle()
        }
    }
    within_a_minute(|| {
        const TASKS: usize = 5_000;
        let rt = Rt::new();
        let polls = Arc::new(AtomicUsize::new(0));
        let mut set: JoinSet<usize, Counted> = (0..TASKS)
            .map(|i| {
                let task = rt.spawn(async move {
                    for _ in 0..i % 7 {
                        yield_now().await;
                    }
                    i
                });
                Counted(task, Arc::clone(&polls))
            })
            .collect();
        let joined = rt.block_on(async {
            let mut joined = HashSet::new();
            while let Some(result) = set.join_next().await {
                assert!(joined.insert(result.unwrap()));
            }
            joined
        });
        assert_eq!(joined.len(), TASKS);
        // Once at first, once after it has ended, and once more because the budget was used up.
        let polls = polls.load(Ordering::SeqCst);
        let refused = TASKS / usize::from(coop::BUDGET) + 1;
        assert!(polls <= 2 * TASKS + refused, "{polls} polls");
    });
}

#[test]
fn a_set_that_is_always_ready_keeps_to_the_budget() {
    let rt = Rt::new();
    let mut set = JoinSet::new();
    for _ in 0..1_000 {
        set.spawn_on(&rt, async {});
    }
    for _ in 0..20 {
        rt.block_on(yield_now());
    }
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    let mut joined = 0;
    coop::with_budget(|| {
        while set.poll_join_next(&mut cx).is_ready() {
            joined += 1;
        }
        assert_eq!(joined, usize::from(coop::BUDGET));
        assert!(wakes.get() > 0, "it asks to be polled again");
        // An operation that cannot wait charges no budget.
        assert!(set.try_join_next().is_some());
    });
}
