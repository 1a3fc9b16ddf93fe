//! Time with Tokio's semantics: every item on every enabled backend, with the system's clock and
//! with a paused one.

#![cfg(feature = "test-util")]
#![expect(
    clippy::disallowed_methods,
    reason = "a paused clock is compared with the system's"
)]

use std::collections::HashSet;
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::{Backend, Builder, Runtime};
use anyrt::sync::oneshot;
use anyrt::task::{spawn_blocking, yield_now};
use anyrt::time::error::{Elapsed, Error};
use anyrt::time::{
    self, Duration, Instant, MissedTickBehavior, advance, interval, interval_at, pause, resume,
    sleep, sleep_until, timeout, timeout_at,
};

const HOUR: Duration = Duration::from_secs(3600);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// ---- Instant ------------------------------------------------------------------------------------

#[test]
fn an_instant_is_stds_without_its_panics() {
    let std = std::time::Instant::now();
    let early = Instant::from_std(std);
    let late = early + HOUR;
    assert_eq!((Instant::from(std), early.into_std()), (early, std));
    assert_eq!(std::time::Instant::from(late), std + HOUR);
    assert_eq!((late - early, early - late), (HOUR, Duration::ZERO));
    assert_eq!(late.duration_since(early), HOUR);
    assert_eq!(early.duration_since(late), Duration::ZERO);
    assert_eq!(early.saturating_duration_since(late), Duration::ZERO);
    assert_eq!(late.checked_duration_since(early), Some(HOUR));
    assert_eq!(early.checked_duration_since(late), None);
    assert_eq!(early.checked_add(HOUR), Some(late));
    assert_eq!(late.checked_sub(HOUR), Some(early));
    assert_eq!(early.checked_add(Duration::MAX), None);
    let mut moved = early;
    moved += HOUR;
    assert_eq!(moved, late);
    moved -= HOUR;
    assert_eq!((moved, late - HOUR), (early, early));
    assert!(early < late && early == early.max(early));
    assert!(HashSet::from([early, late]).contains(&moved));
    assert_eq!(format!("{early:?}"), format!("{std:?}"));
    // Outside a runtime it is the system's time.
    assert!(Instant::now() >= early && late.elapsed() == Duration::ZERO);
}

// ---- The system's clock -------------------------------------------------------------------------

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_follow_the_systems_clock_and_are_never_early() {
    let start = Instant::now();
    sleep_until(start + ms(3)).await;
    assert!(start.elapsed() >= ms(3));
    assert!(anyrt::spawn(async { Instant::now() }).await.unwrap() >= start + ms(3));
    let limit = start + ms(5);
    assert_eq!(timeout_at(limit, pending::<()>()).await, Err(elapsed()));
    assert!(Instant::now() >= limit);
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleeps_below_a_millisecond_do_not_spin() {
    const SLEEPS: u64 = 30;
    let start = Instant::now();
    for nanos in 0..SLEEPS {
        let deadline = Instant::now() + Duration::from_nanos(nanos % 8);
        let sleep = sleep_until(deadline);
        assert_eq!(sleep.deadline(), deadline, "as it was asked for");
        sleep.await;
    }
    // The first may end at once; each other one ends at a later millisecond than the previous one.
    assert!(start.elapsed() >= ms(SLEEPS - 1), "{:?}", start.elapsed());

    let mut sleep = pin!(sleep(Duration::ZERO));
    let start = Instant::now();
    for _ in 0..SLEEPS {
        sleep.as_mut().await;
        sleep.as_mut().reset(Instant::now());
    }
    assert!(start.elapsed() >= ms(SLEEPS - 2), "{:?}", start.elapsed());

    let start = Instant::now();
    for nanos in 0..SLEEPS {
        let before = Instant::now();
        let duration = Duration::from_nanos(nanos % 8);
        let sleep = time::sleep(duration);
        let deadline = sleep.deadline();
        assert!(deadline >= before + duration && deadline <= Instant::now() + duration);
        sleep.await;
    }
    assert!(start.elapsed() >= ms(SLEEPS - 1), "{:?}", start.elapsed());

    let start = Instant::now();
    for _ in 0..SLEEPS {
        let limited = timeout(Duration::from_nanos(1), pending::<()>());
        assert_eq!(limited.await, Err(elapsed()));
    }
    assert!(start.elapsed() >= ms(SLEEPS - 1), "{:?}", start.elapsed());
}

/// Returns the error, which only a timeout can create.
fn elapsed() -> Elapsed {
    fn assert_error<E: std::error::Error + Into<std::io::Error>>(error: E) -> E {
        assert_eq!(error.to_string(), "deadline has elapsed");
        error
    }
    assert_error(Elapsed::default())
}

#[test]
fn errors_say_what_they_are() {
    let io: std::io::Error = elapsed().into();
    assert_eq!(io.kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(format!("{:?}", elapsed()), "Elapsed(())");
    let (shutdown, full, invalid) = (Error::shutdown(), Error::at_capacity(), Error::invalid());
    assert!(shutdown.is_shutdown() && !shutdown.is_at_capacity() && !shutdown.is_invalid());
    assert!(full.is_at_capacity() && !full.is_shutdown());
    assert!(invalid.is_invalid() && !invalid.is_at_capacity());
    assert!(!full.to_string().is_empty() && full.to_string() != invalid.to_string());
}

// ---- The paused clock ---------------------------------------------------------------------------

#[anyrt::test(start_paused = true)]
async fn a_paused_clock_goes_to_the_next_deadline_at_once() {
    let (system, start) = (std::time::Instant::now(), Instant::now());
    sleep(24 * HOUR).await;
    assert_eq!(start.elapsed(), 24 * HOUR);
    assert!(system.elapsed() < HOUR);
}

#[anyrt::test(start_paused = true)]
async fn timers_of_tasks_fire_in_the_order_of_their_deadlines() {
    let (order, mut fired) = anyrt::sync::mpsc::unbounded_channel();
    let start = Instant::now();
    for hours in [3, 1, 2] {
        let order = order.clone();
        anyrt::spawn(async move {
            sleep(hours * HOUR).await;
            order.send((hours, Instant::now())).unwrap();
        });
    }
    for hours in 1..=3 {
        assert_eq!(fired.recv().await, Some((hours, start + hours * HOUR)));
    }
}

/// The deadlines and the time are between two ticks.
#[anyrt::test(start_paused = true)]
async fn a_timer_that_is_armed_and_one_that_is_new_fire_at_the_same_tick() {
    for past_the_tick in [0, 1, 300, 999] {
        advance(Duration::from_micros(past_the_tick)).await;
        let start = Instant::now();
        let mut armed = pin!(sleep_until(start + ms(2)));
        assert!(poll_once(armed.as_mut()).await.is_pending());
        sleep_until(start + ms(1)).await;
        sleep_until(start + ms(2)).await;
        assert!(poll_once(armed).await.is_ready(), "{past_the_tick} µs");
    }
}

#[anyrt::test(start_paused = true)]
async fn the_clock_stands_while_tasks_can_run() {
    let start = Instant::now();
    let mut waiting = pin!(sleep(ms(1)));
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    for _ in 0..500 {
        yield_now().await;
    }
    anyrt::spawn(async {
        for _ in 0..500 {
            yield_now().await;
        }
    })
    .await
    .unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    waiting.await;
    assert_eq!(start.elapsed(), ms(1));
}

#[anyrt::test(start_paused = true)]
async fn the_clock_stands_while_a_blocking_job_runs() {
    let start = Instant::now();
    let (go, gone) = mpsc::channel::<()>();
    let job = spawn_blocking(move || gone.recv());
    let (first, second) = (oneshot::channel::<()>(), sleep(HOUR));
    let mut waiting = pin!(second);
    assert!(poll_once(waiting.as_mut()).await.is_pending());
    // Ends by the system's clock; the runtime has nothing else to do.
    std::thread::spawn(move || {
        std::thread::park_timeout(ms(20));
        drop(first.0);
    });
    first.1.await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO);
    go.send(()).unwrap();
    job.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    waiting.await;
    assert_eq!(start.elapsed(), HOUR);
}

#[anyrt::test(start_paused = true)]
async fn sockets_come_before_the_clock() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, connected) = anyrt::join!(listener.accept(), TcpStream::connect(address));
    let (mut server, mut client) = (accepted.unwrap().0, connected.unwrap());
    let start = Instant::now();
    let echo = anyrt::spawn(async move {
        let mut byte = [0];
        while server.read(&mut byte).await.unwrap() == 1 {
            server.write_all(&byte).await.unwrap();
        }
    });
    for sent in 0..50 {
        client.write_all(&[sent]).await.unwrap();
        let answer = timeout(HOUR, client.read_u8()).await.unwrap().unwrap();
        assert_eq!((answer, start.elapsed()), (sent, Duration::ZERO));
    }
    drop(client);
    echo.await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[anyrt::test]
async fn a_clock_is_paused_advanced_and_resumed() {
    let start = Instant::now();
    // Armed before the pause.
    let mut armed = pin!(sleep(HOUR));
    assert!(poll_once(armed.as_mut()).await.is_pending());
    pause();
    let paused = Instant::now();
    assert_eq!(Instant::now(), paused);
    advance(HOUR / 2).await;
    assert_eq!(Instant::now(), paused + HOUR / 2);
    assert!(poll_once(armed.as_mut()).await.is_pending());
    advance(HOUR / 2 + ms(1)).await;
    assert!(poll_once(armed.as_mut()).await.is_ready());
    assert!(armed.is_elapsed());
    resume();
    assert!(start.elapsed() >= HOUR && start.elapsed() < 2 * HOUR);
    let before = Instant::now();
    sleep(ms(2)).await;
    assert!(before.elapsed() >= ms(2));
    pause();
    sleep(HOUR).await;
    assert!(before.elapsed() >= HOUR);
}

#[anyrt::test(start_paused = true)]
async fn advance_wakes_what_is_due_before_it_returns() {
    let start = Instant::now();
    let (armed, is_armed) = oneshot::channel();
    let task = anyrt::spawn(async {
        let mut waiting = pin!(sleep(ms(10)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        armed.send(()).unwrap();
        waiting.await;
        Instant::now()
    });
    is_armed.await.unwrap();
    advance(ms(25)).await;
    assert_eq!(task.await.unwrap(), start + ms(25));
    // Also in a task.
    let nested = anyrt::spawn(async {
        let mut waiting = pin!(sleep(ms(1)));
        assert!(poll_once(waiting.as_mut()).await.is_pending());
        advance(ms(1)).await;
        poll_once(waiting.as_mut()).await.is_ready()
    });
    assert!(nested.await.unwrap());
    advance(Duration::from_micros(1)).await;
    assert_eq!(
        start.elapsed(),
        ms(26) + Duration::from_micros(1),
        "not rounded"
    );
}

#[anyrt::test(start_paused = true)]
async fn a_sleep_can_be_moved() {
    let start = Instant::now();
    let mut moved = pin!(sleep(Duration::MAX));
    assert!(poll_once(moved.as_mut()).await.is_pending());
    moved.as_mut().reset(start + HOUR);
    assert_eq!(
        (moved.deadline(), moved.is_elapsed()),
        (start + HOUR, false)
    );
    moved.as_mut().await;
    assert_eq!((start.elapsed(), moved.is_elapsed()), (HOUR, true));
    moved.as_mut().reset(start + 2 * HOUR);
    assert!(!moved.is_elapsed());
    moved.as_mut().await;
    assert_eq!(start.elapsed(), 2 * HOUR);
    // It stays ready.
    moved.await;
}

#[anyrt::test(start_paused = true)]
async fn a_timeout_polls_its_future_first() {
    assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
    assert_eq!(timeout_at(Instant::now() - ms(1), ready(2)).await, Ok(2));
    let start = Instant::now();
    assert!(timeout(HOUR, pending::<()>()).await.is_err());
    assert_eq!(start.elapsed(), HOUR);
    // A value that is ready at the deadline is in time.
    let at_once = async {
        sleep(HOUR).await;
        3
    };
    assert_eq!(timeout(HOUR, at_once).await, Ok(3));
    let mut limited = timeout(Duration::MAX, ready(4));
    assert_eq!(limited.get_ref().clone().into_inner(), 4);
    *limited.get_mut() = ready(5);
    assert_eq!(limited.into_inner().await, 5);
    // The maximum duration never expires.
    let (_open, closed) = oneshot::channel::<()>();
    let mut endless = pin!(timeout(Duration::MAX, closed));
    assert!(poll_once(endless.as_mut()).await.is_pending());
    advance(1_000_000 * HOUR).await;
    assert!(poll_once(endless.as_mut()).await.is_pending());
}

#[anyrt::test(start_paused = true)]
async fn an_interval_ticks_and_treats_missed_ticks_as_told() {
    let start = Instant::now();
    let mut ticks = interval(ms(100));
    assert_eq!(ticks.period(), ms(100));
    assert_eq!(ticks.missed_tick_behavior(), MissedTickBehavior::Burst);
    assert_eq!(ticks.tick().await, start);
    assert_eq!(ticks.tick().await, start + ms(100));
    assert_eq!(start.elapsed(), ms(100));

    for (behavior, next) in [
        (MissedTickBehavior::Burst, [600, 700]),
        (MissedTickBehavior::Delay, [600, 950]),
        (MissedTickBehavior::Skip, [600, 900]),
    ] {
        let start = Instant::now();
        let mut ticks = interval_at(start + ms(600), ms(100));
        ticks.set_missed_tick_behavior(behavior);
        assert_eq!(ticks.missed_tick_behavior(), behavior);
        advance(ms(850)).await;
        for due in next {
            assert_eq!(ticks.tick().await, start + ms(due), "{behavior:?}");
        }
    }
}

#[anyrt::test(start_paused = true)]
async fn an_interval_can_be_reset() {
    let start = Instant::now();
    let mut ticks = interval(ms(100));
    ticks.tick().await;
    advance(ms(50)).await;
    ticks.reset();
    assert_eq!(ticks.tick().await, start + ms(150));
    ticks.reset_immediately();
    assert_eq!(ticks.tick().await, start + ms(150));
    ticks.reset_after(ms(10));
    assert_eq!(ticks.tick().await, start + ms(160));
    ticks.reset_at(start + HOUR);
    let tick = poll_fn(|cx| ticks.poll_tick(cx)).await;
    assert_eq!((tick, start.elapsed()), (start + HOUR, HOUR));
    // A tick without a waiter is not lost.
    assert!(poll_once(ticks.tick()).await.is_pending());
    assert_eq!(ticks.tick().await, start + HOUR + ms(100));
}

// ---- Rules --------------------------------------------------------------------------------------

fn on_each(test: impl Fn(Builder, Backend)) {
    for &backend in Backend::enabled() {
        let mut builder = Builder::new_current_thread();
        builder.backend(backend);
        test(builder, backend);
    }
}

/// Returns the message of a panic.
fn said<T>(panics: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(panics)) else {
        panic!("it did not panic");
    };
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string));
    text.expect("a panic with a text")
}

#[test]
fn the_clock_is_paused_and_moved_only_where_that_makes_sense() {
    assert!(said(pause).contains("runtime"));
    assert!(said(resume).contains("runtime"));
    on_each(|mut builder, backend| {
        let runtime = builder.build().unwrap();
        let in_runtime = |panics: fn()| said(|| runtime.block_on(async move { panics() }));
        assert!(in_runtime(resume).contains("not frozen"), "{backend}");
        let advanced = said(|| runtime.block_on(advance(HOUR)));
        assert!(advanced.contains("not frozen"), "{backend}");
        runtime.block_on(async { pause() });
        assert!(in_runtime(pause).contains("already frozen"), "{backend}");

        let mut builder = Builder::new_multi_thread();
        let workers = builder.backend(backend).worker_threads(1).build().unwrap();
        let paused = said(|| workers.block_on(async { pause() }));
        assert!(
            paused.contains("current-thread") || paused.contains("current_thread"),
            "{backend}: {paused}"
        );
        let refused = builder.start_paused(true).build().unwrap_err();
        assert!(refused.to_string().contains("start_paused"), "{backend}");
    });
}

#[test]
fn a_clock_that_starts_paused_stands_still_until_it_is_driven() {
    on_each(|mut builder, backend| {
        let runtime = builder.start_paused(true).build().unwrap();
        let entered = runtime.enter();
        let start = Instant::now();
        let task = runtime.spawn(async move {
            sleep(HOUR).await;
            start.elapsed()
        });
        std::thread::park_timeout(ms(5));
        assert_eq!(Instant::now(), start, "{backend}");
        drop(entered);
        assert_eq!(runtime.block_on(task).unwrap(), HOUR, "{backend}");
    });
}

#[test]
fn the_clocks_of_two_runtimes_are_two() {
    on_each(|mut builder, backend| {
        let build = |builder: &mut Builder| -> Runtime { builder.build().unwrap() };
        let paused = build(builder.start_paused(true));
        let running = build(builder.start_paused(false));
        let start = running.block_on(async { Instant::now() });
        paused.block_on(async {
            let start = Instant::now();
            advance(HOUR).await;
            assert_eq!(start.elapsed(), HOUR, "{backend}");
        });
        running.block_on(async { assert!(start.elapsed() < HOUR, "{backend}") });
    });
}

#[test]
fn a_timer_belongs_to_the_runtime_that_was_entered_last() {
    on_each(|mut builder, backend| {
        let paused = builder.start_paused(true).build().unwrap();
        let mut builder = Builder::new_multi_thread();
        builder.backend(backend).worker_threads(1);
        let (outer, inner) = (builder.build().unwrap(), builder.build().unwrap());
        let by_clock = {
            let _first = inner.enter();
            let _last = paused.enter();
            sleep(HOUR)
        };
        outer.block_on(async {
            let before = sleep(HOUR);
            let entered = inner.enter();
            let (inside, limited) = (sleep(HOUR), timeout(HOUR, pending::<()>()));
            drop(entered);
            let after = sleep(HOUR);
            spawn_blocking(move || drop(inner)).await.unwrap();

            for timer in [before, after] {
                let polled = anyrt::spawn(poll_once(timer)).await.unwrap();
                assert!(polled.is_pending(), "{backend}");
            }
            assert!(anyrt::spawn(inside).await.is_err(), "{backend}");
            assert!(anyrt::spawn(limited).await.is_err(), "{backend}");
        });
        paused.block_on(async {
            advance(HOUR).await;
            assert!(poll_once(by_clock).await.is_ready(), "{backend}");
        });
    });
}

#[test]
fn no_type_has_a_parameter_that_tokios_has_not() {
    fn is_plain<T: Send + Sync>() {}
    fn is_unpin<T: Unpin + Send + Sync>() {}
    is_plain::<time::Sleep>();
    is_plain::<time::Timeout<std::future::Ready<()>>>();
    is_unpin::<time::Interval>();
    is_unpin::<Instant>();
    is_unpin::<Elapsed>();
}

async fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
