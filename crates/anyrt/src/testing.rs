//! What `#[anyrt::test]` expands to: a test body, on one backend, under a watchdog.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::runtime::{Builder, LocalOptions, LocalRuntime, Runtime};

/// The arguments of the attribute.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The path of the test.
    pub name: &'static str,
    /// The backend to run on.
    pub backend: &'static str,
    /// The kind of runtime.
    pub flavor: Flavor,
    /// How long the test may take.
    pub timeout_secs: u64,
}

/// The kinds of runtime that a test may ask for.
#[derive(Debug, Clone, Copy)]
pub enum Flavor {
    /// On the thread of the test.
    CurrentThread,
    /// On worker threads.
    MultiThread,
    /// On the thread of the test, with local tasks.
    Local,
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

/// Runs the test `make()` as the options say, on a runtime that `configure` has the last word about.
///
/// It has a thread of its own, so that also a test that blocks it, or a runtime that does not end, is reported.
///
/// # Panics
/// When the test panics, gives an error or takes too long, and when its runtime cannot be built.
#[track_caller]
pub fn run_test<F>(
    options: Options,
    configure: impl FnOnce(&mut Builder) + Send + 'static,
    make: impl FnOnce() -> F + Send + 'static,
) where
    F: Future,
    F::Output: Outcome,
{
    let Options { name, backend, .. } = options;
    let (done, finished) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(format!("{name} on {backend}"))
        .spawn(move || {
            let failure = run(options, configure, make);
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

fn run<F>(
    options: Options,
    configure: impl FnOnce(&mut Builder),
    make: impl FnOnce() -> F,
) -> Option<String>
where
    F: Future,
    F::Output: Outcome,
{
    match start(options, configure) {
        Ok(Started::Shared(runtime)) => runtime.block_on(make()).failure(),
        Ok(Started::Local(runtime)) => runtime.block_on(make()).failure(),
        Err(error) => Some(format!("{}: {error}", options.backend)),
    }
}

enum Started {
    Shared(Runtime),
    Local(LocalRuntime),
}

fn start(options: Options, configure: impl FnOnce(&mut Builder)) -> io::Result<Started> {
    let mut builder = match options.flavor {
        Flavor::MultiThread => Builder::new_multi_thread(),
        Flavor::CurrentThread | Flavor::Local => Builder::new_current_thread(),
    };
    configure(&mut builder);
    builder.enable_all().backend(options.backend.parse()?);
    match options.flavor {
        Flavor::Local => builder
            .build_local(LocalOptions::default())
            .map(Started::Local),
        Flavor::MultiThread | Flavor::CurrentThread => builder.build().map(Started::Shared),
    }
}
