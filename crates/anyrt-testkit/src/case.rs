//! Test cases and their lists.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anyrt_core::runtime::Owner;

use crate::backend::Backend;
use crate::watchdog;

/// The body of a case, for owners of one type.
pub(crate) type Body<O> = Arc<dyn Fn(&Backend<O>) + Send + Sync>;

/// The cases of a topic, as listed by `cases!`.
pub(crate) struct Cases<O> {
    list: Vec<(String, Body<O>)>,
}

impl<O: Owner> Cases<O> {
    pub(crate) fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// A case that runs inside `block_on` of a fresh runtime.
    pub(crate) fn inside<F, C>(&mut self, name: String, case: C)
    where
        C: Fn(O::Handle) -> F + Send + Sync + 'static,
        F: Future<Output = ()>,
    {
        self.outside(name, move |backend| {
            watchdog::phase("building the runtime");
            let owner = backend.build();
            watchdog::phase("inside block_on");
            // Boxed, so that `block_on` is compiled once for all cases.
            let future: Pin<Box<dyn Future<Output = ()> + '_>> =
                Box::pin(case(owner.handle().clone()));
            owner.block_on(future);
            watchdog::phase("dropping the runtime");
            drop(owner);
            assert!(
                anyrt_core::context::current().is_none(),
                "the runtime is still current on the thread after it has ended"
            );
        });
    }

    /// A case that builds its runtimes itself.
    pub(crate) fn outside(
        &mut self,
        name: String,
        case: impl Fn(&Backend<O>) + Send + Sync + 'static,
    ) {
        self.list.push((name, Arc::new(case)));
    }
}

impl<O> IntoIterator for Cases<O> {
    type Item = (String, Body<O>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// `topic::name`, where the topic is the last part of a module's path.
pub(crate) fn name(module: &str, case: &str) -> String {
    let topic = module.rsplit("::").next().unwrap_or(module);
    format!("{topic}::{case}")
}

/// Lists the cases of a file: `async name;` runs inside `block_on`, `fn name;` builds its runtimes
/// itself.
///
/// Cases in a leading block `from_std { … }` are for runtimes that can convert sockets of the
/// operating system. A file with a block `ready { … }` has only cases for sockets with readiness.
///
/// The functions are private, so a missing one is dead code, which `cases.rs` denies.
macro_rules! cases {
    (ready { $($kind:tt $name:ident;)* }) => {
        pub(super) fn names() -> Vec<String> {
            vec![$($crate::case::name(module_path!(), stringify!($name)),)*]
        }

        pub(super) fn register<O>(cases: &mut $crate::case::Cases<O>)
        where
            O: ::anyrt_core::runtime::Owner,
            O::Handle: $crate::Sockets,
        {
            $(
                let full = $crate::case::name(module_path!(), stringify!($name));
                $crate::case::cases!(@add cases, full, $kind $name);
            )*
        }
    };
    (from_std { $($std_kind:tt $std_name:ident;)* } $($kind:tt $name:ident;)*) => {
        pub(super) fn names() -> Vec<String> {
            vec![
                $($crate::case::name(module_path!(), stringify!($std_name)),)*
                $($crate::case::name(module_path!(), stringify!($name)),)*
            ]
        }

        #[allow(unused_variables, reason = "a file may have no case yet")]
        pub(super) fn register<O: ::anyrt_core::runtime::Owner>(cases: &mut $crate::case::Cases<O>) {
            $(
                let full = $crate::case::name(module_path!(), stringify!($name));
                $crate::case::cases!(@add cases, full, $kind $name);
            )*
        }

        #[allow(unused_variables, reason = "a file may have no such case")]
        pub(super) fn register_from_std<O>(cases: &mut $crate::case::Cases<O>)
        where
            O: ::anyrt_core::runtime::Owner,
            O::Handle: ::anyrt_core::FromStd,
        {
            $(
                let full = $crate::case::name(module_path!(), stringify!($std_name));
                $crate::case::cases!(@add cases, full, $std_kind $std_name);
            )*
        }
    };
    ($($kind:tt $name:ident;)*) => {
        $crate::case::cases!(from_std {} $($kind $name;)*);
    };
    (@add $cases:ident, $full:ident, async $name:ident) => {
        $cases.inside($full, |rt| $name(rt))
    };
    (@add $cases:ident, $full:ident, fn $name:ident) => {
        $cases.outside($full, |backend| $name(backend))
    };
}
pub(crate) use cases;
