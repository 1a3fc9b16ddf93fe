//! Intervals: the first tick is immediate, later ones are regular; the behaviour for missed ticks.

use std::time::{Duration, Instant};

use anyrt_core::Runtime;
use anyrt_core::time::{Interval, MissedTickBehavior};
use futures_util::StreamExt;

use crate::case::cases;
use crate::{panic_message, poll_once};

cases! {
    async the_first_tick_comes_at_once;
    async ticks_are_one_period_apart;
    async a_tick_is_never_early;
    async interval_at_ticks_first_at_its_start;
    async interval_at_a_past_start_ticks_at_once;
    async missed_ticks_burst_unless_told_otherwise;
    async missed_ticks_with_delay_start_anew;
    async missed_ticks_with_skip_keep_the_beat;
    async a_period_of_zero_panics_and_says_so;
    async dropping_a_tick_loses_none;
    async reset_starts_over;
    async reset_immediately_ticks_at_once;
    async reset_after_and_reset_at_choose_the_next_tick;
    async an_interval_is_a_stream;
    async a_period_of_duration_max_ticks_once;
    async an_interval_moves_into_a_task;
}

const PERIOD: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3_600);

async fn the_first_tick_comes_at_once<R: Runtime>(rt: R) {
    let before = rt.now();
    let mut interval = rt.interval(HOUR);
    let after = rt.now();
    let due = interval.tick().await;
    assert!(
        before <= due && due <= after,
        "due when the interval was made"
    );
}

async fn ticks_are_one_period_apart<R: Runtime>(rt: R) {
    let mut interval = rt.interval(PERIOD);
    let first = interval.tick().await;
    for number in 1..=5 {
        assert_eq!(interval.tick().await, first + PERIOD * number);
    }
}

async fn a_tick_is_never_early<R: Runtime>(rt: R) {
    let mut interval = rt.interval(Duration::from_millis(2));
    for _ in 0..10 {
        let due = interval.tick().await;
        assert!(rt.now() >= due);
    }
}

async fn interval_at_ticks_first_at_its_start<R: Runtime>(rt: R) {
    let start = rt.now() + PERIOD;
    let mut interval = rt.interval_at(start, PERIOD);
    assert_eq!(interval.tick().await, start);
    assert!(rt.now() >= start);
    assert_eq!(interval.tick().await, start + PERIOD);
}

async fn interval_at_a_past_start_ticks_at_once<R: Runtime>(rt: R) {
    let start = rt.now();
    rt.sleep(PERIOD).await;
    let mut interval = rt.interval_at(start, HOUR);
    assert_eq!(interval.tick().await, start);
}

/// Returns an interval that has missed more than three ticks after the first one, that first tick,
/// and the time at which they had been missed.
async fn late<R: Runtime>(
    rt: &R,
    behavior: Option<MissedTickBehavior>,
) -> (Interval<R>, Instant, Instant) {
    loop {
        let mut interval = rt.interval(PERIOD);
        if let Some(behavior) = behavior {
            interval.set_missed_tick_behavior(behavior);
            assert_eq!(interval.missed_tick_behavior(), behavior);
        }
        let first = interval.tick().await;
        // On a busy machine even the first tick may be late, which is not the subject here: try
        // again.
        if rt.now() < first + PERIOD / 2 {
            rt.sleep(PERIOD * 7 / 2).await;
            let late = rt.now();
            return (interval, first, late);
        }
    }
}

async fn missed_ticks_burst_unless_told_otherwise<R: Runtime>(rt: R) {
    for behavior in [None, Some(MissedTickBehavior::Burst)] {
        let (mut interval, first, _) = late(&rt, behavior).await;
        for number in 1..=5 {
            assert_eq!(interval.tick().await, first + PERIOD * number);
        }
    }
}

async fn missed_ticks_with_delay_start_anew<R: Runtime>(rt: R) {
    let (mut interval, first, late) = late(&rt, Some(MissedTickBehavior::Delay)).await;
    assert_eq!(interval.tick().await, first + PERIOD);
    assert!(interval.tick().await >= late + PERIOD);
}

async fn missed_ticks_with_skip_keep_the_beat<R: Runtime>(rt: R) {
    let (mut interval, first, late) = late(&rt, Some(MissedTickBehavior::Skip)).await;
    assert_eq!(interval.tick().await, first + PERIOD);
    let next = interval.tick().await;
    assert!(next > late, "the missed ones are skipped");
    let off_the_beat = (next - first).as_nanos() % PERIOD.as_nanos();
    assert_eq!(off_the_beat, 0);
}

async fn a_period_of_zero_panics_and_says_so<R: Runtime>(rt: R) {
    let message = panic_message(|| rt.interval(Duration::ZERO));
    assert!(message.contains("period"), "{message}");
    let message = panic_message(|| rt.interval_at(rt.now(), Duration::ZERO));
    assert!(message.contains("period"), "{message}");
}

async fn dropping_a_tick_loses_none<R: Runtime>(rt: R) {
    let mut interval = rt.interval(PERIOD);
    let first = interval.tick().await;
    for number in 1..=3 {
        for _ in 0..3 {
            let mut tick = Box::pin(interval.tick());
            if let std::task::Poll::Ready(due) = poll_once(&mut tick).await {
                // The machine was busy, so this tick is the one to compare.
                assert_eq!(due, first + PERIOD * number);
                return;
            }
        }
        assert_eq!(interval.tick().await, first + PERIOD * number);
    }
}

async fn reset_starts_over<R: Runtime>(rt: R) {
    let mut interval = rt.interval(PERIOD);
    interval.tick().await;
    rt.sleep(PERIOD * 3).await;
    let before = rt.now();
    interval.reset();
    assert!(interval.tick().await >= before + PERIOD);
}

async fn reset_immediately_ticks_at_once<R: Runtime>(rt: R) {
    let mut interval = rt.interval(HOUR);
    interval.tick().await;
    let before = rt.now();
    interval.reset_immediately();
    let due = interval.tick().await;
    assert!(due >= before && due < before + HOUR);
}

async fn reset_after_and_reset_at_choose_the_next_tick<R: Runtime>(rt: R) {
    let mut interval = rt.interval(HOUR);
    interval.tick().await;
    let before = rt.now();
    interval.reset_after(PERIOD);
    let due = interval.tick().await;
    assert!(due >= before + PERIOD && due < before + HOUR);
    let chosen = rt.now() + PERIOD;
    interval.reset_at(chosen);
    assert_eq!(interval.tick().await, chosen);
}

async fn an_interval_is_a_stream<R: Runtime>(rt: R) {
    let dues: Vec<_> = rt.interval(PERIOD).take(3).collect().await;
    assert_eq!(dues[1], dues[0] + PERIOD);
    assert_eq!(dues[2], dues[0] + PERIOD * 2);
}

async fn a_period_of_duration_max_ticks_once<R: Runtime>(rt: R) {
    let mut interval = rt.interval(Duration::MAX);
    assert_eq!(interval.period(), Duration::MAX);
    interval.tick().await;
    let mut second = Box::pin(interval.tick());
    assert!(poll_once(&mut second).await.is_pending());
}

async fn an_interval_moves_into_a_task<R: Runtime>(rt: R) {
    let mut interval = rt.interval(PERIOD);
    let first = interval.tick().await;
    let task = rt.spawn(async move { interval.tick().await });
    assert_eq!(task.await.unwrap(), first + PERIOD);
}
