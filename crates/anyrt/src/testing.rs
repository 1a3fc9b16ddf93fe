//! What `#[anyrt::test]` expands to: a test body, on one backend, under a watchdog.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::runtime::Builder;

/// The arguments of the attribute.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The path of the test.
    pub name: &'static str,
    /// The backend to run on.
    pub backend: &'static str,
    /// Whether there are worker threads.
    pub multi_thread: bool,
    /// How many.
    pub worker_threads: Option<usize>,
    /// How long the test may take.
    pub timeout_secs: u64,
}

/// What a test may give.
pub trait Outcome {
    /// What to tell when it is a failure.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<T: Outcome, E: fmt::Debug> Outcome for Result<T, E> {
    fn failure(self) -> Option<String> {
        match self {
            Ok(value) => value.failure(),
            Err(error) => Some(format!("Error: {error:?}")),
        }
    }
}

/// Runs the test `make()` as the options say.
///
/// It has a thread of its own, so that also a test that blocks it, or a runtime that does not end, is reported.
///
/// # Panics
/// When the test panics, gives an error or takes too long, and when its runtime cannot be built.
#[track_caller]
pub fn run_test<F>(options: Options, make: impl FnOnce() -> F + Send + 'static)
where
    F: Future,
    F::Output: Outcome,
{
    let Options { name, backend, .. } = options;
    let (done, finished) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(format!("{name} on {backend}"))
        .spawn(move || {
            let failure = run(options, make);
            let _ = done.send(());
            failure
        });
    let thread = match thread {
        Ok(thread) => thread,
        Err(error) => panic!("{name} on {backend}: no thread for it: {error}"),
    };
    let timeout = Duration::from_secs(options.timeout_secs);
    if finished.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
        panic!("{name} on {backend} has not ended after {timeout:?}");
    }
    match thread.join() {
        Ok(None) => {}
        Ok(Some(failure)) => panic!("{failure}"),
        Err(panic) => resume_unwind(panic),
    }
}

fn run<F>(options: Options, make: impl FnOnce() -> F) -> Option<String>
where
    F: Future,
    F::Output: Outcome,
{
    let runtime = if options.multi_thread {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    match build(runtime, options) {
        Ok(runtime) => runtime.block_on(make()).failure(),
        Err(error) => Some(format!("{}: {error}", options.backend)),
    }
}

fn build(mut builder: Builder, options: Options) -> io::Result<crate::runtime::Runtime> {
    if let Some(threads) = options.worker_threads {
        builder.worker_threads(threads);
    }
    builder.backend(options.backend.parse()?).build()
}
