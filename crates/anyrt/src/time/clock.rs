//! The clock of the current runtime, for tests.

use super::Duration;
use crate::backend::{Current, entered};

/// Pauses the clock of the current runtime.
///
/// [`Instant::now`](super::Instant::now) then stands still. Whenever the runtime is idle, the clock
/// jumps to the next deadline: timers fire in order, without real waiting. It does not advance
/// while tasks can run or blocking jobs are running, and sockets are checked first.
///
/// Only the clock of a current-thread runtime can be paused; `#[anyrt::test]` has one by default.
/// `start_paused = true` and [`Builder::start_paused`](crate::runtime::Builder::start_paused) pause
/// it from the start.
///
/// # Panics
/// Panics if the clock is already paused, if the runtime is multi-threaded, or if no runtime is
/// current. Panics in a simulation, whose clock is virtual already: leave it out.
///
/// # Examples
/// ```
/// # anyrt::__if_any! {{
/// use anyrt::time::{self, Duration, Instant};
///
/// let runtime = anyrt::runtime::Builder::new_current_thread().build()?;
/// runtime.block_on(async {
///     time::pause();
///     let start = Instant::now();
///     time::sleep(Duration::from_secs(3600)).await;
///     assert!(start.elapsed() >= Duration::from_secs(3600));
/// });
/// # } {}}
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn pause() {
    each!(entered(Current::find()), backend, () => backend::time::pause());
}

/// Resumes the clock of the current runtime.
///
/// # Panics
/// Panics if the clock is not paused, if no runtime is current, or in a simulation.
#[track_caller]
pub fn resume() {
    each!(entered(Current::find()), backend, () => backend::time::resume());
}

/// Advances the paused clock of the current runtime by `duration`.
///
/// When it returns, the tasks of expired timers have been woken, but may not have run yet. The
/// clock jumps: a timer that such a task arms counts from the new time. To let time pass step by
/// step, [`sleep`](super::sleep) on the paused clock.
///
/// # Panics
/// Panics if the clock is not paused, or if no runtime is current. Panics in a simulation, where
/// [`sleep`](super::sleep) takes no real time: use that.
///
/// # Cancel safety
/// If the future is dropped, the clock may already have advanced.
///
/// # Examples
/// ```
/// # anyrt::__if_any! {{
/// use anyrt::time::{self, Duration, Instant};
///
/// let runtime = anyrt::runtime::Builder::new_current_thread().start_paused(true).build()?;
/// runtime.block_on(async {
///     let start = Instant::now();
///     time::advance(Duration::from_secs(3600)).await;
///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// });
/// # } {}}
/// # std::io::Result::Ok(())
/// ```
pub async fn advance(duration: Duration) {
    each!(entered(Current::find()), backend, () => backend::time::advance(duration).await);
}
