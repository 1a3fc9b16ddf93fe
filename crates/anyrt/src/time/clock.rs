//! The clock of the current runtime, for tests.

use super::Duration;
use crate::backend::{Current, entered};

/// Stops the clock of the current runtime.
///
/// [`Instant::now`](super::Instant::now) stands still from now on, and whenever the runtime has nothing to run, the
/// clock moves on to the next deadline at once: timers fire in their order and nobody waits. It does not move while
/// tasks can run or blocking jobs are at work, and sockets are looked at first.
///
/// Only the clock of a current-thread runtime can be paused, as that of `#[anyrt::test]` is by default.
/// `start_paused = true` and [`Builder::start_paused`](crate::runtime::Builder::start_paused) do it from the start.
///
/// # Panics
/// When the clock is paused already. When the runtime is multi-threaded. When no runtime is current.
///
/// # Examples
/// ```
/// # #[cfg(any(feature = "tokio", feature = "smol", feature = "async-std", feature = "glommio"))]
/// # {
/// use anyrt::time::{self, Duration, Instant};
///
/// let runtime = anyrt::runtime::Builder::new_current_thread().build()?;
/// runtime.block_on(async {
///     time::pause();
///     let start = Instant::now();
///     time::sleep(Duration::from_secs(3600)).await;
///     assert!(start.elapsed() >= Duration::from_secs(3600));
/// });
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn pause() {
    each!(entered(Current::find()), backend, () => backend::time::pause());
}

/// Lets the clock of the current runtime run on from where it stands.
///
/// # Panics
/// When the clock is not paused. When no runtime is current.
#[track_caller]
pub fn resume() {
    each!(entered(Current::find()), backend, () => backend::time::resume());
}

/// Moves the paused clock of the current runtime on by `duration`.
///
/// What is due then has been woken when it returns, but need not have run to its end. It jumps: a timer that is armed
/// anew by what was woken starts to count from the new time. To let time pass step by step, [`sleep`](super::sleep)
/// on the paused clock.
///
/// # Panics
/// When the clock is not paused. When no runtime is current.
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
