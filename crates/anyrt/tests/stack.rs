//! The stack that a large future or job takes on its way into a runtime, compared with Tokio
//! itself. Without optimization each function on the way holds a copy of it.
#![cfg(all(target_os = "linux", debug_assertions))]

use std::fs;
use std::future::Future;
use std::thread;

use anyrt::runtime::{Backend, Builder};

const LARGE: usize = 200 * 1024;
/// The number of additional copies, compared with Tokio, that an entry point may take.
const COPIES: usize = 2;
/// Far more than needed, and more than the C library caches for the next thread, so that no page
/// was used before.
const STACK: usize = 128 * 1024 * 1024;

/// A future that holds a buffer while it waits.
async fn large(yielded: impl Future<Output = ()>) -> bool {
    let buffer = [7_u8; LARGE];
    yielded.await;
    buffer.iter().all(|byte| *byte == 7)
}

/// Returns how many bytes of this thread's stack were ever used.
fn used() -> usize {
    let here = 0_u8;
    let here = std::ptr::from_ref(&here).addr();
    let maps = fs::read_to_string("/proc/self/smaps").expect("procfs");
    let mut lines = maps.lines().skip_while(|line| {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let range = range.map(|(start, end)| {
            let number = |text| usize::from_str_radix(text, 16).ok();
            number(start)..number(end)
        });
        !range.is_some_and(|range| range.contains(&Some(here)))
    });
    let resident = lines.find_map(|line| line.strip_prefix("Rss:"));
    let kilobytes = resident.and_then(|text| text.trim().strip_suffix(" kB"));
    kilobytes
        .expect("a mapping")
        .trim()
        .parse::<usize>()
        .expect("a number")
        * 1024
}

/// Returns how many bytes of stack `call` takes, after `before` on the same thread.
fn depth(before: &(dyn Fn() + Sync), call: impl FnOnce() + Send) -> usize {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        let measured = thread.spawn_scoped(scope, || {
            before();
            let base = used();
            call();
            used() - base
        });
        measured.expect("a thread").join().expect("no panic")
    })
}

/// The same calls on either crate.
macro_rules! entrances {
    ($krate:ident, $runtime:expr) => {{
        use $krate::task::{JoinSet, LocalSet, spawn_blocking, spawn_local, yield_now};
        use $krate::time::{Duration, timeout};

        let runtime = $runtime;
        let handle = runtime.handle().clone();
        let once = || runtime.block_on(async {});
        let buffer = [7_u8; LARGE];
        [
            (
                "Runtime::block_on",
                depth(&once, || assert!(runtime.block_on(large(yield_now())))),
            ),
            (
                "Handle::block_on",
                depth(&once, || assert!(handle.block_on(large(yield_now())))),
            ),
            (
                "Runtime::spawn",
                depth(&once, || drop(runtime.spawn(large(yield_now())))),
            ),
            (
                "Handle::spawn",
                depth(&once, || drop(handle.spawn(large(yield_now())))),
            ),
            (
                "spawn",
                depth(&once, || {
                    let _entered = runtime.enter();
                    drop($krate::spawn(large(yield_now())));
                }),
            ),
            (
                "JoinSet::spawn",
                depth(&once, || {
                    let _entered = runtime.enter();
                    JoinSet::new().spawn(large(yield_now()));
                }),
            ),
            (
                "LocalSet::block_on",
                depth(&once, || {
                    assert!(LocalSet::new().block_on(&runtime, large(yield_now())));
                }),
            ),
            (
                "LocalSet::run_until",
                depth(&once, || {
                    let set = LocalSet::new();
                    assert!(runtime.block_on(async { set.run_until(large(yield_now())).await }));
                }),
            ),
            (
                "LocalSet::spawn_local",
                depth(&once, || {
                    let set = LocalSet::new();
                    drop(set.spawn_local(large(yield_now())));
                }),
            ),
            (
                "spawn_local",
                depth(&once, || {
                    let set = LocalSet::new();
                    set.block_on(&runtime, async { drop(spawn_local(large(yield_now()))) });
                }),
            ),
            (
                "spawn_blocking",
                depth(&once, || {
                    let _entered = runtime.enter();
                    drop(spawn_blocking(move || buffer.iter().all(|byte| *byte == 7)));
                }),
            ),
            (
                "timeout",
                depth(&once, || {
                    let limit = Duration::from_secs(3600);
                    let result =
                        runtime.block_on(async { timeout(limit, large(yield_now())).await });
                    assert!(result.expect("in time"));
                }),
            ),
        ]
    }};
}

#[test]
fn an_entrance_takes_at_most_two_copies_more_than_tokios_of_a_large_future_or_job() {
    // A huge page would count as a whole.
    rustix::thread::disable_transparent_huge_pages(true).expect("an old option of Linux");
    let mut too_much = Vec::new();
    for is_multi_thread in [false, true] {
        let mut native = match is_multi_thread {
            true => tokio::runtime::Builder::new_multi_thread(),
            false => tokio::runtime::Builder::new_current_thread(),
        };
        let native = native.worker_threads(1).enable_all().build();
        let native = entrances!(tokio, native.expect("a runtime"));
        for &backend in Backend::enabled() {
            let mut ours = match is_multi_thread {
                true => Builder::new_multi_thread(),
                false => Builder::new_current_thread(),
            };
            let ours = ours.backend(backend).worker_threads(1).enable_all().build();
            let ours = entrances!(anyrt, ours.expect("a runtime"));
            for ((name, ours), (_, native)) in ours.into_iter().zip(native) {
                // Half a copy for the frames of the functions themselves.
                if ours > native + COPIES * LARGE + LARGE / 2 {
                    too_much.push(format!(
                        "{backend}, multi-thread {is_multi_thread}, {name}: {} KiB, Tokio {}",
                        ours / 1024,
                        native / 1024
                    ));
                }
            }
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}
