//! What a build with the simulator does, in a simulation.

use std::net::SocketAddr;
use std::sync::OnceLock;

use anyrt_sim::SimRuntime;

use super::{Current, Each};

/// Whether the program is to misbehave here, which only happens in a simulation: under a quarter of
/// the seeds, and then in a quarter of the calls. Without the feature `sim` it is `false`, and
/// costs nothing.
///
/// It is for rare paths of the program's own: a small buffer, an early time-out, a delay between
/// two steps.
///
/// ```
/// let size = if anyrt::buggify!() { 1 } else { 4096 };
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __buggify {
    () => {
        $crate::sim::__buggify(::core::concat!(
            ::core::file!(),
            ":",
            ::core::line!(),
            ":",
            ::core::column!()
        ))
    };
}

/// Says that the condition must be true under some seed. `#[anyrt::test(sim)]` fails if it was
/// evaluated and was true under none: then the seeds do not reach what they are for. Without the
/// feature `sim` nothing is evaluated.
///
/// ```
/// # let attempts = 1;
/// anyrt::sometimes!(attempts > 1, "a request is repeated");
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __sometimes {
    ($condition:expr, $name:literal $(,)?) => {
        $crate::sim::__sometimes($name, || $condition)
    };
}

/// Like Tokio's `select!`. In a simulation the seed chooses the branch that is polled first.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    () => { $crate::__tokio::select!() };
    (biased; $($t:tt)*) => { $crate::__tokio::select!(biased; $($t)*) };
    (else => $($t:tt)*) => { $crate::__tokio::select!(else => $($t)*) };
    // The entry point of Tokio's own macro, with a different start.
    ($($t:tt)*) => {
        $crate::__tokio::select!(@{ start={ $crate::sim::__first_branch(BRANCHES) }; () } $($t)*)
    };
}

/// Returns the current node, if the current runtime is simulated.
pub(crate) fn node() -> Option<SimRuntime> {
    match Current::find()? {
        Each::Sim(()) => SimRuntime::try_current(),
        #[allow(unreachable_patterns, reason = "where nothing else is enabled")]
        _ => None,
    }
}

/// Returns the expression from the function, on a simulated node.
macro_rules! on_node {
    ($node:pat => $result:expr) => {
        if let Some($node) = $crate::backend::with_sim::node() {
            return $result;
        }
    };
}
#[cfg_attr(windows, allow(unused_imports, reason = "few operations exist there"))]
pub(crate) use on_node;

/// The address of an unconnected socket in the simulated network.
pub(crate) type Address = OnceLock<SocketAddr>;

pub(crate) fn bound_to(address: &Address) -> Option<SocketAddr> {
    address.get().copied()
}
