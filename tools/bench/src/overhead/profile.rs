//! What callgrind counted, without what depends on time.
//!
//! # async-io
//! Its reactor runs on whichever thread is free, so the number of its runs differs between two
//! executions, and they are left out. The reactor also empties the queue of the timers that were
//! set and removed, unless the thread that sets one finds the queue full and does so itself. That
//! work belongs to the timers, at 150 instructions for each entry, so it is counted on every
//! thread.
//!
//! A thread that runs the reactor has more to do than the reactor itself: to take its lock and to
//! look into the empty queue, about 90 instructions. So the [`reactor`](Profile::reactor) is told
//! as well: runs are compared only if it had the same share of them.
//!
//! # Glommio
//! The driver of anyrt visits Glommio's rings once per millisecond while there is work. That is
//! after thousands of operations, but after some hundred under valgrind, where everything takes 50
//! times as long: 1 to 10 % of a row, and more on a slow machine. So only the driver is counted,
//! unless operations leave it or are done by another thread.

use anyrt_bench::Row;

/// The function that runs the reactor.
const REACTOR: &str = "async_io::reactor::ReactorLock::react";

/// The function of the reactor that empties the queue, and its callers among the above.
const QUEUE: &str = "async_io::reactor::Reactor::process_timer_ops";
const FROM_REACTOR: [&str; 2] = [REACTOR, "async_io::reactor::Reactor::process_timers"];

/// The function of the driver on Glommio that runs everything between two visits of the rings.
const DRIVER: &str = "anyrt_glommio::drive::Driver::work";

/// The instructions between two visits of the rings. With fewer it is the operation that leaves the
/// driver (`block_on` after 200), with more it is the time (after 40,000 or more).
const UNTIL_VISIT: u64 = 10_000;

/// The instructions of one run.
#[derive(Debug, PartialEq)]
pub(super) struct Profile {
    pub(super) counted: f64,
    /// Those of async-io's reactor, counted or not, without the queue of timers.
    pub(super) reactor: f64,
}

impl Profile {
    /// Reads the profile of a row in callgrind's format, with uncompressed names.
    pub(super) fn read(text: &str, row: Row) -> Option<Self> {
        let (mut total, mut reactor, mut queue, mut driver) = (None, 0, 0, 0);
        let (mut caller, mut callee, mut calls, mut visits) = ("", None, 0, 0);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                caller = name;
            } else if let Some(name) = line.strip_prefix("cfn=") {
                callee = Some(name);
            } else if let Some(numbers) = line.strip_prefix("calls=") {
                calls = numbers.split_ascii_whitespace().next()?.parse().ok()?;
            } else if let Some(count) = line.strip_prefix("totals:") {
                total = Some(count.trim().parse::<u64>().ok()?);
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
                && let Some(callee) = callee.take()
            {
                // The line of a call: its position, and what it took with everything below it.
                let count: u64 = line.split_ascii_whitespace().last()?.parse().ok()?;
                let from_reactor = FROM_REACTOR.iter().any(|name| caller.starts_with(name));
                if callee.starts_with(REACTOR) && !from_reactor {
                    reactor += count;
                } else if callee.starts_with(QUEUE) && from_reactor {
                    queue += count;
                } else if callee.starts_with(DRIVER) {
                    driver += count;
                    visits += calls;
                }
            }
        }
        // The compiler may have taken a function in, and then it cannot be told from the rest.
        let (total, reactor) = (total?, reactor.saturating_sub(queue));
        let counted = if driver > UNTIL_VISIT * visits && !row.is_shared() {
            driver
        } else if row.is_net() {
            total
        } else {
            total - reactor
        };
        Some(Self {
            counted: counted as f64,
            reactor: reactor as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Profile, Row};

    const ASYNC_IO: &str = "\
fn=async_io::driver::main_loop
0 40
cfn=async_io::reactor::ReactorLock::react
calls=3 0
0 500

fn=async_io::reactor::ReactorLock::react
0 150
cfn=async_io::reactor::Reactor::process_timers
calls=6 0
0 350

fn=async_io::reactor::Reactor::process_timers
0 50
cfn=async_io::reactor::Reactor::process_timer_ops
calls=6 0
0 300

fn=async_io::reactor::Reactor::insert_timer
0 60
cfn=async_io::reactor::Reactor::process_timer_ops
calls=1 0
0 100

fn=async_io::reactor::Reactor::process_timer_ops
0 400

totals: 700
";

    const GLOMMIO: &str = "\
fn=glommio::executor::LocalExecutor::run
0 90
cfn=anyrt_glommio::drive::Driver::work
calls=3 0
0 150000

fn=anyrt_glommio::drive::Driver::work
0 150000

totals: 150090
";

    fn counted(text: &str, row: Row) -> Option<f64> {
        Profile::read(text, row).map(|profile| profile.counted)
    }

    #[test]
    fn the_queue_of_timers_counts_on_every_thread_and_the_rest_of_the_reactor_on_none() {
        assert_eq!(counted(ASYNC_IO, Row::Sleep), Some(500.0));
        assert_eq!(counted(ASYNC_IO, Row::Tcp1K), Some(700.0));
        let reactor = |row| Profile::read(ASYNC_IO, row).map(|profile| profile.reactor);
        assert_eq!(reactor(Row::Sleep), Some(200.0));
        assert_eq!(reactor(Row::Tcp1K), Some(200.0));
    }

    #[test]
    fn the_rings_of_glommio_count_only_if_operations_wait_for_them() {
        assert_eq!(counted(GLOMMIO, Row::Tcp1K), Some(150_000.0));
        assert_eq!(counted(GLOMMIO, Row::FileRead), Some(150_090.0));
        let often = GLOMMIO.replace("calls=3 ", "calls=300 ");
        assert_eq!(counted(&often, Row::BlockOn), Some(150_090.0));
    }

    #[test]
    fn a_profile_without_a_total_is_refused() {
        assert_eq!(Profile::read("fn=main\n0 7\n", Row::Spawn), None);
    }
}
