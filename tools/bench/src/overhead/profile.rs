//! What callgrind counted, without the runs of async-io's reactor.
//!
//! async-io's reactor runs on whichever thread is free, so the number of its runs differs between
//! two executions. It also empties the queue of the timers that were set and removed, unless the
//! thread that sets one finds the queue full and does so itself. That work belongs to the timers,
//! at 150 instructions for each entry, so it is counted on every thread.

/// The function that runs the reactor.
const REACTOR: &str = "async_io::reactor::ReactorLock::react";

/// The function of the reactor that empties the queue, and its callers among the above.
const QUEUE: &str = "async_io::reactor::Reactor::process_timer_ops";
const FROM_REACTOR: [&str; 2] = [REACTOR, "async_io::reactor::Reactor::process_timers"];

/// Returns the instructions of a profile in callgrind's format, with uncompressed names. Without
/// the reactor if `is_net` is `false`.
pub(super) fn instructions(profile: &str, is_net: bool) -> Option<f64> {
    let (mut total, mut reactor, mut queue) = (None, 0, 0);
    let (mut caller, mut callee) = ("", None);
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            caller = name;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            callee = Some(name);
        } else if let Some(count) = line.strip_prefix("totals:") {
            total = Some(count.trim().parse::<u64>().ok()?);
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            && let Some(callee) = callee.take()
        {
            // The line of a call: its position, and what it took with everything below it.
            let count: u64 = line.split_ascii_whitespace().last()?.parse().ok()?;
            let from_reactor = FROM_REACTOR.iter().any(|name| caller.starts_with(name));
            if callee.starts_with(REACTOR) && !from_reactor {
                reactor += count;
            } else if callee.starts_with(QUEUE) && from_reactor {
                queue += count;
            }
        }
    }
    // The compiler may have taken the reactor in, and then it cannot be told from the rest.
    let left_out = if is_net {
        0
    } else {
        reactor.saturating_sub(queue)
    };
    Some((total? - left_out) as f64)
}

#[cfg(test)]
mod tests {
    use super::instructions;

    const PROFILE: &str = "\
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

    #[test]
    fn the_queue_of_timers_counts_on_every_thread_and_the_rest_of_the_reactor_on_none() {
        assert_eq!(instructions(PROFILE, false), Some(500.0));
        assert_eq!(instructions(PROFILE, true), Some(700.0));
        assert_eq!(instructions("fn=main\n0 7\n", true), None);
    }
}
