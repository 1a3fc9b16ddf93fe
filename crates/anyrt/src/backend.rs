//! The list of backends. Every `cfg` on a backend's feature is here, except what a build with `sim`
//! exports, in `lib.rs`.
//!
//! [`backends!`] is the only list of them. It generates the public [`Backend`], the enums with one
//! variant per *enabled* backend, the arms of the matches over them, and the macros by which the
//! attribute `test` checks what is enabled. With one backend an enum has one variant, without a tag
//! or a branch. With none it has no value.
//!
//! # For backend authors
//! A backend is a row of [`backends!`] and a module below of the same name, here `m`. It provides
//! the types of [`provides::Provides`] and these functions; the compiler checks both
//! (`backend/provides.rs`). A runtime that is built on the task layer of anyrt gets all of them
//! from [`over_kit!`].
//!
//! | item | what it does |
//! |---|---|
//! | `m::KIND` | names the runtime in the context of a thread |
//! | `m::is_in_application()` | whether the application itself started such a runtime and is inside of it |
//! | `m::{make_default, enter_default}` | make a handle what `Handle::try_current` finds where nothing is current, and make it so on a thread that asked |
//! | `m::task::{spawn, spawn_local, spawn_blocking, block_in_place}` | act on the current runtime, which is of this kind |
//! | `m::task::budgeted(future)` | the future with Tokio's budget filled in each poll; the facade spawns it through a handle, or blocks on it |
//! | `m::task::try_id()` | the id of the task of this kind that polls |
//! | `m::join_set::{spawn, spawn_blocking}` | as those of `task`, into a set |
//! | `m::local_set::{LocalSet, LocalEnterGuard, is_entered, is_polling, spawn_local}` | sets of local tasks; those of the first enabled backend are used |
//! | `m::time::{sleep, sleep_until, interval_at, now}` | timers of the current runtime, with a step of a millisecond |
//! | `m::time::{sleep_on, renew, poll_sleep}` | timers with the precision of the runtime of a handle |
//! | `m::time::{pause, resume, advance}` | the clock of the current runtime (`test-util`) |
//! | `m::net::connect(address)` | connects on the current runtime |
//! | `m::net::{poll_read, poll_write, poll_write_vectored}` | move bytes through `&mut` |
//! | `m::fs::{from_std, opened, poll_read, fmt}` | files (`fs`) |
//! | `m::signal::listen(number)` | listens to a signal (`signal`) |

use std::sync::OnceLock;
use std::time::Instant;

use anyrt_core::Timer;
use anyrt_core::context::{self, Kind};
use anyrt_core::error::NoRuntime;
use anyrt_core::task::Id;

/// The list, by preference: variant, module, feature, the macro that checks it, and the
/// documentation. Backends in brackets are never chosen by preference.
///
/// Calls `$callback!` with its arguments and the rows.
macro_rules! backends {
    ($callback:ident! $args:tt) => {
        $callback! { $args
            (Tokio tokio "tokio" __if_tokio "Tokio.")
            (Smol smol "smol" __if_smol "Smol.")
            (AsyncStd async_std "async-std" __if_async_std "async-std.")
            (Glommio glommio "glommio" __if_glommio "Glommio: io_uring, a thread per core.")
            [Sim sim "sim" __if_sim "The simulator, for tests. It is never chosen by preference."]
        }
    };
}

/// A function of a runtime other than Tokio. It is out of line if Tokio, on which most programs
/// run, is enabled as well.
#[cfg(feature = "tokio")]
macro_rules! beside_tokio {
    ($($function:tt)*) => {
        #[cold]
        #[inline(never)]
        $($function)*
    };
}
#[cfg(not(feature = "tokio"))]
macro_rules! beside_tokio {
    ($($function:tt)*) => {
        #[inline]
        $($function)*
    };
}

// `__if_…!({ then } { else })` for each backend, and for any. The attributes use them, in whichever
// crate they are expanded.
macro_rules! if_macros {
    (
        ($d:tt) $(($Variant:ident $module:ident $feature:literal $if:ident $doc:literal))*
        [$Sim:ident $sim:ident $sim_feature:literal $if_sim:ident $sim_doc:literal]
    ) => {
        $(
            if_macro! { ($d) $if (feature = $feature) }
        )*
        if_macro! { ($d) $if_sim (feature = $sim_feature) }
        if_macro! { ($d) __if_any (feature = "__runtime") }

        #[cfg(feature = "__runtime")]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! __need_backend {
            () => {};
        }
        /// Without a backend it does not compile:
        /// ```compile_fail
        /// #[anyrt::main]
        /// async fn main() {}
        /// ```
        #[cfg(not(feature = "__runtime"))]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! __need_backend {
            () => {
                ::core::compile_error!(concat!(
                    "no backend is enabled: enable one of the features",
                    $(" `", $feature, "`",)*
                    " of anyrt"
                ));
            };
        }
    };
}
macro_rules! if_macro {
    (($d:tt) $if:ident ($($cfg:tt)*)) => {
        #[cfg($($cfg)*)]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $if {
            ({ $d($d enabled:tt)* } { $d($d absent:tt)* }) => { $d($d enabled)* };
        }
        #[cfg(not($($cfg)*))]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $if {
            ({ $d($d enabled:tt)* } { $d($d absent:tt)* }) => { $d($d absent)* };
        }
    };
}
backends!(if_macros! ($));

/// Calls `$callback!` with its arguments and `(Variant module)` of each enabled backend.
macro_rules! enabled {
    ($callback:ident! $args:tt) => {
        backends! { enabled_step! ($callback $args []) }
    };
}
macro_rules! enabled_step {
    (($callback:ident $args:tt [$($on:tt)*])) => { $callback! { $args $($on)* } };
    ($state:tt [$($row:tt)*] $($rest:tt)*) => { enabled_step! { $state ($($row)*) $($rest)* } };
    (
        ($callback:ident $args:tt [$($on:tt)*])
        ($Variant:ident $module:ident $feature:literal $if:ident $doc:literal) $($rest:tt)*
    ) => {
        $if! {
            { enabled_step! { ($callback $args [$($on)* ($Variant $module)]) $($rest)* } }
            { enabled_step! { ($callback $args [$($on)*]) $($rest)* } }
        }
    };
}

/// Generates the enums. Without a backend they have no values.
macro_rules! enums {
    (()) => {
        /// A value of no backend.
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Each<T> {
            #[expect(dead_code, reason = "nobody can make one")]
            // `Send` and `Sync` if `T` is `Send`, and `Unpin`, like the types that it replaces.
            None(Never, std::marker::PhantomData<Box<std::sync::Mutex<T>>>),
        }

        pin_project_lite::pin_project! {
            #[project = EachPinnedProj]
            pub(crate) enum EachPinned<T> {
                None { never: Never, marker: std::marker::PhantomData<T> },
            }
        }
    };
    (() $(($Variant:ident $module:ident))+) => {
        /// A value of one of the enabled backends.
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Each<$($Variant),+> {
            $($Variant($Variant),)+
        }

        pin_project_lite::pin_project! {
            /// Like [`Each`], for pinned values. Pinning without unsafe requires these names.
            #[project = EachPinnedProj]
            pub(crate) enum EachPinned<$($Variant),+> {
                $($Variant { #[pin] value: $Variant },)+
            }
        }
    };
}
enabled!(enums!());

/// Puts a value of the first enabled backend into an [`Each`].
macro_rules! first_of {
    (()) => {};
    (() ($Variant:ident $module:ident) $($rest:tt)*) => {
        pub(crate) use Each::$Variant as OfFirst;
    };
}
enabled!(first_of!());

/// A type without values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Never {}

impl Never {
    #[allow(dead_code, reason = "used where no backend is enabled")]
    pub(crate) fn reached(&self) -> ! {
        match *self {}
    }
}

#[macro_use]
mod matches;
mod choice;
#[macro_use]
mod over_kit;
mod provides;

#[cfg(feature = "tokio")]
pub(crate) mod tokio;

#[cfg(feature = "smol")]
pub(crate) mod smol {
    over_kit!(anyrt_smol::SmolRuntime, from_std, never);
}

#[cfg(feature = "async-std")]
pub(crate) mod async_std {
    over_kit!(anyrt_async_std::AsyncStdRuntime, from_std, when_found);
}

#[cfg(feature = "glommio")]
pub(crate) mod glommio {
    over_kit!(anyrt_glommio::GlommioRuntime, opened, when_current);
}

#[cfg(feature = "sim")]
pub(crate) mod sim {
    over_kit!(anyrt_sim::SimRuntime, from_std, simulated);
}

/// Linked, it answers for the system in simulated tasks.
#[cfg(feature = "sim-libc")]
use anyrt_sim_libc as _;

#[cfg(feature = "sim")]
pub(crate) mod with_sim;
#[cfg(not(feature = "sim"))]
pub(crate) mod without_sim;
#[cfg(feature = "sim")]
pub(crate) use with_sim as if_sim;
#[cfg(not(feature = "sim"))]
pub(crate) use without_sim as if_sim;

/// Operations that a simulated node lacks, or provides in a different way than the other backends.
pub(crate) mod simulated;

/// The common part of the backends over the kit.
#[cfg(feature = "__kit")]
pub(crate) mod shared;

/// Threads and child processes that must not be bound to the core of a worker.
#[cfg(all(unix, any(feature = "process", feature = "signal")))]
#[cfg_attr(
    not(feature = "process"),
    allow(dead_code, reason = "a build with Tokio alone starts no such thread")
)]
pub(crate) mod affinity;

/// Generates the public enum of all backends.
macro_rules! backend_enum {
    (
        () $(($Variant:ident $module:ident $feature:literal $if:ident $doc:literal))+
        [$Sim:ident $sim:ident $sim_feature:literal $if_sim:ident $sim_doc:literal]
    ) => {
        /// A runtime that anyrt supports. Each has a feature of the same name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Backend {$(
            #[doc = $doc]
            $Variant,
        )+
            #[doc = $sim_doc]
            $Sim,
        }

        impl Backend {
            /// Returns the name, which is that of the feature and of `ANYRT_BACKEND`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $feature,)+
                    Self::$Sim => $sim_feature,
                }
            }
        }

        const PINNED_IS_ABSENT: &str = concat!(
            "`--cfg anyrt_backend` names no enabled backend; enable the feature of that name, one of",
            $(" `", $feature, "`",)+
            ", of anyrt"
        );

        const NONE_ENABLED: &str = concat!(
            "no backend is enabled; enable one of the features",
            $(" `", $feature, "`",)+
            " of anyrt"
        );
    };
}
backends!(backend_enum!());

/// Generates the properties of the enabled backends.
macro_rules! enabled_backends {
    (() $(($Variant:ident $module:ident))*) => {
        const ENABLED: &[Backend] = &[$(Backend::$Variant),*];

        /// Returns the id of the task that polls, whichever backend runs it.
        pub(crate) fn try_id() -> Option<Id> {
            None$(.or_else($module::task::try_id))*
        }

        /// The kind of a runtime. Only enabled kinds exist.
        pub(crate) type Current = current_type!($($Variant)*);

        impl Current {
            #[inline]
            fn of_kind(kind: &'static Kind) -> Option<Self> {
                $(if kind.is(&$module::KIND) {
                    return Some(Self::$Variant(()));
                })*
                None
            }

            #[cold]
            #[inline(never)]
            fn of_application() -> Option<Self> {
                $(if $module::is_in_application() {
                    return Some(Self::$Variant(()));
                })*
                None
            }

            const fn of(backend: Backend) -> Option<Self> {
                match backend {
                    $(Backend::$Variant => Some(Self::$Variant(())),)*
                    #[allow(unreachable_patterns, reason = "where all are enabled")]
                    _ => None,
                }
            }

            pub(crate) fn backend(self) -> Backend {
                match self {
                    $(Self::$Variant(()) => Backend::$Variant,)*
                    #[allow(unreachable_patterns, reason = "where none is enabled")]
                    _ => unreachable!("there is no value of it"),
                }
            }
        }
    };
}
macro_rules! current_type {
    () => { Each<()> };
    ($($Variant:ident)+) => { Each<$(unit!($Variant)),+> };
}
macro_rules! unit {
    ($Variant:ident) => {
        ()
    };
}
enabled!(enabled_backends!());

macro_rules! only {
    (() ($Variant:ident $module:ident)) => {
        Some(Current::$Variant(()))
    };
    ($($other:tt)*) => {
        None
    };
}
/// The kind of all runtimes if one backend is enabled, other than Tokio, which has panics of its
/// own.
const ONLY: Option<Current> = if cfg!(feature = "tokio") {
    None
} else {
    enabled!(only!())
};

/// Returns the kind of the default runtime, after preparing it for use on this thread, once there is
/// one.
static DEFAULT_KIND: OnceLock<fn() -> Option<Current>> = OnceLock::new();

/// Sets the function that finds the default runtime.
pub(crate) fn set_default_kind(find: fn() -> Option<Current>) {
    DEFAULT_KIND.get_or_init(|| find);
}

impl Current {
    /// Returns the kind of the current runtime: the one that anyrt entered last on this thread, or
    /// one that the application started by itself.
    #[inline]
    pub(crate) fn find() -> Option<Self> {
        context::current()
            .and_then(Self::of_kind)
            .or_else(Self::of_application)
            .or_else(|| DEFAULT_KIND.get()?())
    }

    /// Returns the kind of the current runtime, or panics. With one backend it is that one's, and
    /// only for a function of its module that panics itself if no runtime is current.
    #[inline]
    #[track_caller]
    pub(crate) fn for_own_search() -> Self {
        match ONLY {
            Some(only) => only,
            None => entered(Self::find()),
        }
    }
}

/// Returns the current time, by the clock of the current runtime.
#[inline]
pub(crate) fn now() -> Instant {
    if was_any_paused()
        && let Some(now) = virtual_now()
    {
        return now;
    }
    // Tokio, which is the first if it is enabled, records by itself whether one of its clocks was
    // paused.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the clock; with a backend it is the backend's"
    )]
    {
        in_first!(backend => backend::time::now(), else Instant::now())
    }
}

/// Returns `true` if a clock other than Tokio's was paused.
#[inline]
fn was_any_paused() -> bool {
    #[cfg(feature = "__kit")]
    return anyrt_kit::time::clock::was_any_paused();
    #[cfg(not(feature = "__kit"))]
    false
}

#[cold]
fn virtual_now() -> Option<Instant> {
    each!(Current::find()?, backend, () => backend::Handle::with_current(Timer::now))
}

/// Returns `true` if this thread is polling a set of local tasks, which no other thread can take
/// over.
#[allow(dead_code, reason = "Tokio knows by itself")]
pub(crate) fn in_local_set() -> bool {
    in_first!(backend => backend::local_set::is_polling(), else false)
}

/// Returns the error for a missing current runtime.
#[cold]
pub(crate) fn no_runtime() -> NoRuntime {
    NoRuntime::new(match ENABLED {
        [] => NONE_ENABLED.to_owned(),
        enabled => format!(
            "call it inside `anyrt::block_on`, `#[anyrt::main]`, a task, or under `Handle::enter`; an application that \
             started a runtime by itself names it by `Handle::make_default` (enabled: {})",
            names(enabled)
        ),
    })
}

fn names(backends: &[Backend]) -> String {
    let names: Vec<_> = backends.iter().map(|backend| backend.name()).collect();
    names.join(", ")
}

/// Returns the current runtime, or panics with a message that names the remedy.
#[inline]
#[track_caller]
pub(crate) fn entered<T>(current: Option<T>) -> T {
    match current {
        Some(current) => current,
        None => panic!("{}", no_runtime()),
    }
}
