//! The clock that can be paused: what advances it, and what does not.

#[path = "../../anyrt-core/tests/common/mod.rs"]
mod common;

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use anyrt_core::error::ClockError;
use anyrt_core::runtime::{Config, Flavor};
use anyrt_core::time::Sleep as _;
use anyrt_kit::time::clock::{Clock, Driver, Lull, Wait};
use anyrt_kit::time::pausable::Pausable;
use common::CountWakes;
use futures_util::FutureExt;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs `future` like a runtime without sockets and other threads.
fn run<F: Future>(clock: &Arc<Clock>, future: F) -> F::Output {
    let driver = clock.drive();
    let alarm = |_| -> std::future::Pending<()> { panic!("a paused clock needs no alarm") };
    let mut running = pin!(driver.run(future, alarm, || ready(())));
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = running.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

#[test]
fn a_paused_clock_moves_to_the_next_deadline_when_nothing_else_is_left() {
    let clock = Clock::new(true);
    let start = clock.now();
    let clock = &clock;
    run(clock, async {
        let at = |deadline| async move {
            clock.sleep_until(deadline).await;
            assert_eq!(clock.now(), deadline);
        };
        futures_util::future::join(at(start + 2 * HOUR), at(start + HOUR)).await;
    });
}

#[test]
fn a_paused_clock_does_not_move_while_there_is_something_to_run() {
    let clock = Clock::new(true);
    let start = clock.now();
    run(&clock, async {
        let mut sleep = pin!(clock.sleep_until(start + HOUR));
        for _ in 0..1000 {
            assert!(sleep.as_mut().now_or_never().is_none());
            let mut yielded = false;
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut yielded, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            assert_eq!(clock.now(), start);
        }
        sleep.await;
        assert_eq!(clock.now(), start + HOUR);
    });
}

#[test]
fn a_paused_clock_stands_without_a_driver_and_while_it_is_inhibited() {
    let clock = Clock::new(true);
    let (wakes, waker) = CountWakes::new();
    let mut sleep = clock.sleep_until(clock.now() + HOUR);
    assert!(poll(&mut sleep, &waker).is_pending());
    assert_eq!(clock.wait(), Wait::Forever);

    let driver = clock.drive();
    assert_eq!(clock.wait(), Wait::Forever, "the driver has not run yet");
    assert!(becomes_idle(&driver));
    let lull = lull(&clock);
    let inhibition = clock.inhibit();
    assert_eq!(clock.wait(), Wait::Forever);
    assert!(!clock.try_advance(lull, || true));
    drop(inhibition);
    // The end of the inhibition told the driver to look again.
    assert_eq!(
        driver.undisturbed(pending()).now_or_never(),
        Some(false),
        "the driver was not told"
    );
    assert!(becomes_idle(&driver));
    assert!(
        !clock.try_advance(lull, || false),
        "something is left to run elsewhere"
    );
    assert!(clock.try_advance(lull, || true));
    assert_eq!(wakes.get(), 1);
    assert!(poll(&mut sleep, &waker).is_ready());
}

#[test]
fn a_driver_that_went_idle_while_the_clock_was_moved_on_looks_again() {
    let clock = Clock::new(true);
    let driver = clock.drive();
    // Woken by the clock while it advances: the situation of a driver that becomes idle at that
    // moment.
    let meanwhile = Arc::new(Meanwhile(Arc::clone(&clock)));
    let mut near = clock.sleep_until(clock.now() + Duration::from_millis(1));
    assert!(poll(&mut near, &Waker::from(meanwhile)).is_pending());
    let mut far = clock.sleep_until(clock.now() + HOUR);
    assert!(poll(&mut far, Waker::noop()).is_pending());
    assert!(becomes_idle(&driver));
    clock.advance(Duration::from_millis(1)).unwrap();
    assert_eq!(
        driver.undisturbed(pending()).now_or_never(),
        Some(false),
        "the driver was not told"
    );
}

struct Meanwhile(Arc<Clock>);

impl Wake for Meanwhile {
    fn wake(self: Arc<Self>) {
        assert_eq!(self.0.wait(), Wait::Forever);
    }
}

#[test]
fn a_paused_clock_waits_for_every_driver() {
    let clock = Clock::new(true);
    let mut sleep = clock.sleep_until(clock.now() + HOUR);
    assert!(poll(&mut sleep, Waker::noop()).is_pending());
    let (idle, busy) = (clock.drive(), clock.drive());
    assert!(becomes_idle(&idle));
    assert_eq!(clock.wait(), Wait::Forever);
    drop(busy);
    assert_eq!(idle.undisturbed(pending()).now_or_never(), Some(false));
    assert!(becomes_idle(&idle));
    lull(&clock);
}

#[test]
fn a_driver_that_ran_meanwhile_has_ended_the_lull() {
    let clock = Clock::new(true);
    let mut sleep = clock.sleep_until(clock.now() + HOUR);
    assert!(poll(&mut sleep, Waker::noop()).is_pending());
    let driver = clock.drive();
    let woken = RefCell::new(Waker::noop().clone());
    let mut future = pin!(poll_fn(|cx| {
        woken.replace(cx.waker().clone());
        Poll::<()>::Pending
    }));
    let mut run = || driver.until_idle(future.as_mut()).now_or_never();
    assert_eq!(run(), Some(None));
    let before = lull(&clock);
    // Its operations may have made a socket ready after the check of the sockets.
    woken.borrow().wake_by_ref();
    assert_eq!(run(), Some(None));
    assert!(!clock.try_advance(before, || true));
    assert!(clock.try_advance(lull(&clock), || true));
}

fn lull(clock: &Clock) -> Lull {
    match clock.wait() {
        Wait::Advance(lull) => lull,
        other => panic!("there is no lull: {other:?}"),
    }
}

#[test]
fn a_timer_that_was_armed_before_the_pause_follows_the_clock() {
    let clock = Clock::new(false);
    let start = clock.now();
    let mut sleep = clock.sleep_until(start + HOUR);
    assert!(poll(&mut sleep, Waker::noop()).is_pending());
    assert!(matches!(clock.wait(), Wait::Until(_)));
    assert_eq!(clock.resume(), Err(ClockError::Running));
    assert_eq!(clock.advance(HOUR), Err(ClockError::Running));
    clock.pause().unwrap();
    assert_eq!(clock.pause(), Err(ClockError::Paused));
    let paused = clock.now();
    assert_eq!(clock.now(), paused);
    // Until the tick after the deadline.
    let step = HOUR + Duration::from_millis(1);
    clock.advance(step).unwrap();
    assert_eq!(clock.now(), paused + step);
    assert!(poll(&mut sleep, Waker::noop()).is_ready());
    clock.resume().unwrap();
    assert!(clock.now() >= paused + step);
    assert!(clock.now() < paused + 2 * HOUR);
}

#[test]
fn timers_fire_at_full_milliseconds_as_tokios_do() {
    let clock = Clock::new(true);
    let start = clock.now();
    run(
        &clock,
        clock.sleep_until(start + Duration::from_micros(1500)),
    );
    assert_eq!(clock.now() - start, Duration::from_millis(2));

    // An advance by less than a tick is kept.
    clock.advance(Duration::from_micros(250)).unwrap();
    let before = clock.now();
    run(&clock, clock.sleep_until(before + Duration::from_millis(1)));
    assert_eq!(clock.now() - before, Duration::from_millis(2));
}

#[test]
fn a_timer_has_fired_only_when_it_was_polled_and_is_due() {
    let clock = Clock::new(true);
    let mut sleep = clock.sleep_until(clock.now());
    assert!(!sleep.is_elapsed());
    assert!(poll(&mut sleep, Waker::noop()).is_ready());
    assert!(sleep.is_elapsed());

    Pin::new(&mut sleep).reset(clock.now() + HOUR);
    assert!(poll(&mut sleep, Waker::noop()).is_pending());
    assert!(!sleep.is_elapsed());
    clock.advance(HOUR).unwrap();
    assert!(sleep.is_elapsed());
}

#[test]
fn an_instant_far_away_does_not_overflow() {
    let clock = Clock::new(true);
    clock.advance(Duration::MAX).unwrap();
    let far: Instant = anyrt_core::time::saturating_add(clock.now(), Duration::MAX);
    let mut sleep = clock.sleep_until(far);
    assert!(poll(&mut sleep, Waker::noop()).is_pending());
}

fn becomes_idle(driver: &Driver) -> bool {
    let forever = pin!(pending::<()>());
    driver.until_idle(forever).now_or_never() == Some(None)
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn a_clock_that_starts_paused_needs_the_feature_test_util() {
    let mut config = Config::default();
    config.flavor = Flavor::CurrentThread;
    config.start_paused = true;
    let made = Pausable::of(&config, "toy");
    if cfg!(feature = "test-util") {
        assert!(made.unwrap().get().is_some());
    } else {
        let error = made.unwrap_err().to_string();
        assert!(error.contains("`test-util`"), "{error}");
    }
}
