//! The clock of the current runtime, for tests.

use std::sync::Arc;

use anyrt_core::error::ClockError;

use super::Duration;
use crate::backend::clock::Clock;
use crate::backend::{Backend, async_std, entered, glommio, no_runtime, smol, tokio};

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
    match of_current() {
        Current::Tokio => tokio::time::pause(),
        Current::Clock(clock) => expect(clock.pause()),
        Current::Fixed => panic!(
            "`time::pause()` requires a current-thread runtime: the clock of a multi-threaded one cannot be paused"
        ),
    }
}

/// Lets the clock of the current runtime run on from where it stands.
///
/// # Panics
/// When the clock is not paused. When no runtime is current.
#[track_caller]
pub fn resume() {
    match of_current() {
        Current::Tokio => tokio::time::resume(),
        Current::Clock(clock) => expect(clock.resume()),
        Current::Fixed => expect(Err(ClockError::Running)),
    }
}

/// Moves the paused clock of the current runtime on by `duration`.
///
/// What is due then has been woken when it returns, but need not have run to its end. It jumps: a timer that is armed
/// anew by what was woken starts to count from the new time. To let time pass step by step, [`sleep`](super::sleep)
/// on the paused clock.
///
/// # Panics
/// When the clock is not paused. When no runtime is current.
pub async fn advance(duration: Duration) {
    match of_current() {
        Current::Tokio => return tokio::time::advance(duration).await,
        Current::Clock(clock) => expect(clock.advance(duration)),
        Current::Fixed => expect(Err(ClockError::Running)),
    }
    // A task that is queued behind those that were woken, also where tasks run on another thread than this.
    let _ = crate::task::spawn(async {}).await;
}

/// The clock of the current runtime.
enum Current {
    Tokio,
    Clock(Arc<Clock>),
    /// One that cannot be paused.
    Fixed,
}

#[track_caller]
fn of_current() -> Current {
    let clock = match Backend::current() {
        None => panic!("{}", no_runtime()),
        Some(Backend::Tokio) => return Current::Tokio,
        Some(Backend::Smol) => entered(smol::Handle::with_current(|rt| rt.clock().cloned())),
        Some(Backend::AsyncStd) => {
            entered(async_std::Handle::with_current(|rt| rt.clock().cloned()))
        }
        Some(Backend::Glommio) => entered(glommio::Handle::with_current(|rt| rt.clock().cloned())),
    };
    clock.map_or(Current::Fixed, Current::Clock)
}

#[track_caller]
fn expect(done: Result<(), ClockError>) {
    if let Err(error) = done {
        panic!("{error}");
    }
}
