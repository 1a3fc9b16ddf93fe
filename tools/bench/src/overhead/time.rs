//! The ratio of times, in one process: the ways take turns in many rounds; the result is the median
//! of the paired ratios.
//!
//! It is reported and never checked: two programs with the same instructions differ by 9 % in time.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use anyrt_bench::{Backend, Row, subject};

use crate::statistics::Spread;

const ROUNDS: usize = 21;

/// Returns a table of all rows, measured in a process per runtime.
pub(crate) fn table(backends: &[Backend], rows: &[Row]) -> String {
    let mut text = String::from(
        "| time through anyrt / natively, median (middle half) | traits | facade, all four enabled |\n|---|---:|---:|\n",
    );
    for backend in backends {
        for row in rows {
            let child = Command::new(crate::places::this_program())
                .args(["__time", backend.name(), row.name()])
                .env("ASYNC_STD_THREAD_COUNT", "1")
                .output();
            let printed = child.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            let printed = printed.unwrap_or_default();
            let _ = writeln!(text, "| {backend}: {} | {} |", row.title(), printed.trim());
        }
    }
    text
}

/// Runs the child: prints two cells.
pub(crate) fn child(backend: &str, row: &str) -> Option<()> {
    let (backend, row) = (Backend::parse(backend)?, Row::parse(row)?);
    let ways = ways(backend, row);
    let n = row.count();
    let mut times = [const { Vec::new() }; 3];
    for round in 0..=ROUNDS {
        let mut once = [0.0; 3];
        for turn in 0..ways.len() {
            let way = (turn + round) % ways.len();
            let start = Instant::now();
            ways[way](n);
            once[way] = start.elapsed().as_secs_f64();
        }
        // The first one is the warm-up.
        if round > 0 {
            for (times, once_of) in times.iter_mut().zip(once) {
                times.push(once_of / once[0]);
            }
        }
    }
    let cell = |ratios: &[f64]| {
        let spread = Spread::of(ratios);
        format!(
            "{:.2} ({:.2} to {:.2})",
            spread.median, spread.low, spread.high
        )
    };
    println!("{} | {}", cell(&times[1]), cell(&times[2]));
    Some(())
}

type Way = Box<dyn Fn(usize)>;

fn ways(backend: Backend, row: Row) -> [Way; 3] {
    macro_rules! ways {
        ($native:ident, $generic:ident) => {{
            let native = subject::$native::Host::new(backend);
            let generic = subject::$generic::Host::new(backend);
            let facade = subject::facade::Host::new(backend);
            [
                Box::new(move |n| subject::$native::repeat(&native, row, n)),
                Box::new(move |n| subject::$generic::repeat(&generic, row, n)),
                Box::new(move |n| subject::facade::repeat(&facade, row, n)),
            ]
        }};
    }
    match backend {
        Backend::Tokio => ways!(native_tokio, generic_tokio),
        Backend::Smol => ways!(native_smol, generic_smol),
        Backend::AsyncStd => ways!(native_async_std, generic_async_std),
        Backend::Glommio => ways!(native_glommio, generic_glommio),
    }
}
