//! Sleeps: never early, movable, and gone when dropped.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::time::Sleep;
use anyrt_core::{Runtime, Timer};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::case::cases;
use crate::{Backend, Gate, on_thread, park_on, poll_once};

cases! {
    async a_sleep_is_never_early;
    async a_sleep_of_zero_ends;
    async a_sleep_until_the_past_ends;
    async a_sleep_of_duration_max_waits;
    async a_sleep_counts_from_the_call_not_from_the_first_poll;
    async a_sleep_knows_its_deadline_and_whether_it_has_passed;
    async a_sleep_that_fired_stays_ready;
    async an_earlier_sleep_ends_first_whatever_the_order_of_arming;
    async a_thousand_sleeps_in_tasks_all_end;
    async reset_of_an_armed_sleep_to_later_waits_longer;
    async reset_of_an_armed_sleep_to_earlier_wakes_its_task;
    async reset_of_a_fired_sleep_arms_it_again;
    async reset_of_a_sleep_that_was_never_polled_counts;
    async reset_to_the_past_ends_the_sleep;
    async reset_to_the_past_wakes_who_polled_last;
    async reset_to_duration_max_waits;
    fn    a_sleep_made_outside_of_the_runtime_ends_inside;
    async a_sleep_made_inside_ends_on_a_plain_thread;
    async an_armed_sleep_is_moved_to_another_task;
    async an_armed_sleep_is_moved_to_a_plain_thread;
    async a_sleep_wakes_the_task_that_polled_it_last;
    async a_dropped_sleep_keeps_no_waker;
    async ten_thousand_dropped_sleeps_leave_the_timers_working;
    async now_does_not_go_back;
    async an_idle_block_on_is_woken_by_its_timer;
}

const SHORT: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3_600);

async fn a_sleep_is_never_early<R: Runtime>(rt: R) {
    for micros in [1, 300, 999, 1_000, 1_001, 2_500, 7_777] {
        for _ in 0..5 {
            let duration = Duration::from_micros(micros);
            let before = rt.now();
            rt.sleep(duration).await;
            assert!(rt.now() >= before + duration, "a sleep of {micros} µs");
        }
    }
}

async fn a_sleep_of_zero_ends<R: Runtime>(rt: R) {
    for _ in 0..20 {
        rt.sleep(Duration::ZERO).await;
    }
}

async fn a_sleep_until_the_past_ends<R: Runtime>(rt: R) {
    rt.sleep_until(rt.now()).await;
    let then = rt.now();
    rt.sleep(SHORT).await;
    rt.sleep_until(then).await;
}

async fn a_sleep_of_duration_max_waits<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(Duration::MAX));
    assert!(poll_once(&mut sleep).await.is_pending());
    rt.sleep(SHORT).await;
    assert!(poll_once(&mut sleep).await.is_pending());
    assert!(!sleep.is_elapsed());
}

async fn a_sleep_counts_from_the_call_not_from_the_first_poll<R: Runtime>(rt: R) {
    let first = rt.sleep(Duration::from_millis(60));
    rt.sleep(Duration::from_millis(60)).await;
    // Due by now. If it had started only now, this one would finish first.
    let other = rt.sleep(Duration::from_millis(30));
    let (mut first, mut other) = (pin!(first), pin!(other));
    std::future::poll_fn(|cx| {
        if first.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        assert!(other.as_mut().poll(cx).is_pending(), "it started late");
        Poll::Pending
    })
    .await;
}

async fn a_sleep_knows_its_deadline_and_whether_it_has_passed<R: Runtime>(rt: R) {
    let deadline = rt.now() + SHORT;
    let mut sleep = Box::pin(rt.sleep_until(deadline));
    assert_eq!(sleep.deadline(), deadline);
    (&mut sleep).await;
    assert!(sleep.is_elapsed());
    assert_eq!(sleep.deadline(), deadline);
    let later = rt.now() + HOUR;
    sleep.as_mut().reset(later);
    assert_eq!(sleep.deadline(), later);
    assert!(!sleep.is_elapsed());
}

async fn a_sleep_that_fired_stays_ready<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(SHORT));
    (&mut sleep).await;
    for _ in 0..10 {
        assert!(poll_once(&mut sleep).await.is_ready());
        yield_now().await;
    }
}

async fn an_earlier_sleep_ends_first_whatever_the_order_of_arming<R: Runtime>(rt: R) {
    for late_first in [true, false] {
        let (early, late) = (rt.sleep(SHORT), rt.sleep(Duration::from_millis(80)));
        let (mut early, mut late) = (pin!(early), pin!(late));
        if late_first {
            assert!((&mut late).now_or_never().is_none());
        }
        std::future::poll_fn(|cx| {
            if early.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            assert!(
                late.as_mut().poll(cx).is_pending(),
                "the late one fired first"
            );
            Poll::Pending
        })
        .await;
    }
}

async fn a_thousand_sleeps_in_tasks_all_end<R: Runtime>(rt: R) {
    let tasks = (0..1_000).map(|number| {
        let timer = rt.clone();
        rt.spawn(async move {
            let duration = Duration::from_micros(number % 100 * 100);
            let before = timer.now();
            timer.sleep(duration).await;
            timer.now() - before >= duration
        })
    });
    for joined in join_all(tasks).await {
        assert!(joined.unwrap(), "a sleep was early");
    }
}

async fn reset_of_an_armed_sleep_to_later_waits_longer<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(SHORT));
    assert!(poll_once(&mut sleep).await.is_pending());
    let later = rt.now() + Duration::from_millis(30);
    sleep.as_mut().reset(later);
    sleep.await;
    assert!(rt.now() >= later);
}

async fn reset_of_an_armed_sleep_to_earlier_wakes_its_task<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(HOUR));
    assert!(poll_once(&mut sleep).await.is_pending());
    let sooner = rt.now() + SHORT;
    sleep.as_mut().reset(sooner);
    sleep.await;
    assert!(rt.now() >= sooner);
}

async fn reset_of_a_fired_sleep_arms_it_again<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(Duration::ZERO));
    for _ in 0..5 {
        (&mut sleep).await;
        let again = rt.now() + SHORT;
        sleep.as_mut().reset(again);
        assert!(poll_once(&mut sleep).await.is_pending());
        (&mut sleep).await;
        assert!(rt.now() >= again);
    }
}

async fn reset_of_a_sleep_that_was_never_polled_counts<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(HOUR));
    let sooner = rt.now() + SHORT;
    sleep.as_mut().reset(sooner);
    sleep.await;
    assert!(rt.now() >= sooner);
}

async fn reset_to_the_past_ends_the_sleep<R: Runtime>(rt: R) {
    let then = rt.now();
    rt.sleep(SHORT).await;
    let mut sleep = Box::pin(rt.sleep(HOUR));
    assert!(poll_once(&mut sleep).await.is_pending());
    sleep.as_mut().reset(then);
    assert!(sleep.is_elapsed());
    sleep.await;
}

async fn reset_to_the_past_wakes_who_polled_last<R: Runtime>(rt: R) {
    for _ in 0..20 {
        let then = rt.now();
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        let mut sleep = Box::pin(rt.sleep(HOUR));
        let polled = sleep.poll_unpin(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        rt.sleep(SHORT).await;
        assert_eq!(counter.wakes.load(Ordering::SeqCst), 0);
        sleep.as_mut().reset(then);
        // tokio-util's `DelayQueue` polls nothing until it is woken.
        counter.woken.wait().await;
        assert_eq!(counter.wakes.load(Ordering::SeqCst), 1);
        assert!(poll_once(&mut sleep).await.is_ready());
    }
}

async fn reset_to_duration_max_waits<R: Runtime>(rt: R) {
    let far = rt.sleep(Duration::MAX).deadline();
    let mut sleep = Box::pin(rt.sleep(SHORT));
    assert!(poll_once(&mut sleep).await.is_pending());
    sleep.as_mut().reset(far);
    rt.sleep(SHORT * 4).await;
    assert!(poll_once(&mut sleep).await.is_pending());
}

fn a_sleep_made_outside_of_the_runtime_ends_inside<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let rt = owner.handle();
    let before = rt.now();
    let sleep = rt.sleep(SHORT);
    owner.block_on(sleep);
    assert!(rt.now() >= before + SHORT);
}

async fn a_sleep_made_inside_ends_on_a_plain_thread<R: Runtime>(rt: R) {
    let (before, sleep) = (rt.now(), rt.sleep(SHORT));
    on_thread(move || park_on(sleep)).await;
    assert!(rt.now() >= before + SHORT);
}

async fn an_armed_sleep_is_moved_to_another_task<R: Runtime>(rt: R) {
    let before = rt.now();
    let mut sleep = Box::pin(rt.sleep(SHORT));
    assert!(poll_once(&mut sleep).await.is_pending());
    rt.spawn(sleep).await.unwrap();
    assert!(rt.now() >= before + SHORT);
}

async fn an_armed_sleep_is_moved_to_a_plain_thread<R: Runtime>(rt: R) {
    let before = rt.now();
    let mut sleep = Box::pin(rt.sleep(SHORT));
    assert!(poll_once(&mut sleep).await.is_pending());
    on_thread(move || park_on(sleep)).await;
    assert!(rt.now() >= before + SHORT);
}

/// Counts wakes. The count of its `Arc` shows whether a timer still holds it.
#[derive(Default)]
struct Counter {
    wakes: AtomicUsize,
    woken: Gate,
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.woken.open();
    }
}

async fn a_sleep_wakes_the_task_that_polled_it_last<R: Runtime>(rt: R) {
    let (first, last) = (Arc::new(Counter::default()), Arc::new(Counter::default()));
    let mut sleep = Box::pin(rt.sleep(Duration::from_millis(20)));
    for counter in [&first, &last] {
        let waker = Waker::from(Arc::clone(counter));
        let polled = sleep.poll_unpin(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            return; // The machine was too busy for this case.
        }
    }
    last.woken.wait().await;
    assert_eq!(first.wakes.load(Ordering::SeqCst), 0);
}

async fn a_dropped_sleep_keeps_no_waker<R: Runtime>(rt: R) {
    let counter = Arc::new(Counter::default());
    for _ in 0..100 {
        let waker = Waker::from(Arc::clone(&counter));
        let mut sleep = Box::pin(rt.sleep(HOUR));
        assert!(
            sleep
                .poll_unpin(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    // A reactor may release them in its next iteration.
    while Arc::strong_count(&counter) > 1 {
        rt.sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(counter.wakes.load(Ordering::SeqCst), 0);
}

async fn ten_thousand_dropped_sleeps_leave_the_timers_working<R: Runtime>(rt: R) {
    for number in 0..10_000_u64 {
        let mut sleep = Box::pin(rt.sleep(HOUR + Duration::from_nanos(number)));
        assert!(poll_once(&mut sleep).await.is_pending());
    }
    let before = rt.now();
    rt.sleep(SHORT).await;
    assert!(rt.now() >= before + SHORT);
}

async fn now_does_not_go_back<R: Runtime>(rt: R) {
    let mut last = rt.now();
    for _ in 0..1_000 {
        let now = rt.now();
        assert!(now >= last);
        last = now;
    }
}

async fn an_idle_block_on_is_woken_by_its_timer<R: Runtime>(rt: R) {
    // Nothing else is running: only the timer can wake the thread.
    for _ in 0..10 {
        rt.sleep(Duration::from_millis(1)).await;
    }
}
