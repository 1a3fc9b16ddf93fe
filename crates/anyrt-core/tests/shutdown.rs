//! Graceful shutdown: all tasks are notified and waited for, with a limit.

mod common;

use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use anyrt_core::shutdown::GracefulShutdown;
use common::{CountDrops, Rt, block_on, within_a_minute};

const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn it_waits_for_tasks_that_clean_up() {
    within_a_minute(|| {
        let rt = Rt::new();
        let shutdown = GracefulShutdown::new();
        let drops = CountDrops::new();
        for _ in 0..3 {
            let guard = drops.guard();
            shutdown.spawn(&rt, |stop| async move {
                stop.cancelled().await;
                // Several polls of work after the request to stop.
                for _ in 0..10 {
                    anyrt_core::task::yield_now().await;
                }
                drop(guard);
            });
        }
        assert_eq!(rt.block_on(shutdown.shutdown(&rt, TIMEOUT)), Ok(()));
        assert_eq!(drops.get(), 3);
    });
}

#[test]
fn at_the_timeout_it_counts_what_is_left() {
    within_a_minute(|| {
        let rt = Rt::new();
        let shutdown = GracefulShutdown::new();
        for _ in 0..2 {
            shutdown.spawn(&rt, |_| pending::<()>());
        }
        shutdown.spawn(&rt, |stop| async move { stop.cancelled().await });
        let tracked = shutdown.track(pending::<()>());
        let error = rt.block_on(async {
            let mut ending = pin!(shutdown.shutdown(&rt, TIMEOUT));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(ending.as_mut().poll(&mut cx).is_pending());
            while shutdown.tracker().len() > 3 {
                anyrt_core::task::yield_now().await;
            }
            rt.clock.advance(TIMEOUT - Duration::from_nanos(1));
            assert!(ending.as_mut().poll(&mut cx).is_pending());
            rt.clock.advance(Duration::from_nanos(1));
            ending.await.unwrap_err()
        });
        assert_eq!((error.tasks, error.waited), (3, TIMEOUT));
        assert_eq!(
            error.to_string(),
            "3 tasks are still running 10s after shutdown began"
        );
        drop(tracked);
        rt.queue.drain();
        assert_eq!(block_on(shutdown.shutdown(&rt, TIMEOUT)), Ok(()));
    });
}

#[test]
fn without_tasks_it_is_done_at_once() {
    let rt = Rt::new();
    let shutdown = GracefulShutdown::new();
    let mut cx = Context::from_waker(Waker::noop());
    let ended = pin!(shutdown.shutdown(&rt, Duration::ZERO)).poll(&mut cx);
    assert_eq!(ended, Poll::Ready(Ok(())));
    assert!(shutdown.token().is_cancelled());
}

#[test]
fn a_task_that_comes_too_late_starts_with_a_cancelled_token() {
    within_a_minute(|| {
        let rt = Rt::new();
        let shutdown = GracefulShutdown::new();
        // A clone belongs to the same group.
        shutdown.clone().token().cancel();
        let task = shutdown.spawn(&rt, |stop| async move { stop.is_cancelled() });
        assert!(rt.block_on(task).unwrap());
    });
}
