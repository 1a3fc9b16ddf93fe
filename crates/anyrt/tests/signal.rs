//! Signals, on every backend.
#![cfg(all(unix, feature = "signal"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;

use anyrt::signal::unix::{Signal, SignalKind, signal};
use anyrt::sync::{Mutex, MutexGuard};
use futures_util::FutureExt;
use rustix::process::{getpid, kill_process};

/// Signals belong to the process, so the tests run one at a time.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

fn raise(kind: SignalKind) {
    let signal = rustix::process::Signal::from_named_raw(kind.as_raw_value()).unwrap();
    kill_process(getpid(), signal).unwrap();
}

#[anyrt::test]
async fn a_signal_is_heard_by_everybody_who_listens() -> io::Result<()> {
    let _turn = turn().await;
    let mut listeners = [
        signal(SignalKind::user_defined1())?,
        signal(SignalKind::user_defined1())?,
        signal(SignalKind::user_defined1())?,
    ];
    raise(SignalKind::user_defined1());
    for listener in &mut listeners {
        assert_eq!(listener.recv().await, Some(()));
    }
    Ok(())
}

#[anyrt::test]
async fn a_signal_before_the_question_is_heard_and_several_are_one() -> io::Result<()> {
    let _turn = turn().await;
    let (mut first, mut second) = (
        signal(SignalKind::user_defined1())?,
        signal(SignalKind::user_defined1())?,
    );
    raise(SignalKind::user_defined1());
    first.recv().await;
    raise(SignalKind::user_defined1());
    first.recv().await;
    // Both arrived while the second listener was not polled.
    second.recv().await;
    assert!(second.recv().now_or_never().is_none());
    Ok(())
}

#[anyrt::test]
async fn kinds_do_not_mix_and_a_late_listener_hears_nothing_old() -> io::Result<()> {
    let _turn = turn().await;
    let mut one = signal(SignalKind::user_defined1())?;
    let mut two = signal(SignalKind::user_defined2())?;
    raise(SignalKind::user_defined1());
    one.recv().await;
    assert!(two.recv().now_or_never().is_none());
    let mut late = signal(SignalKind::user_defined1())?;
    assert!(late.recv().now_or_never().is_none());
    raise(SignalKind::user_defined2());
    two.recv().await;
    Ok(())
}

#[anyrt::test]
async fn dropping_a_listener_or_a_wait_takes_nothing_from_others() -> io::Result<()> {
    let _turn = turn().await;
    let mut kept = signal(SignalKind::hangup())?;
    drop(signal(SignalKind::hangup())?);
    for _ in 0..3 {
        assert!(kept.recv().now_or_never().is_none());
    }
    raise(SignalKind::hangup());
    kept.recv().await;
    Ok(())
}

#[anyrt::test]
async fn ctrl_c_is_the_interrupt() -> io::Result<()> {
    let _turn = turn().await;
    let mut ctrl_c = Box::pin(anyrt::signal::ctrl_c());
    assert!((&mut ctrl_c).now_or_never().is_none());
    raise(SignalKind::interrupt());
    ctrl_c.await
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_waits_for_a_signal() -> io::Result<()> {
    let _turn = turn().await;
    let mut listener = signal(SignalKind::window_change())?;
    let task = anyrt::spawn(async move { listener.recv().await });
    raise(SignalKind::window_change());
    assert_eq!(task.await.unwrap(), Some(()));
    Ok(())
}

#[anyrt::test]
async fn what_cannot_be_handled_is_an_error() {
    for number in [-1, 0, 9, 19, 11, 10_000] {
        let result = signal(SignalKind::from_raw(number));
        assert!(result.is_err(), "{number}");
    }
}

#[anyrt::test]
async fn kinds_are_numbers() {
    assert_eq!(SignalKind::from(2), SignalKind::interrupt());
    assert_eq!(i32::from(SignalKind::terminate()), 15);
    fn is_plain<T: Send + Sync + Unpin>() {}
    is_plain::<Signal>();
    fn is_send<T: Send>(_: T) {}
    is_send(anyrt::signal::ctrl_c());
}

#[test]
fn without_a_runtime_a_panic_says_what_to_do() {
    let panic = std::panic::catch_unwind(|| signal(SignalKind::pipe()).map(drop)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("anyrt"), "{message}");
}
