//! The list of backends. Every `cfg` on a backend feature is in this file.
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
//! | `m::TRIES_UNTOLD` | whether a `try_*` operation asks the system although no readiness was reported yet |
//! | `m::runtime::{block_on, block_on_handle}` | run a future on an owner, or through a handle |
//! | `m::task::{spawn, spawn_local, spawn_blocking, block_in_place}` | act on the current runtime, which is of this kind |
//! | `m::task::{spawn_on, spawn_local_on, spawn_blocking_on}` | act on the runtime of a handle |
//! | `m::task::try_id()` | the id of the task of this kind that polls |
//! | `m::join_set::{spawn, spawn_on, spawn_local, spawn_blocking, spawn_blocking_on}` | as those of `task`, into a set |
//! | `m::local_set::{LocalSet, LocalEnterGuard, is_entered, is_polling, spawn_local}` | sets of local tasks; those of the first enabled backend are used |
//! | `m::time::{sleep, sleep_until, interval_at, now}` | timers of the current runtime, which tick in milliseconds |
//! | `m::time::{sleep_on, renew, poll_sleep}` | timers with the precision of the runtime of a handle |
//! | `m::time::{pause, resume, advance}` | the clock of the current runtime (`test-util`) |
//! | `m::net::connect(address)` | connects on the current runtime |
//! | `m::net::{poll_read, poll_write, poll_write_vectored}` and `poll_*_shared` | move bytes through `&mut` and through `&` |
//! | `m::net::{try_read_buf, try_recv_buf, try_recv_buf_from, recv_buf, recv_buf_from}` | receive into a `BufMut` |
//! | `m::fs::{from_std, opened, as_fd, poll_read, fmt}` | files (`fs`) |
//! | `m::signal::listen(number)` | listens to a signal (`signal`) |

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use anyrt_core::context::{self, Kind};
use anyrt_core::error::NoRuntime;
use anyrt_core::{BuildError, Timer};

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

/// A type without values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Never {}

impl Never {
    #[allow(dead_code, reason = "used where no backend is enabled")]
    pub(crate) fn reached(&self) -> ! {
        match *self {}
    }
}

/// The type of a value of one of the enabled backends: `one_of!(net::TcpStream)`, or of
/// `EachPinned` after `pinned`. Parameters of a type without values precede a semicolon:
/// `one_of!(T; task::JoinHandle<T>)`.
macro_rules! one_of {
    (pinned $($path:tt)+) => { enabled! { one_of_type! (EachPinned [$($path)+] [()]) } };
    ($marker:ty; $($path:tt)+) => { enabled! { one_of_type! (Each [$($path)+] [$marker]) } };
    ($($path:tt)+) => { enabled! { one_of_type! (Each [$($path)+] [()]) } };
}
macro_rules! one_of_type {
    (($Enum:ident $path:tt [$marker:ty])) => { $crate::backend::$Enum<$marker> };
    (($Enum:ident $path:tt $marker:tt) $(($Variant:ident $module:ident))+) => {
        $crate::backend::$Enum<$(item_of! { $module $path }),+>
    };
}
macro_rules! item_of {
    ($module:ident [$($path:tt)+]) => { $crate::backend::$module::$($path)+ };
}

/// The match: evaluates the expression with the value of the backend. With a name before the
/// pattern, the expression can use the backend's module under that name.
macro_rules! each {
    ($value:expr, $pattern:pat => $result:expr) => { each!($value, module, $pattern => $result) };
    ($value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] Each [$pattern] Plain [$result]) }
    };
}

/// Evaluates an expression with a future or a job, which is moved to a [`Box`] if it is large and
/// the build is not optimized. In such a build each arm of a match has its own copy of the operand,
/// and a few copies of 64 KiB fill a worker's stack.
macro_rules! boxed_for_match {
    ($value:ident: $type:ty = $boxed:expr => $then:expr) => {
        if const { cfg!(debug_assertions) && size_of::<$type>() >= anyrt_core::LARGE } {
            let $value = $boxed;
            $then
        } else {
            $then
        }
    };
}

/// Like [`each!`]. The result is a value of the same backend.
macro_rules! map_each {
    ($value:expr, $pattern:pat => $result:expr) => { map_each!($value, module, $pattern => $result) };
    ($value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] Each [$pattern] Each [$result]) }
    };
}

/// Like [`map_each!`], into an [`EachPinned`].
macro_rules! pin_each {
    ($value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] Each [$pattern] EachPinned [$result]) }
    };
}

/// Like [`map_each!`], for an expression that returns a pair, into a pair.
macro_rules! pair_each {
    ($value:expr, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [module] Each [$pattern] Pair [$result]) }
    };
}

/// Like [`each!`], for an [`EachPinned`] or its projection.
macro_rules! each_pinned {
    ($Enum:ident, $value:expr, $module:ident, $pattern:pat => $result:expr) => {
        enabled! { arms! ([$value] [$module] $Enum [$pattern] Plain [$result]) }
    };
}

/// Matches two values, the second of the named enum: the first expression if both belong to the
/// same backend, or else the second one.
macro_rules! each_pair {
    (
        $first:expr, $Enum:ident $second:expr,
        $module:ident, ($one:pat, $other:pat) => $same:expr, else $differ:expr
    ) => {
        enabled! { pair_arms! ([$first] [$second] [$module] $Enum [$one] [$other] Plain [$same] [$differ]) }
    };
}

/// Matches two values of the same backend. The result is a value of that backend.
macro_rules! map_pair {
    ($first:expr, $second:expr, $module:ident, ($one:pat, $other:pat) => $result:expr) => {
        enabled! {
            pair_arms! (
                [$first] [$second] [$module] Each [$one] [$other] Each [$result]
                [unreachable!("both are of one backend")]
            )
        }
    };
}

macro_rules! arms {
    (([$value:expr] $alias:tt $From:ident $pattern:tt $Into:ident $result:tt)) => {
        match $value { no_value!($From never) => never.reached() }
    };
    (
        ([$value:expr] [$alias:ident] $From:ident [$pattern:pat] $Into:ident [$result:expr])
        $(($Variant:ident $module:ident))+
    ) => {
        match $value {$(
            arm!($From $Variant [$pattern]) => {
                #[allow(unused_imports, reason = "not every expression needs it")]
                use $crate::backend::$module as $alias;
                made!($Into $Variant [$result])
            }
        )+}
    };
}
macro_rules! pair_arms {
    (([$first:expr] $second:tt $alias:tt $Enum:ident $one:tt $other:tt $Into:ident $same:tt $differ:tt)) => {
        match $first { no_value!(Each never) => never.reached() }
    };
    (
        (
            [$first:expr] [$second:expr] [$alias:ident] $Enum:ident [$one:pat] [$other:pat]
            $Into:ident [$same:expr] [$differ:expr]
        )
        $(($Variant:ident $module:ident))+
    ) => {
        match ($first, $second) {
            $((arm!(Each $Variant [$one]), arm!($Enum $Variant [$other])) => {
                #[allow(unused_imports, reason = "not every expression needs it")]
                use $crate::backend::$module as $alias;
                made!($Into $Variant [$same])
            })+
            #[allow(unreachable_patterns, reason = "where one backend is enabled")]
            _ => $differ,
        }
    };
}
macro_rules! arm {
    (Each $Variant:ident [$inner:pat]) => {
        $crate::backend::Each::$Variant($inner)
    };
    ($Pinned:ident $Variant:ident [$inner:pat]) => {
        $crate::backend::$Pinned::$Variant { value: $inner }
    };
}
macro_rules! made {
    (Plain $Variant:ident [$inner:expr]) => {
        $inner
    };
    (Each $Variant:ident [$inner:expr]) => {
        $crate::backend::Each::$Variant($inner)
    };
    (Pair $Variant:ident [$inner:expr]) => {{
        let (one, other) = $inner;
        (
            $crate::backend::Each::$Variant(one),
            $crate::backend::Each::$Variant(other),
        )
    }};
    (EachPinned $Variant:ident [$inner:expr]) => {
        $crate::backend::EachPinned::$Variant { value: $inner }
    };
}
macro_rules! no_value {
    (Each $never:ident) => {
        $crate::backend::Each::None($never, _)
    };
    ($Pinned:ident $never:ident) => {
        $crate::backend::$Pinned::None { never: $never, .. }
    };
}

/// Evaluates the expression for the kind of the current runtime, whose module it can use under the
/// name. Panics if none is current. The result is an [`Each`].
macro_rules! on_current {
    ($alias:ident => $result:expr) => {
        map_each!($crate::backend::entered($crate::backend::Current::find()), $alias, () => $result)
    };
}

/// Returns the first enabled backend for which the expression, which can use its module under the
/// name, is `Some`.
macro_rules! find_backend {
    ($alias:ident => $result:expr) => {
        enabled! { find_steps! ([$alias] [$result]) }
    };
}
macro_rules! find_steps {
    (([$alias:ident] [$result:expr]) $(($Variant:ident $module:ident))*) => {
        None$(.or_else(|| {
            use $crate::backend::$module as $alias;
            $result
        }))*
    };
}

/// The type with that name of the first enabled backend. For values see [`with_first!`].
macro_rules! first_type {
    ($($path:tt)+) => { enabled! { first_path! ([$($path)+]) } };
}
macro_rules! first_path {
    (($path:tt)) => {
        $crate::backend::Never
    };
    (($path:tt) ($Variant:ident $module:ident) $($rest:tt)*) => {
        item_of! { $module $path }
    };
}
/// Evaluates the expression with a value of the first enabled backend.
macro_rules! with_first {
    ($value:expr, $pattern:pat => $result:expr) => {
        enabled! { with_first_steps! ([$value] [$pattern] [$result]) }
    };
}
macro_rules! with_first_steps {
    (([$value:expr] $pattern:tt $result:tt)) => {
        ($value).reached()
    };
    (([$value:expr] [$pattern:pat] [$result:expr]) $($on:tt)+) => {{
        let $pattern = $value;
        $result
    }};
}
/// Evaluates the expression for the first enabled backend, or else the other one.
macro_rules! in_first {
    ($alias:ident => $result:expr, else $none:expr) => {
        enabled! { in_first_steps! ([$alias] [$result] [$none]) }
    };
}
macro_rules! in_first_steps {
    (($alias:tt $result:tt [$none:expr])) => {
        $none
    };
    (([$alias:ident] [$result:expr] $none:tt) ($Variant:ident $module:ident) $($rest:tt)*) => {{
        #[allow(unused_imports, reason = "not every expression needs it")]
        use $crate::backend::$module as $alias;
        $result
    }};
}
/// A struct with that name around a value of the first enabled backend.
macro_rules! of_first {
    ($Struct:ident, $value:expr) => {
        enabled! { of_first_variant! ($Struct [$value]) }
    };
}
macro_rules! of_first_variant {
    (($Struct:ident $value:tt)) => {
        unreachable!("there is no value of it")
    };
    (($Struct:ident [$value:expr]) ($Variant:ident $module:ident) $($rest:tt)*) => {
        $Struct {
            inner: $crate::backend::Each::$Variant($value),
        }
    };
}
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

/// Operations that a simulated node lacks, or provides in a different way than the other backends.
#[cfg(feature = "sim")]
pub(crate) mod simulated;
#[cfg(not(feature = "sim"))]
#[path = "backend/not_simulated.rs"]
pub(crate) mod simulated;

/// The common part of the backends over the kit.
#[cfg(feature = "__kit")]
pub(crate) mod shared;

/// Runs a function that starts a thread or a child process, which must not be bound to the core of
/// a worker.
#[cfg(all(unix, any(feature = "process", feature = "signal"), feature = "__kit"))]
pub(crate) use anyrt_kit::affinity::unbound;
#[cfg(all(
    unix,
    any(feature = "process", feature = "signal"),
    not(feature = "__kit")
))]
pub(crate) fn unbound<T>(start: impl FnOnce() -> T) -> T {
    start()
}

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

            fn of(backend: Backend) -> Option<Self> {
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

impl Current {
    /// Returns the kind of the current runtime: the one that anyrt entered last on this thread, or
    /// one that the application started by itself.
    #[inline]
    pub(crate) fn find() -> Option<Self> {
        context::current()
            .and_then(Self::of_kind)
            .or_else(Self::of_application)
            .or_else(crate::runtime::default_kind)
    }
}

macro_rules! from_handles {
    (() $(($Variant:ident $module:ident))*) => {$(
        impl From<$module::Handle> for crate::runtime::Handle {
            fn from(runtime: $module::Handle) -> Self {
                Self {
                    inner: Each::$Variant(runtime),
                }
            }
        }
    )*};
}
enabled!(from_handles!());

impl Backend {
    /// Returns the enabled backends in the order of preference: Tokio, Smol, async-std, Glommio.
    /// The simulator, which is never chosen by preference, is not included.
    pub const fn enabled() -> &'static [Self] {
        match ENABLED {
            [preferred @ .., Self::Sim] => preferred,
            preferred => preferred,
        }
    }

    /// Returns `true` if the feature of the backend is enabled.
    pub const fn is_enabled(self) -> bool {
        let mut at = 0;
        while at < ENABLED.len() {
            if ENABLED[at] as u8 == self as u8 {
                return true;
            }
            at += 1;
        }
        false
    }

    /// Returns the backend that the environment variable `ANYRT_BACKEND` names, or `None` if it is
    /// unset or empty.
    ///
    /// # Errors
    /// Returns [`BuildError::UnknownBackend`] if no enabled backend has that name. The message
    /// lists the enabled ones.
    pub fn from_env() -> Result<Option<Self>, BuildError> {
        match std::env::var_os("ANYRT_BACKEND") {
            Some(name) if !name.is_empty() => name.to_string_lossy().parse().map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the backend of a runtime that names none: that of `ANYRT_BACKEND`, or else
    /// [`DEFAULT`].
    pub(crate) fn preferred() -> Result<Self, BuildError> {
        match (Self::from_env()?, DEFAULT) {
            (Some(backend), _) | (None, Some(backend)) => Ok(backend),
            (None, None) => Err(BuildError::Unavailable {
                backend: "anyrt",
                why: match ENABLED {
                    [] => NONE_ENABLED.to_owned(),
                    _ => ONLY_SIM_ENABLED.to_owned(),
                },
            }),
        }
    }

    /// Returns the kind, or an error that names the enabled ones.
    pub(crate) fn require(self) -> Result<Current, BuildError> {
        Current::of(self).ok_or_else(|| unknown(self.name()))
    }
}

/// The backend that `--cfg anyrt_backend="…"` names, or else the first enabled one.
const DEFAULT: Option<Backend> = match option_env!("ANYRT_BACKEND_CFG") {
    Some(name) => Some(pinned(name)),
    None => Backend::enabled().first().copied(),
};

const ONLY_SIM_ENABLED: &str = "only the simulator is enabled, which is never chosen by preference: use `anyrt::sim`, \
     set ANYRT_BACKEND=sim, or enable another backend";

/// Returns the backend with that name. It is called when anyrt is compiled, so its panic is a
/// compile error.
const fn pinned(name: &str) -> Backend {
    let mut at = 0;
    let enabled = Backend::enabled();
    while at < enabled.len() {
        if are_equal(enabled[at].name().as_bytes(), name.as_bytes()) {
            return enabled[at];
        }
        at += 1;
    }
    panic!("{}", PINNED_IS_ABSENT)
}

const fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
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
    return shared::time::was_any_paused();
    #[cfg(not(feature = "__kit"))]
    false
}

#[cold]
fn virtual_now() -> Option<Instant> {
    each!(Current::find()?, backend, () => backend::Handle::with_current(Timer::now))
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = BuildError;

    /// Parses the name of an enabled backend.
    fn from_str(name: &str) -> Result<Self, BuildError> {
        let known = ENABLED.iter().find(|backend| backend.name() == name);
        known.copied().ok_or_else(|| unknown(name))
    }
}

fn unknown(name: &str) -> BuildError {
    BuildError::UnknownBackend {
        name: name.to_owned(),
        enabled: match ENABLED {
            [] => "none".to_owned(),
            enabled => names(enabled),
        },
    }
}

fn names(backends: &[Backend]) -> String {
    let names: Vec<_> = backends.iter().map(|backend| backend.name()).collect();
    names.join(", ")
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

/// Returns the current runtime, or panics with a message that names the remedy.
#[inline]
#[track_caller]
pub(crate) fn entered<T>(current: Option<T>) -> T {
    match current {
        Some(current) => current,
        None => panic!("{}", no_runtime()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_backend_is_one_of_the_enabled() {
        for backend in Backend::enabled() {
            assert_eq!(pinned(backend.name()), *backend);
        }
    }

    #[test]
    #[should_panic(expected = "names no enabled backend")]
    fn what_is_pinned_must_be_enabled() {
        pinned("smo");
    }

    #[test]
    #[should_panic(expected = "names no enabled backend")]
    fn several_pins_are_none() {
        pinned("tokio,smol");
    }
}
