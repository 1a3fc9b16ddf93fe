//! The items of `with_sim` in a build without the simulator: nothing is simulated.

use std::net::SocketAddr;

use super::Never;

/// Always `false`: only in a simulation, with the feature `sim`, may the program be asked to
/// misbehave.
#[doc(hidden)]
#[macro_export]
macro_rules! __buggify {
    () => {
        false
    };
}

/// Does nothing: only simulations, with the feature `sim`, tell whether the condition is ever true.
#[doc(hidden)]
#[macro_export]
macro_rules! __sometimes {
    ($condition:expr, $name:literal $(,)?) => {
        if false {
            let _: (bool, &str) = ($condition, $name);
        }
    };
}

/// Never returns a node.
#[allow(dead_code, reason = "not every feature asks")]
#[inline]
pub(crate) fn node() -> Option<Never> {
    None
}

/// Never returns from the function.
macro_rules! on_node {
    ($node:pat => $result:expr) => {};
}
pub(crate) use on_node;

pub(crate) type Address = ();

#[inline]
pub(crate) fn bound_to(_: &Address) -> Option<SocketAddr> {
    None
}
