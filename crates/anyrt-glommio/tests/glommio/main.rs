//! Tests of what is special about Glommio. `tests/conformance.rs` of the workspace checks the
//! contract.
//!
//! Where Glommio cannot run, every test is reported as ignored and the reason is printed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adopted;
mod net;
mod startup;
mod tasks;
mod time;

use std::io;

use anyrt_core::runtime::Owner as _;
use anyrt_glommio::GlommioRuntime;
use anyrt_glommio::runtime::{Builder, Runtime};
use libtest_mimic::{Arguments, Trial};

fn main() {
    if startup::is_child() {
        return;
    }
    let mut arguments = Arguments::from_args();
    // Descriptors and locked memory are counted per process.
    arguments.test_threads = Some(1);
    let unavailable = anyrt_glommio::is_available().err();
    if let Some(reason) = &unavailable {
        eprintln!("skipped: {reason}");
    }
    let trials = [
        adopted::TESTS,
        net::TESTS,
        startup::TESTS,
        tasks::TESTS,
        time::TESTS,
    ]
    .concat()
    .into_iter()
    .map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        .with_ignored_flag(unavailable.is_some())
    })
    .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// The name and the body.
type Test = (&'static str, fn());

/// Lists the tests of a module.
#[macro_export]
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[$crate::Test] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}

fn start(shards: usize) -> (Runtime, GlommioRuntime) {
    let runtime = Builder::new().shards(shards).build().unwrap();
    let handle = runtime.handle().clone();
    (runtime, handle)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Waits until no more than `before` descriptors are open: Glommio's blocking thread closes its
/// last one late.
fn assert_descriptors_return_to(before: usize) {
    for _ in 0..1_000_000 {
        if descriptors() <= before {
            return;
        }
        std::thread::yield_now();
    }
    panic!(
        "{} descriptors are left, {before} were there",
        descriptors()
    );
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.to_string().contains("has ended")
}
