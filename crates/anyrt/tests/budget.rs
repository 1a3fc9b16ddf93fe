//! A task that is always ready lets others run, for every kind of operation.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use anyrt::runtime::{Backend, Builder, Handle};
use anyrt::sync::{Mutex, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use anyrt::task::coop::{cooperative, has_budget_remaining, poll_proceed, unconstrained};
use anyrt::task::{self, consume_budget};
use anyrt::time::{Duration, sleep, timeout};

/// Ready operations in one poll of a task before it must yield.
const BUDGET: usize = 128;

/// Returns a flag that a timer sets, if it gets to run.
fn timer() -> Arc<AtomicBool> {
    let rang = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&rang);
    anyrt::spawn(async move {
        sleep(Duration::from_millis(2)).await;
        flag.store(true, Ordering::SeqCst);
    });
    rang
}

/// Repeats an operation that is always ready until the timer has fired: as a task, as a local task
/// and in `block_on`.
macro_rules! starves_nobody {
    ($name:ident, $(let $state:pat = $init:expr;)* $ready:expr) => {
        #[anyrt::test]
        async fn $name() {
            let rang = timer();
            anyrt::spawn(async move {
                $(let $state = $init;)*
                while !rang.load(Ordering::SeqCst) {
                    $ready;
                }
            }).await.unwrap();
            let rang = timer();
            task::LocalSet::new().run_until(async move {
                task::spawn_local(async move {
                    $(let $state = $init;)*
                    while !rang.load(Ordering::SeqCst) {
                        $ready;
                    }
                }).await.unwrap();
            }).await;
            let rang = timer();
            $(let $state = $init;)*
            while !rang.load(Ordering::SeqCst) {
                $ready;
            }
        }
    };
}

starves_nobody!(a_bounded_channel, let (sender, mut receiver) = mpsc::channel(1); {
    sender.send(1).await.unwrap();
    receiver.recv().await.unwrap();
});
starves_nobody!(an_unbounded_channel, let (sender, mut receiver) = mpsc::unbounded_channel(); {
    sender.send(1).unwrap();
    receiver.recv().await.unwrap();
});
starves_nobody!(a_wrapped_channel, let (sender, mut receiver) = mpsc::channel(1); {
    let wrapped = Handle::current().wrap(async {
        sender.send(1).await.unwrap();
        receiver.recv().await.unwrap();
    });
    wrapped.await;
});
starves_nobody!(a_broadcast, let (sender, mut receiver) = broadcast::channel(1); {
    sender.send(1).unwrap();
    receiver.recv().await.unwrap();
});
starves_nobody!(a_watch, let (sender, mut receiver) = watch::channel(0); {
    sender.send(1).unwrap();
    receiver.changed().await.unwrap();
});
starves_nobody!(oneshots, {
    let (sender, receiver) = oneshot::channel();
    sender.send(1).unwrap();
    receiver.await.unwrap();
});
starves_nobody!(a_semaphore, let semaphore = Semaphore::new(1); drop(semaphore.acquire().await.unwrap()));
starves_nobody!(a_mutex, let mutex = Mutex::new(()); drop(mutex.lock().await));
starves_nobody!(a_lock, let lock = RwLock::new(()); {
    drop(lock.read().await);
    drop(lock.write().await);
});
starves_nobody!(joined_tasks, task::spawn_blocking(|| ()).await.unwrap());
starves_nobody!(nothing_but_its_budget, consume_budget().await);
starves_nobody!(a_cooperative_future, cooperative(async {}).await);
starves_nobody!(a_selection, let (sender, mut receiver) = mpsc::unbounded_channel(); {
    sender.send(1).unwrap();
    anyrt::select! {
        value = receiver.recv() => { value.unwrap(); }
        () = std::future::pending() => unreachable!(),
    }
});

/// Between two polls of the future given to `block_on`, as many tasks run as in Tokio, so they can
/// send less than it may receive in one.
#[anyrt::test]
async fn a_loop_that_prefers_what_a_task_sends_reaches_its_deadline() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    anyrt::spawn(async move {
        while sender.send(()).is_ok() && sender.send(()).is_ok() {
            task::yield_now().await;
        }
    });
    let mut deadline = pin!(sleep(Duration::from_millis(2)));
    loop {
        anyrt::select! {
            biased;
            value = receiver.recv() => value.unwrap(),
            () = &mut deadline => break,
        }
    }
}

#[anyrt::test]
async fn a_budget_is_128_units() {
    task::yield_now().await;
    for _ in 0..BUDGET {
        assert!(has_budget_remaining());
        consume_budget().await;
    }
    assert!(!has_budget_remaining());
    task::yield_now().await;
    assert!(has_budget_remaining());
}

#[anyrt::test]
async fn channels_yield_after_the_budget_as_on_tokio() {
    let count = anyrt::spawn(async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for _ in 0..10 * BUDGET {
            sender.send(()).unwrap();
        }
        let mut receive = pin!(async { while receiver.recv().await.is_some() {} });
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            assert!(receive.as_mut().poll(cx).is_pending());
            if has_budget_remaining() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        polls
    })
    .await
    .unwrap();
    // Outside Tokio's own poll, creating the next budget takes one unit.
    assert!((10..=12).contains(&count), "{count}");
}

#[anyrt::test]
async fn a_unit_comes_back_unless_there_was_progress() {
    task::yield_now().await;
    poll_fn(|cx| {
        for _ in 0..10 * BUDGET {
            assert!(poll_proceed(cx).is_ready());
        }
        for _ in 0..BUDGET {
            let Poll::Ready(unit) = poll_proceed(cx) else {
                panic!("the units came back");
            };
            unit.made_progress();
        }
        assert!(poll_proceed(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[anyrt::test]
async fn who_is_unconstrained_never_yields() {
    anyrt::spawn(async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for _ in 0..10 * BUDGET {
            sender.send(()).unwrap();
        }
        let mut receive = pin!(unconstrained(async {
            for _ in 0..10 * BUDGET {
                receiver.recv().await;
                consume_budget().await;
            }
        }));
        poll_fn(|cx| {
            assert!(receive.as_mut().poll(cx).is_ready());
            Poll::Ready(())
        })
        .await;
        assert!(has_budget_remaining());
    })
    .await
    .unwrap();
}

#[anyrt::test]
async fn outside_a_task_there_is_no_budget() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for _ in 0..10 * BUDGET {
        sender.send(()).unwrap();
    }
    // A thread that has polled tasks, and now polls a future of its own.
    task::spawn_blocking(move || {
        let handle = Handle::current();
        handle.block_on(async {
            for _ in 0..BUDGET / 2 {
                receiver.recv().await;
            }
        });
        let mut receive = pin!(async {
            for _ in 0..9 * BUDGET {
                receiver.recv().await;
            }
        });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(receive.as_mut().poll(&mut cx).is_ready());
    })
    .await
    .unwrap();
}

#[test]
fn a_future_wrapped_on_another_executor_starves_no_timer() {
    for &backend in Backend::enabled() {
        let runtime = Builder::new_multi_thread()
            .backend(backend)
            .enable_all()
            .build()
            .unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let always_ready = async move {
            loop {
                sender.send(1).await.unwrap();
                receiver.recv().await.unwrap();
            }
        };
        let limited = async { timeout(Duration::from_millis(2), always_ready).await };
        let result: Result<(), _> = smol::block_on(runtime.handle().wrap(limited));
        assert!(result.is_err(), "{backend}");
    }
}

/// An application that runs the executor of Smol inside a runtime of Tokio.
#[cfg(feature = "smol")]
#[test]
fn a_task_of_smol_runs_inside_a_runtime_of_tokio() {
    let executor = Arc::new(smol::Executor::new());
    let handle = Handle::from(anyrt_smol::SmolRuntime::on(Arc::clone(&executor)));
    let task = handle.spawn(async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        sender.send(7).unwrap();
        receiver.recv().await
    });
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(tokio.block_on(executor.run(task)).unwrap(), Some(7));
}
