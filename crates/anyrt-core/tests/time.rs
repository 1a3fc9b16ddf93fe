//! Timeouts and intervals on a clock that is advanced by hand.

mod common;

use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use anyrt_core::coop;
use anyrt_core::time::{Interval, MissedTickBehavior, Sleep, saturating_add};
use anyrt_core::{Elapsed, Timer};
use common::{Clock, CountWakes};
use futures_util::{FutureExt, StreamExt};

const MS: Duration = Duration::from_millis(1);
const PERIOD: Duration = Duration::from_millis(100);

/// Returns the ticks that are ready now, in milliseconds since `start`.
fn ticks(interval: &mut Interval<Clock>, start: Instant) -> Vec<u128> {
    let mut cx = Context::from_waker(Waker::noop());
    std::iter::from_fn(|| match interval.poll_tick(&mut cx) {
        Poll::Ready(due) => Some((due - start).as_millis()),
        Poll::Pending => None,
    })
    .collect()
}

/// An interval that ticked at 0, was not polled until 350 ms, and then every 50 ms until 700.
fn late(behavior: MissedTickBehavior) -> Vec<(u64, Vec<u128>)> {
    let clock = Clock::new();
    let start = clock.now();
    let mut interval = clock.interval(PERIOD);
    interval.set_missed_tick_behavior(behavior);
    assert_eq!(interval.missed_tick_behavior(), behavior);
    assert_eq!(ticks(&mut interval, start), [0]);
    clock.advance(300 * MS);
    let mut seen = Vec::new();
    for at in (350..=700).step_by(50) {
        clock.advance(50 * MS);
        let ticks = ticks(&mut interval, start);
        if !ticks.is_empty() {
            seen.push((at, ticks));
        }
    }
    seen
}

#[test]
fn the_first_tick_comes_at_once_and_the_next_ones_on_the_beat() {
    let clock = Clock::new();
    let start = clock.now();
    let mut interval = clock.interval(PERIOD);
    assert_eq!(interval.period(), PERIOD);
    assert_eq!(ticks(&mut interval, start), [0]);
    clock.advance(PERIOD - MS);
    assert_eq!(ticks(&mut interval, start), []);
    // The delay is too short to count as missed, so the schedule is kept.
    clock.advance(5 * MS);
    assert_eq!(ticks(&mut interval, start), [100]);
    clock.advance(96 * MS);
    assert_eq!(ticks(&mut interval, start), [200]);
}

#[test]
fn burst_catches_up() {
    assert_eq!(
        late(MissedTickBehavior::Burst),
        [
            (350, vec![100, 200, 300]),
            (400, vec![400]),
            (500, vec![500]),
            (600, vec![600]),
            (700, vec![700]),
        ]
    );
}

#[test]
fn delay_starts_anew_from_the_late_tick() {
    assert_eq!(
        late(MissedTickBehavior::Delay),
        [
            (350, vec![100]),
            (450, vec![450]),
            (550, vec![550]),
            (650, vec![650])
        ]
    );
}

#[test]
fn skip_keeps_the_beat() {
    assert_eq!(
        late(MissedTickBehavior::Skip),
        [
            (350, vec![100]),
            (400, vec![400]),
            (500, vec![500]),
            (600, vec![600]),
            (700, vec![700]),
        ]
    );
}

#[test]
fn skip_of_a_tick_that_is_late_by_whole_periods_waits_for_the_next_one() {
    let clock = Clock::new();
    let start = clock.now();
    let mut interval = clock.interval(PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    assert_eq!(ticks(&mut interval, start), [0]);
    clock.advance(3 * PERIOD);
    assert_eq!(ticks(&mut interval, start), [100]);
    clock.advance(PERIOD - MS);
    assert_eq!(ticks(&mut interval, start), []);
    clock.advance(MS);
    assert_eq!(ticks(&mut interval, start), [400]);
}

#[test]
fn an_interval_may_start_later_or_in_the_past() {
    let clock = Clock::new();
    let start = clock.now();
    let mut later = clock.interval_at(start + 30 * MS, PERIOD);
    clock.advance(29 * MS);
    assert_eq!(ticks(&mut later, start), []);
    clock.advance(MS);
    assert_eq!(ticks(&mut later, start), [30]);

    clock.advance(2 * PERIOD);
    let mut past = clock.interval_at(start + 30 * MS, PERIOD);
    assert_eq!(ticks(&mut past, start), [30, 130, 230]);
}

#[test]
fn resets_move_the_next_tick() {
    let clock = Clock::new();
    let start = clock.now();
    let mut interval = clock.interval(PERIOD);
    assert_eq!(ticks(&mut interval, start), [0]);
    clock.advance(40 * MS);
    interval.reset();
    clock.advance(99 * MS);
    assert_eq!(ticks(&mut interval, start), []);
    clock.advance(MS);
    assert_eq!(ticks(&mut interval, start), [140]);
    interval.reset_immediately();
    assert_eq!(ticks(&mut interval, start), [140]);
    interval.reset_after(10 * MS);
    clock.advance(10 * MS);
    assert_eq!(ticks(&mut interval, start), [150]);
    interval.reset_at(start + 155 * MS);
    clock.advance(5 * MS);
    assert_eq!(ticks(&mut interval, start), [155]);
}

#[test]
fn a_dropped_tick_is_not_lost() {
    let clock = Clock::new();
    let start = clock.now();
    let mut interval = clock.interval_at(start + PERIOD, PERIOD);
    assert!(interval.tick().now_or_never().is_none());
    clock.advance(PERIOD);
    assert_eq!(interval.tick().now_or_never(), Some(start + PERIOD));
    assert!(interval.next().now_or_never().is_none());
    clock.advance(PERIOD);
    assert_eq!(
        interval.next().now_or_never(),
        Some(Some(start + 2 * PERIOD))
    );
}

#[test]
fn an_endless_period_ticks_once() {
    let clock = Clock::new();
    let start = clock.now();
    let mut interval = clock.interval(Duration::MAX);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    assert_eq!(ticks(&mut interval, start), [0]);
    clock.advance(Duration::from_secs(86_400 * 365));
    assert_eq!(ticks(&mut interval, start), []);
}

#[test]
#[should_panic(expected = "`period` must be non-zero.")]
fn a_period_of_zero_panics() {
    drop(Clock::new().interval(Duration::ZERO));
}

#[test]
fn a_timeout_ends_at_its_deadline_and_not_before() {
    let clock = Clock::new();
    let (wakes, waker) = CountWakes::new();
    let mut cx = Context::from_waker(&waker);
    // Counted from the call, not from the first poll.
    let mut timeout = pin!(clock.timeout(PERIOD, pending::<()>()));
    clock.advance(PERIOD - MS);
    assert!(timeout.as_mut().poll(&mut cx).is_pending());
    clock.advance(MS);
    assert_eq!(wakes.get(), 1);
    assert!(matches!(
        timeout.as_mut().poll(&mut cx),
        Poll::Ready(Err(Elapsed { .. }))
    ));
}

#[test]
fn a_ready_future_beats_an_expired_timeout() {
    let clock = Clock::new();
    let at = clock.now();
    assert_eq!(
        clock.timeout(Duration::ZERO, ready(7)).now_or_never(),
        Some(Ok(7))
    );
    clock.advance(PERIOD);
    assert_eq!(clock.timeout_at(at, ready(7)).now_or_never(), Some(Ok(7)));
    assert!(
        clock
            .timeout_at(at, pending::<()>())
            .now_or_never()
            .unwrap()
            .is_err()
    );
}

#[test]
fn an_endless_timeout_never_ends() {
    let clock = Clock::new();
    let mut timeout = Box::pin(clock.timeout(Duration::MAX, pending::<()>()));
    clock.advance(Duration::from_secs(86_400 * 365));
    assert!((&mut timeout).now_or_never().is_none());
    assert!(saturating_add(clock.now(), Duration::MAX) > clock.now());
}

#[test]
fn a_future_that_eats_the_budget_cannot_outlive_its_timeout() {
    /// A sleep that charges the budget, like those of the backends.
    #[derive(Debug)]
    struct Charging(<Clock as Timer>::Sleep);
    impl Future for Charging {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            coop::charged(cx, |cx| Pin::new(&mut self.0).poll(cx))
        }
    }
    impl Sleep for Charging {
        fn deadline(&self) -> Instant {
            self.0.deadline()
        }
        fn is_elapsed(&self) -> bool {
            self.0.is_elapsed()
        }
        fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
            Pin::new(&mut self.0).reset(deadline);
        }
    }
    let clock = Clock::new();
    let greedy = async {
        loop {
            coop::cooperative(ready(())).await;
        }
    };
    let sleep = Charging(clock.sleep(PERIOD));
    let mut timeout = pin!(anyrt_core::time::Timeout::<_, Charging>::new(greedy, sleep));
    let mut poll = || {
        let mut cx = Context::from_waker(Waker::noop());
        coop::with_budget(|| -> Poll<Result<(), Elapsed>> { timeout.as_mut().poll(&mut cx) })
    };
    assert!(poll().is_pending());
    clock.advance(PERIOD);
    assert!(poll().is_ready());
}

#[test]
fn a_sleep_can_be_moved_whether_armed_or_fired() {
    let clock = Clock::new();
    let mut sleep = clock.sleep(PERIOD);
    let mut sleep = Pin::new(&mut sleep);
    assert!(sleep.as_mut().now_or_never().is_none());
    clock.advance(PERIOD);
    assert!(sleep.is_elapsed());
    assert!(sleep.as_mut().now_or_never().is_some());
    let later = clock.now() + PERIOD;
    sleep.as_mut().reset(later);
    assert_eq!((sleep.deadline(), sleep.is_elapsed()), (later, false));
    assert!(sleep.as_mut().now_or_never().is_none());
}
