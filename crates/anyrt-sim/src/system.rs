//! The simulated system as the current thread sees it, for a crate that replaces system calls.
//!
//! This crate replaces nothing of the system by itself. `anyrt-sim-libc` does, and calls these
//! functions. They return an answer inside of a simulation that is not
//! [open](crate::Builder::open), while a task, a job or the future of a `block_on` is polled or
//! dropped. Everywhere else, including on the simulator's own threads, they return none, and the
//! real system answers.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use anyrt_core::Timer;

use crate::runtime::SimRuntime;

/// The system that a thread sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// The real one: the thread does work that is not part of the simulated program.
    Real,
    /// The clock of a simulation that is starting.
    Start,
    /// The system of the current node.
    Node,
}

thread_local! {
    static VIEW: Cell<View> = const { Cell::new(View::Real) };
}

/// Makes the thread see that system until the guard is dropped.
#[must_use = "the view lasts for as long as the guard"]
pub(crate) fn see(view: View) -> Seeing {
    Seeing(VIEW.replace(view))
}

pub(crate) struct Seeing(View);

impl Drop for Seeing {
    fn drop(&mut self) {
        VIEW.set(self.0);
    }
}

fn on_node<T>(answer: impl FnOnce(&SimRuntime) -> T) -> Option<T> {
    if VIEW.get() != View::Node {
        return None;
    }
    // The answer may need another call, which must reach the real system.
    let _real = see(View::Real);
    SimRuntime::with_current(answer)
}

/// Returns the reading of the monotonic clock, which is zero at the start of the simulation and
/// equal to [`Timer::now`].
pub fn monotonic() -> Option<Duration> {
    if VIEW.get() == View::Start {
        return Some(Duration::ZERO);
    }
    on_node(|node| node.now().saturating_duration_since(node.world().base()))
}

/// Returns the date and time by the clock of the node.
pub fn real_time() -> Option<SystemTime> {
    on_node(SimRuntime::system_time)
}

/// Fills the buffer with random bytes from the seed and returns `true`; returns `false` where there
/// is no answer. Drawing them changes neither the order of tasks nor [`SimRuntime::random`].
pub fn fill(bytes: &mut [u8]) -> bool {
    on_node(|node| {
        for part in bytes.chunks_mut(8) {
            let number = node.world().draw_for_system().to_le_bytes();
            part.copy_from_slice(&number[..part.len()]);
        }
    })
    .is_some()
}

/// Returns the addresses of the node of that name; none if there is no such node.
pub fn addresses(name: &str) -> Option<Vec<IpAddr>> {
    on_node(|node| match node.find_node(name) {
        Some(node) => vec![node.ip()],
        None => Vec::new(),
    })
}

/// Returns the start of the virtual clock.
pub(crate) fn at_start(now: impl FnOnce() -> Instant) -> Instant {
    let _start = see(View::Start);
    now()
}
