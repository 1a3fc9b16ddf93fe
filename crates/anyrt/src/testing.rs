//! What `#[anyrt::test]` expands to: a test body, on one backend, under a watchdog.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::runtime::{Backend, Builder, LocalOptions};

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

/// The return types of tests.
pub trait Outcome {
    /// Returns a description if it is a failure.
    fn failure(self) -> Option<String>;
}

impl Outcome for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl Outcome for ExitCode {
    fn failure(self) -> Option<String> {
        (self != Self::SUCCESS).then(|| format!("Error: {self:?}"))
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

/// Runs an example of the documentation on each enabled backend in turn.
///
/// Does nothing if no backend is enabled.
///
/// # Panics
/// Panics if the example panics, returns an error or takes too long.
#[track_caller]
pub fn run_example<M>(make: M)
where
    M: AsyncFn() -> Result<(), Box<dyn Error>> + Copy + Send + 'static,
{
    for backend in Backend::enabled() {
        let options = Options {
            name: "the example",
            backend: backend.name(),
            flavor: Flavor::MultiThread,
            timeout_secs: 60,
        };
        let two_workers = |builder: &mut Builder| {
            builder.worker_threads(2);
        };
        run_test(options, two_workers, move || async move { make().await });
    }
}

/// A test body that returns its failure. All have one type, so that a runtime's `block_on` is
/// compiled once.
type Body = Pin<Box<dyn Future<Output = Option<String>>>>;

/// Runs the test `make()` with the given options, on a runtime that `configure` can adjust.
///
/// It runs on a thread of its own, so that a test that blocks or a runtime that does not end is
/// reported as well.
///
/// # Panics
/// Panics if the test panics, returns an error or takes too long, or if its runtime cannot be
/// built.
#[track_caller]
pub fn run_test<F>(
    options: Options,
    configure: fn(&mut Builder),
    make: impl FnOnce() -> F + Send + 'static,
) where
    F: Future + 'static,
    F::Output: Outcome,
{
    let body = || -> Body { Box::pin(async move { make().await.failure() }) };
    run_body(options, configure, Box::new(body));
}

#[track_caller]
fn run_body(options: Options, configure: fn(&mut Builder), body: Box<dyn FnOnce() -> Body + Send>) {
    let Options { name, backend, .. } = options;
    let (done, finished) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(format!("{name} on {backend}"))
        .spawn(move || {
            let failure = match run(options, configure, body) {
                Ok(failure) => failure,
                Err(error) => Some(format!("{backend}: {error}")),
            };
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

fn run(
    options: Options,
    configure: fn(&mut Builder),
    body: Box<dyn FnOnce() -> Body + Send>,
) -> io::Result<Option<String>> {
    let mut builder = match options.flavor {
        Flavor::MultiThread => Builder::new_multi_thread(),
        Flavor::CurrentThread | Flavor::Local => Builder::new_current_thread(),
    };
    configure(&mut builder);
    builder.enable_all().backend(options.backend.parse()?);
    Ok(match options.flavor {
        Flavor::Local => builder
            .build_local(LocalOptions::default())?
            .block_on(body()),
        Flavor::MultiThread | Flavor::CurrentThread => builder.build()?.block_on(body()),
    })
}
