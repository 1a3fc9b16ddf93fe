//! Timers on shards, between shards, and off them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::time::Sleep as _;
use anyrt_core::{Spawner, Timer};
use anyrt_glommio::time::Sleep;
use futures_util::FutureExt;

use crate::start;

crate::tests! {
    a_sleep_armed_on_one_shard_ends_on_another,
    a_sleep_armed_on_a_shard_ends_on_a_plain_thread,
    a_sleep_is_woken_at_the_deadline_that_it_was_moved_to,
    an_earlier_timer_from_another_thread_wakes_a_sleeping_shard,
    thousands_of_sleeps_never_end_early,
    armed_sleeps_can_be_dropped_on_another_thread,
    a_sleep_that_outlives_the_runtime_panics_instead_of_hanging,
}

/// A wrapper that is not a future, so that the compiler does not warn that it is never awaited.
struct Armed(Pin<Box<Sleep>>);

async fn arm(sleep: &mut Pin<Box<Sleep>>) {
    poll_fn(|cx| {
        assert!(sleep.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

fn a_sleep_armed_on_one_shard_ends_on_another() {
    let (runtime, rt) = start(2);
    runtime.block_on(async {
        let mut sleep = Box::pin(rt.sleep(Duration::from_millis(20)));
        let deadline = sleep.deadline();
        let armed = rt.spawn_on(0, async move {
            arm(&mut sleep).await;
            Armed(sleep)
        });
        let Armed(sleep) = armed.await.unwrap();
        rt.spawn_on(1, sleep).await.unwrap();
        assert!(rt.now() >= deadline);
    });
}

fn a_sleep_armed_on_a_shard_ends_on_a_plain_thread() {
    let (runtime, rt) = start(1);
    runtime.block_on(async {
        let mut sleep = Box::pin(rt.sleep(Duration::from_millis(20)));
        let deadline = sleep.deadline();
        let armed = rt.spawn(async move {
            arm(&mut sleep).await;
            Armed(sleep)
        });
        armed.await.unwrap().0.await;
        assert!(rt.now() >= deadline);
    });
}

fn a_sleep_is_woken_at_the_deadline_that_it_was_moved_to() {
    let (runtime, rt) = start(1);
    let rt2 = rt.clone();
    let task = rt.spawn(async move {
        let mut sleep = pin!(rt2.sleep(Duration::MAX));
        let deadline = rt2.now() + Duration::from_millis(10);
        let mut moved = false;
        poll_fn(|cx| {
            if !moved {
                assert!(sleep.as_mut().poll(cx).is_pending());
                // Not polled again after this, so the reset must keep the waker.
                sleep.as_mut().reset(deadline);
                moved = true;
                return Poll::Pending;
            }
            sleep.as_mut().poll(cx)
        })
        .await;
        assert!(rt2.now() >= deadline);
    });
    runtime.block_on(task).unwrap();
}

fn an_earlier_timer_from_another_thread_wakes_a_sleeping_shard() {
    let (runtime, rt) = start(1);
    runtime.block_on(async {
        for _ in 0..200 {
            // The only shard sleeps until its deadline.
            let mut far = Box::pin(rt.sleep(Duration::from_secs(3600)));
            arm(&mut far).await;
            rt.sleep(Duration::from_micros(200)).await;
        }
    });
}

fn thousands_of_sleeps_never_end_early() {
    let (runtime, rt) = start(2);
    let tasks: Vec<_> = (0..5000u64)
        .map(|n| {
            let rt2 = rt.clone();
            rt.spawn(async move {
                let deadline = rt2.now() + Duration::from_micros(n * 7919 % 50_000);
                rt2.sleep_until(deadline).await;
                assert!(rt2.now() >= deadline);
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn armed_sleeps_can_be_dropped_on_another_thread() {
    let (runtime, rt) = start(2);
    let alive = Arc::new(());
    let armed: Vec<_> = runtime.block_on(async {
        let mut armed = Vec::new();
        for n in 0..1000 {
            let mut sleep = Box::pin(rt.sleep(Duration::from_secs(3600)));
            let alive = Arc::clone(&alive);
            let arming = async move {
                arm(&mut sleep).await;
                drop(alive);
                Armed(sleep)
            };
            armed.push(rt.spawn_on(n % 2, arming).await.unwrap());
        }
        armed
    });
    std::thread::spawn(move || drop(armed)).join().unwrap();
    assert_eq!(Arc::strong_count(&alive), 1);
    runtime.block_on(rt.sleep(Duration::from_millis(1)));
}

fn a_sleep_that_outlives_the_runtime_panics_instead_of_hanging() {
    let (runtime, rt) = start(1);
    let tokio: anyrt_tokio::runtime::Runtime = anyrt_core::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut passed = Box::pin(rt.sleep(Duration::ZERO));
    let waiting = tokio.handle().spawn(rt.sleep(Duration::from_secs(3600)));
    tokio.block_on(anyrt_core::task::yield_now());
    drop(runtime);
    let error = tokio.block_on(waiting).unwrap_err();
    assert!(error.to_string().contains("runtime had ended"), "{error}");
    assert_eq!(passed.as_mut().now_or_never(), Some(()));
}
