//! Timeouts: the future is polled first, the deadline counts from the call.

use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anyrt_core::channel::{Receiver, Sender};
use anyrt_core::task::yield_now;
use anyrt_core::{Elapsed, Runtime};

use crate::case::cases;
use crate::{DropFlag, Gate, on_thread, poll_once};

cases! {
    async a_ready_future_beats_an_expired_timeout;
    async a_future_that_is_ready_at_the_deadline_is_not_lost;
    async a_timeout_elapses;
    async a_timeout_is_never_early;
    async the_deadline_counts_from_the_call;
    async timeout_at_keeps_its_deadline;
    async timeout_at_the_past_elapses;
    async an_elapsed_timeout_drops_its_future;
    async dropping_a_timeout_drops_its_future;
    async a_timeout_of_duration_max_waits;
    async the_inner_of_two_timeouts_elapses_first;
    async the_outer_of_two_timeouts_drops_the_inner;
    async into_inner_gives_the_future_back;
    async the_error_says_so_and_is_timed_out;
    async a_timeout_over_a_channel_that_is_always_ready_elapses;
    async a_timeout_over_a_future_that_only_yields_elapses;
    async a_timeout_in_a_task_elapses_over_a_busy_channel;
    async a_timeout_moves_to_a_task_after_its_first_poll;
    async a_thousand_timeouts_of_which_none_elapses;
    async a_future_woken_from_elsewhere_ends_its_timeout;
}

const SHORT: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3_600);

async fn a_ready_future_beats_an_expired_timeout<R: Runtime>(rt: R) {
    assert_eq!(rt.timeout(Duration::ZERO, ready(7)).await, Ok(7));
    let past = rt.now();
    rt.sleep(SHORT).await;
    assert_eq!(rt.timeout_at(past, ready(7)).await, Ok(7));
}

async fn a_future_that_is_ready_at_the_deadline_is_not_lost<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let mut timeout = Box::pin(rt.timeout(SHORT, gate.wait()));
    assert!(poll_once(&mut timeout).await.is_pending());
    // Both are due when it is polled next.
    rt.sleep(SHORT * 2).await;
    gate.open();
    assert_eq!(timeout.await, Ok(()));
}

async fn a_timeout_elapses<R: Runtime>(rt: R) {
    assert!(rt.timeout(SHORT, pending::<()>()).await.is_err());
    assert!(rt.timeout(Duration::ZERO, pending::<()>()).await.is_err());
}

async fn a_timeout_is_never_early<R: Runtime>(rt: R) {
    for micros in [300, 1_000, 2_500] {
        let (before, duration) = (rt.now(), Duration::from_micros(micros));
        assert!(rt.timeout(duration, pending::<()>()).await.is_err());
        assert!(rt.now() >= before + duration);
    }
}

async fn the_deadline_counts_from_the_call<R: Runtime>(rt: R) {
    let timeout = rt.timeout(Duration::from_millis(60), pending::<()>());
    rt.sleep(Duration::from_millis(60)).await;
    // Due by now. If it had started only now, this one would finish first.
    let other = rt.sleep(Duration::from_millis(30));
    let (mut timeout, mut other) = (pin!(timeout), pin!(other));
    poll_fn(|cx| {
        if timeout.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        assert!(other.as_mut().poll(cx).is_pending(), "it started late");
        Poll::Pending
    })
    .await;
}

async fn timeout_at_keeps_its_deadline<R: Runtime>(rt: R) {
    let deadline = rt.now() + SHORT;
    assert!(rt.timeout_at(deadline, pending::<()>()).await.is_err());
    assert!(rt.now() >= deadline);
}

async fn timeout_at_the_past_elapses<R: Runtime>(rt: R) {
    let past = rt.now();
    rt.sleep(SHORT).await;
    assert!(rt.timeout_at(past, pending::<()>()).await.is_err());
}

async fn an_elapsed_timeout_drops_its_future<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let timeout = rt.timeout(SHORT, async move {
        let _flag = flag;
        pending::<()>().await;
    });
    assert!(timeout.await.is_err());
    assert!(dropped.is_dropped());
}

async fn dropping_a_timeout_drops_its_future<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let mut timeout = Box::pin(rt.timeout(HOUR, async move {
        let _flag = flag;
        pending::<()>().await;
    }));
    assert!(poll_once(&mut timeout).await.is_pending());
    drop(timeout);
    assert!(dropped.is_dropped());
}

async fn a_timeout_of_duration_max_waits<R: Runtime>(rt: R) {
    assert_eq!(rt.timeout(Duration::MAX, ready(7)).await, Ok(7));
    let timer = rt.clone();
    let slow = async move {
        timer.sleep(SHORT).await;
        7
    };
    assert_eq!(rt.timeout(Duration::MAX, slow).await, Ok(7));
}

async fn the_inner_of_two_timeouts_elapses_first<R: Runtime>(rt: R) {
    let inner = rt.timeout(SHORT, pending::<()>());
    let outer = rt.timeout(HOUR, inner).await;
    assert!(matches!(outer, Ok(Err(_))));
}

async fn the_outer_of_two_timeouts_drops_the_inner<R: Runtime>(rt: R) {
    let (flag, dropped) = DropFlag::new();
    let inner = rt.timeout(HOUR, async move {
        let _flag = flag;
        pending::<()>().await;
    });
    assert!(rt.timeout(SHORT, inner).await.is_err());
    assert!(dropped.is_dropped());
}

async fn into_inner_gives_the_future_back<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let mut timeout = rt.timeout(Duration::ZERO, gate.wait());
    gate.open();
    fn is_the_future(_: &crate::GateWait) {}
    is_the_future(timeout.get_ref());
    is_the_future(timeout.get_mut());
    timeout.into_inner().await;
}

async fn the_error_says_so_and_is_timed_out<R: Runtime>(rt: R) {
    let elapsed: Elapsed = rt.timeout(SHORT, pending::<()>()).await.unwrap_err();
    assert!(elapsed.to_string().contains("elapsed"), "{elapsed}");
    let error = std::io::Error::from(elapsed);
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

/// Sends and receives forever; always ready.
async fn busy<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    loop {
        sender.send(()).await.unwrap();
        receiver.recv().await.unwrap();
    }
}

async fn a_timeout_over_a_channel_that_is_always_ready_elapses<R: Runtime>(rt: R) {
    assert!(rt.timeout(SHORT, busy(rt.clone())).await.is_err());
}

async fn a_timeout_over_a_future_that_only_yields_elapses<R: Runtime>(rt: R) {
    let yields = async {
        loop {
            yield_now().await;
        }
    };
    let elapsed: Result<(), _> = rt.timeout(SHORT, yields).await;
    assert!(elapsed.is_err());
}

async fn a_timeout_in_a_task_elapses_over_a_busy_channel<R: Runtime>(rt: R) {
    let timer = rt.clone();
    let task = rt.spawn(async move { timer.timeout(SHORT, busy(timer.clone())).await });
    assert!(task.await.unwrap().is_err());
}

async fn a_timeout_moves_to_a_task_after_its_first_poll<R: Runtime>(rt: R) {
    let mut timeout = Box::pin(rt.timeout(SHORT, pending::<()>()));
    assert!(poll_once(&mut timeout).await.is_pending());
    assert!(rt.spawn(timeout).await.unwrap().is_err());
}

async fn a_thousand_timeouts_of_which_none_elapses<R: Runtime>(rt: R) {
    for _ in 0..1_000 {
        let timeout = rt.timeout(HOUR, yield_now());
        assert_eq!(timeout.await, Ok(()));
    }
}

async fn a_future_woken_from_elsewhere_ends_its_timeout<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let task = rt.spawn(rt.timeout(HOUR, gate.wait()));
    on_thread(move || gate.open()).await;
    assert_eq!(task.await.unwrap(), Ok(()));
}
