//! The thread that calls `block_on`.
//!
//! On a multi-thread runtime the thread waits, and the shards watch its sockets and timers. On a
//! current-thread runtime it drives the shard, in an executor that the first `block_on` on the
//! thread creates and later ones reuse. If several threads call it at once, one drives and the
//! others wait as on a multi-thread runtime; when that one leaves, another takes over.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anyrt_core::BuildError;
use anyrt_kit::time::clock::Clock;
use glommio::LocalExecutor;

use crate::drive::{self, MainFuture};
use crate::instant::now;
use crate::shard::{self, Present, Shard};
use crate::sys::{self, RingOptions};

thread_local! {
    static EXECUTOR: RefCell<Option<(RingOptions, LocalExecutor)>> = const { RefCell::new(None) };
}

/// Creates the executor for `block_on` on this thread, so that a missing resource is an error of
/// `build`.
///
/// # Errors
/// See [`sys::executor`].
pub(crate) fn prepare(ring: &RingOptions) -> Result<(), BuildError> {
    if may_have_executor() {
        keep_executor(ring, take_executor(ring)?);
    }
    Ok(())
}

fn take_executor(ring: &RingOptions) -> Result<LocalExecutor, BuildError> {
    match EXECUTOR.take() {
        Some((made_with, executor)) if made_with == *ring => Ok(executor),
        _ => sys::executor(ring),
    }
}

fn keep_executor(ring: &RingOptions, executor: LocalExecutor) {
    EXECUTOR.set(Some((ring.clone(), executor)));
}

/// Returns `false` on the thread of a shard or of an application's executor: Glommio allows one per
/// thread.
fn may_have_executor() -> bool {
    !sys::is_running() && shard::current_id() == 0
}

/// Runs `future`, and the tasks of the current-thread runtime's shard, until `future` is ready.
pub(crate) fn drive<F: Future>(shard: &Arc<Shard>, ring: &RingOptions, future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if shard.seat().try_take() {
            return with_seat(shard, ring, future);
        }
        if let Some(output) = wait_beside(shard, future.as_mut()) {
            return output;
        }
    }
}

fn with_seat<F: Future>(shard: &Arc<Shard>, ring: &RingOptions, future: Pin<&mut F>) -> F::Output {
    let may_have_executor = may_have_executor();
    let present = Present::for_a_while(shard);
    let mut main = MainFuture::new(shard, future);
    // There is none if the runtime was built on another thread and the system is now at its limits.
    // The tasks run nevertheless; only Glommio's own futures do not work.
    let executor = may_have_executor
        .then(|| take_executor(ring).ok())
        .flatten();
    let ended = match &executor {
        Some(executor) => sys::run(executor, drive::with_root(shard, &mut main)),
        None => {
            drive::with_root_in_epoll(shard, &mut main);
            Ok(())
        }
    };
    if let Some(executor) = executor {
        keep_executor(ring, executor);
    }
    if shard.is_closed() {
        // The thread that ended the runtime may have stopped waiting for this one, so this is the
        // last chance.
        shard.end_here(|| false);
    }
    drop(present);
    match (ended, main.output.take()) {
        (Ok(()), Some(output)) => output,
        (Ok(()), None) => unreachable!("the driver ends when the future is ready"),
        (Err(payload), _) => resume_unwind(payload),
    }
}

/// Waits while another thread has the seat. Returns `None` if the seat is free before `future` is
/// ready.
fn wait_beside<F: Future>(shard: &Arc<Shard>, future: Pin<&mut F>) -> Option<F::Output> {
    let mut future = pin!(beside(shard, future));
    park_until_ready(poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        shard.seat().poll_free(cx).map(|()| None)
    }))
}

/// Runs `future`. Whenever it has nothing to do, notifies the shard, which advances the clock.
async fn beside<F: Future>(shard: &Arc<Shard>, mut future: Pin<&mut F>) -> F::Output {
    let Some(clock) = shard.clock() else {
        return future.await;
    };
    let driver = Clock::drive(clock);
    loop {
        if let Some(output) = driver.until_idle(future.as_mut()).await {
            return output;
        }
        shard.rouse();
        driver.undisturbed(pending()).await;
    }
}

/// Drops the tasks of a current-thread runtime, on this thread or on the one that drives it. Waits
/// until `deadline` at most.
pub(crate) fn end(shard: &Arc<Shard>, deadline: Option<Instant>) {
    shard.close();
    let is_late = || deadline.is_some_and(|deadline| now() >= deadline);
    loop {
        if shard.seat().try_take() {
            let _present = Present::for_a_while(shard);
            shard.end_here(is_late);
            return;
        }
        let ended_or_free = poll_fn(|cx| {
            let has_ended = shard.ending().poll_over(cx).is_ready();
            match has_ended || shard.seat().poll_free(cx).is_ready() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        if park_until(deadline, ended_or_free).is_none() || shard.ending().is_over() {
            return;
        }
    }
}

/// Polls `future` on this thread, which sleeps between wake-ups.
pub(crate) fn park_until_ready<F: Future>(future: F) -> F::Output {
    match park_until(None, future) {
        Some(output) => output,
        None => unreachable!("there is no deadline"),
    }
}

/// Waits until the runtime of `shard` has ended, or until `deadline`.
pub(crate) fn wait_for_end(shard: &Shard, deadline: Option<Instant>) {
    park_until(deadline, poll_fn(|cx| shard.ending().poll_over(cx)));
}

/// Like [`park_until_ready`]. Returns `None` at the deadline.
fn park_until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    struct Unpark {
        thread: Thread,
        woken: AtomicBool,
    }
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            if !self.woken.swap(true, Ordering::SeqCst) {
                self.thread.unpark();
            }
        }
    }
    let unpark = Arc::new(Unpark {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return Some(value);
        }
        // A flag, because other code, such as the future itself, may consume the thread's token.
        while !unpark.woken.swap(false, Ordering::SeqCst) {
            match deadline.map(|deadline| deadline.saturating_duration_since(now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return None,
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}
