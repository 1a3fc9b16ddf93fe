//! Stands in for a backend that is not enabled: the same names, types without values, functions that nobody can
//! call.

use std::convert::Infallible;

use anyrt_core::context::Kind;

pub(crate) static KIND: Kind = Kind::new("absent");
pub(crate) const ENABLED: bool = false;

pub(crate) use runtime::{EnterGuard, Handle, Runtime};

/// Types that nothing is ever a value of; they are `Send`, `Sync` and `Unpin` as those that they stand in for.
macro_rules! absent {
    ($($name:ident $(<$T:ident>)?)*) => {$(
        pub(crate) struct $name $(<$T>)? (super::Infallible $(, std::marker::PhantomData<std::sync::Mutex<$T>>)?);

        impl $(<$T>)? Unpin for $name $(<$T>)? {}

        impl $(<$T>)? Clone for $name $(<$T>)? {
            fn clone(&self) -> Self {
                super::never()
            }
        }

        impl $(<$T>)? std::fmt::Debug for $name $(<$T>)? {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                super::never()
            }
        }
    )*};
}

/// Only reached with a value of a type that has none.
pub(super) fn never() -> ! {
    unreachable!("a backend that is not enabled was used")
}

pub(crate) mod blocking;
pub(crate) mod channel;
pub(crate) mod clock;
#[cfg(feature = "fs")]
pub(crate) mod fs;
pub(crate) mod join_set;
pub(crate) mod local_set;
pub(crate) mod net;
#[cfg(unix)]
pub(crate) mod readiness;
pub(crate) mod runtime;
pub(crate) mod signal;
pub(crate) mod task;
pub(crate) mod time;
