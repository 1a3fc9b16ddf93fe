//! Probes for cases: drops, live futures, panics, single polls, other threads.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};

use anyrt_core::Runtime;
use anyrt_core::task::yield_now;

use crate::simulation;
use crate::sync::Gate;
use crate::watchdog;

/// Notifies its [`Dropped`] on drop. Move it into a future, a closure or a value.
#[derive(Debug)]
pub struct DropFlag {
    dropped: Dropped,
}

/// Reports whether a [`DropFlag`] was dropped, and on which thread.
#[derive(Debug, Clone, Default)]
pub struct Dropped {
    gate: Gate,
    thread: Arc<OnceLock<ThreadId>>,
}

impl DropFlag {
    /// Creates a flag and its observer.
    pub fn new() -> (Self, Dropped) {
        let dropped = Dropped::default();
        let flag = Self {
            dropped: dropped.clone(),
        };
        (flag, dropped)
    }
}

impl Drop for DropFlag {
    fn drop(&mut self) {
        let _ = self.dropped.thread.set(thread::current().id());
        self.dropped.gate.open();
    }
}

impl Dropped {
    /// Returns `true` if the flag was dropped.
    pub fn is_dropped(&self) -> bool {
        self.gate.is_open()
    }

    /// Returns the thread that dropped the flag.
    pub fn thread(&self) -> Option<ThreadId> {
        self.thread.get().copied()
    }

    /// Waits in a task until the flag is dropped.
    pub async fn wait(&self) {
        self.gate.wait().await;
    }

    /// Blocks the thread until the flag is dropped.
    pub fn wait_blocking(&self) {
        self.gate.wait_blocking();
    }
}

/// Counts live values: each [`token`](Self::token) counts one until it is dropped.
#[derive(Debug, Clone, Default)]
pub struct Live {
    count: Arc<AtomicUsize>,
}

/// Counts one in its [`Live`] until it is dropped.
#[derive(Debug)]
pub struct LiveToken {
    live: Live,
}

impl Live {
    /// Creates a counter at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a token that counts one until it is dropped.
    pub fn token(&self) -> LiveToken {
        self.count.fetch_add(1, Ordering::SeqCst);
        LiveToken { live: self.clone() }
    }

    /// Returns the number of live tokens.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Drop for LiveToken {
    fn drop(&mut self) {
        self.live.count.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Panics with `payload` without output on standard error, for panics that a case intends.
///
/// # Panics
/// Always.
pub fn panic_on_purpose(payload: impl Any + Send) -> ! {
    resume_unwind(Box::new(payload))
}

/// Panics when dropped.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        // A panic while unwinding aborts the process by the rules of the language.
        if !thread::panicking() {
            panic_on_purpose("bomb");
        }
    }
}

/// Calls `f`, which should panic, and returns the message of the panic without printing it.
///
/// # Panics
/// Panics if `f` returns, or if the payload of its panic is not text.
#[track_caller]
pub fn panic_message<T>(f: impl FnOnce() -> T) -> String {
    let caught = watchdog::quietly(|| catch_unwind(AssertUnwindSafe(f)));
    let Err(payload) = caught else {
        panic!("it ought to panic, but returned");
    };
    match watchdog::text_of(payload.as_ref()) {
        Some(text) => text,
        None => panic!("it ought to panic with a text"),
    }
}

/// Polls `future` once with the waker of the calling task.
///
/// # Cancel safety
/// As cancel-safe as `future`.
pub async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Lets everything run that can run: each task that was queued before gets many turns on every
/// worker.
///
/// It completes after tasks that were queued later have run. On one thread, what has not happened
/// by then will not happen.
///
/// # Panics
/// Panics if a spawned task returns an error.
///
/// # Cancel safety
/// Cancel-safe: dropping the future has no effect.
pub async fn settle<R: Runtime>(rt: &R) {
    for _ in 0..50 {
        let later = rt.spawn(async {
            for _ in 0..4 {
                yield_now().await;
            }
        });
        if let Err(error) = later.await {
            panic!("an empty task failed: {error}");
        }
        yield_now().await;
    }
}

/// Runs `f` on a plain thread outside all runtimes, and waits in a task for its result.
///
/// In a simulation that runs in lock step, `f` is a blocking job of the peers' node.
///
/// # Panics
/// Panics if `f` panics.
///
/// # Cancel safety
/// If the future is dropped, the thread continues.
pub async fn on_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let done = Gate::new();
    let tell = done.clone();
    let result = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&result);
    start_thread(move || {
        let result = catch_unwind(AssertUnwindSafe(f));
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        tell.open();
    });
    done.wait().await;
    let result = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    match result {
        Some(Ok(value)) => value,
        Some(Err(payload)) => resume_unwind(payload),
        None => unreachable!("the gate opens when the result is there"),
    }
}

/// Starts `f` on a plain thread, or in what stands for one.
pub(crate) fn start_thread(f: impl FnOnce() + Send + 'static) {
    if let Err(f) = simulation::stand_in(f) {
        thread::spawn(f);
    }
}

/// Drives `future` on this thread by parking it: an executor without a runtime.
pub fn park_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = Some(future);
    if let Some(value) = simulation::wait_as_stand_in(&mut future) {
        return value;
    }
    let Some(future) = future else {
        unreachable!("a stand-in waits until the future is ready");
    };
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
