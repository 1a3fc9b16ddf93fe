//! Which backends there are. Every `cfg` on a backend feature is in this file.
//!
//! A backend that is not enabled has stand-ins for its types that have no values (`backend/absent.rs`). So the
//! rest of the facade is written once for four backends, and in the enums the variants of absent ones take no
//! room: with one backend there is neither a tag nor a branch.

use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use anyrt_core::context::{self, Kind};
use anyrt_core::error::NoRuntime;
use anyrt_core::{BuildError, Timer};

#[cfg(not(all(
    feature = "tokio",
    feature = "smol",
    feature = "async-std",
    feature = "glommio"
)))]
#[allow(
    dead_code,
    unused_imports,
    reason = "what is used of it depends on which backends are absent"
)]
pub(crate) mod absent;

#[cfg(feature = "tokio")]
pub(crate) mod tokio {
    #[cfg(feature = "fs")]
    pub(crate) use anyrt_tokio::fs;
    #[cfg(unix)]
    pub(crate) use anyrt_tokio::readiness;
    pub(crate) use anyrt_tokio::runtime::{EnterGuard, Runtime};
    #[cfg(all(unix, feature = "signal"))]
    pub(crate) use anyrt_tokio::signal;
    pub(crate) use anyrt_tokio::{
        KIND, TokioRuntime as Handle, blocking, channel, join_set, net, task, time,
    };
    pub(crate) const ENABLED: bool = true;
}
#[cfg(not(feature = "tokio"))]
pub(crate) use absent as tokio;

#[cfg(feature = "smol")]
pub(crate) mod smol {
    #[cfg(feature = "fs")]
    pub(crate) use anyrt_smol::fs;
    #[cfg(unix)]
    pub(crate) use anyrt_smol::readiness;
    pub(crate) use anyrt_smol::runtime::Runtime;
    pub(crate) use anyrt_smol::{KIND, SmolRuntime as Handle, net, time};
    pub(crate) const ENABLED: bool = true;
    pub(crate) type EnterGuard<'a> = anyrt_core::context::SlotGuard<Handle>;
}
#[cfg(not(feature = "smol"))]
pub(crate) use absent as smol;

#[cfg(feature = "async-std")]
pub(crate) mod async_std {
    #[cfg(feature = "fs")]
    pub(crate) use anyrt_async_std::fs;
    #[cfg(unix)]
    pub(crate) use anyrt_async_std::readiness;
    pub(crate) use anyrt_async_std::runtime::Runtime;
    pub(crate) use anyrt_async_std::{AsyncStdRuntime as Handle, KIND, net, time};
    pub(crate) const ENABLED: bool = true;
    pub(crate) type EnterGuard<'a> = anyrt_core::context::SlotGuard<Handle>;
}
#[cfg(not(feature = "async-std"))]
pub(crate) use absent as async_std;

#[cfg(feature = "glommio")]
pub(crate) mod glommio {
    #[cfg(feature = "fs")]
    pub(crate) use anyrt_glommio::fs;
    pub(crate) use anyrt_glommio::reactor as readiness;
    pub(crate) use anyrt_glommio::runtime::Runtime;
    pub(crate) use anyrt_glommio::{GlommioRuntime as Handle, KIND, net, time};
    pub(crate) const ENABLED: bool = true;
    pub(crate) type EnterGuard<'a> = anyrt_core::context::SlotGuard<Handle>;
}
#[cfg(not(feature = "glommio"))]
pub(crate) use absent as glommio;

/// Handles of the tasks of all backends but Tokio, and sets of them.
#[cfg(any(feature = "smol", feature = "async-std", feature = "glommio"))]
pub(crate) mod core_task {
    pub(crate) use anyrt_kit::executor::{
        TaskAbortHandle as AbortHandle, TaskHandle as JoinHandle,
    };

    pub(crate) type JoinSet<T> = anyrt_core::JoinSet<T, crate::task::JoinHandle<T>>;

    #[cfg(not(all(feature = "smol", feature = "async-std", feature = "glommio")))]
    impl<T> From<super::absent::task::JoinHandle<T>> for JoinHandle<T> {
        fn from(_: super::absent::task::JoinHandle<T>) -> Self {
            super::absent::never()
        }
    }
}
#[cfg(not(any(feature = "smol", feature = "async-std", feature = "glommio")))]
pub(crate) mod core_task {
    pub(crate) use super::absent::join_set::JoinSet;
    pub(crate) use super::absent::task::{AbortHandle, JoinHandle};
}

#[cfg(not(any(feature = "smol", feature = "async-std", feature = "glommio")))]
pub(crate) use absent::{channel as queue, clock};
// Of the kit directly: the channels and the clock of all backends but Tokio, which are the same type for each.
#[cfg(any(feature = "smol", feature = "async-std", feature = "glommio"))]
pub(crate) use anyrt_kit::{queue, time::clock};

/// Sets of local tasks, which need no runtime: Tokio's own if it is there, for every backend then.
#[cfg(feature = "tokio")]
pub(crate) mod local_set {
    pub(crate) use anyrt_tokio::local_set::{
        LocalEnterGuard, LocalSet, is_entered, is_polling, spawn_local,
    };

    pub(crate) fn join<T>(handle: anyrt_tokio::task::JoinHandle<T>) -> crate::task::JoinHandle<T> {
        crate::task::JoinHandle::tokio(handle)
    }
}
#[cfg(all(
    not(feature = "tokio"),
    any(feature = "smol", feature = "async-std", feature = "glommio")
))]
pub(crate) mod local_set {
    pub(crate) use anyrt_kit::executor::local_set::{
        LocalEnterGuard, LocalSet, is_entered, is_polling, spawn_local,
    };

    pub(crate) fn join<T>(handle: super::core_task::JoinHandle<T>) -> crate::task::JoinHandle<T> {
        crate::task::JoinHandle::core(handle)
    }
}
#[cfg(not(any(
    feature = "tokio",
    feature = "smol",
    feature = "async-std",
    feature = "glommio"
)))]
pub(crate) mod local_set {
    pub(crate) use super::absent::local_set::{
        LocalEnterGuard, LocalSet, is_entered, is_polling, spawn_local,
    };

    pub(crate) fn join<T>(handle: super::core_task::JoinHandle<T>) -> crate::task::JoinHandle<T> {
        crate::task::JoinHandle::core(handle)
    }
}

/// A value of one backend.
#[derive(Debug, Clone)]
pub(crate) enum Each<T, S, A, G> {
    Tokio(T),
    Smol(S),
    AsyncStd(A),
    Glommio(G),
}

/// The match: evaluates the expression with the value of whichever backend it is.
macro_rules! each {
    ($value:expr, $backend:pat => $result:expr) => {
        match $value {
            $crate::backend::Each::Tokio($backend) => $result,
            $crate::backend::Each::Smol($backend) => $result,
            $crate::backend::Each::AsyncStd($backend) => $result,
            $crate::backend::Each::Glommio($backend) => $result,
        }
    };
}

/// As [`each!`]; the result is the value of the same backend.
macro_rules! map_each {
    ($value:expr, $backend:pat => $result:expr) => {
        match $value {
            $crate::backend::Each::Tokio($backend) => $crate::backend::Each::Tokio($result),
            $crate::backend::Each::Smol($backend) => $crate::backend::Each::Smol($result),
            $crate::backend::Each::AsyncStd($backend) => $crate::backend::Each::AsyncStd($result),
            $crate::backend::Each::Glommio($backend) => $crate::backend::Each::Glommio($result),
        }
    };
}

/// As [`each!`], after Tokio was dealt with.
macro_rules! each_but_tokio {
    ($value:expr, $backend:pat => $result:expr) => {
        match $value {
            $crate::backend::Each::Tokio(_) => unreachable!("Tokio comes first"),
            $crate::backend::Each::Smol($backend) => $result,
            $crate::backend::Each::AsyncStd($backend) => $result,
            $crate::backend::Each::Glommio($backend) => $result,
        }
    };
}

/// A function for the runtimes but Tokio: out of line where Tokio, which comes first, is enabled beside them.
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

pub(crate) use {beside_tokio, each, each_but_tokio, map_each};

/// One of the runtimes that anyrt knows; each is a feature of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Tokio.
    Tokio,
    /// Smol.
    Smol,
    /// async-std.
    AsyncStd,
    /// Glommio: io_uring, a thread per core.
    Glommio,
}

impl Backend {
    const ALL: [Self; 4] = [Self::Tokio, Self::Smol, Self::AsyncStd, Self::Glommio];

    const ENABLED: &'static [Self] = {
        const COUNT: usize = tokio::ENABLED as usize
            + smol::ENABLED as usize
            + async_std::ENABLED as usize
            + glommio::ENABLED as usize;
        const LIST: [Backend; COUNT] = {
            let mut list = [Backend::Tokio; COUNT];
            let (mut all, mut enabled) = (0, 0);
            while all < Backend::ALL.len() {
                if Backend::ALL[all].is_enabled() {
                    list[enabled] = Backend::ALL[all];
                    enabled += 1;
                }
                all += 1;
            }
            list
        };
        &LIST
    };

    /// The backends that are enabled, by preference: Tokio, Smol, async-std, Glommio.
    pub const fn enabled() -> &'static [Self] {
        Self::ENABLED
    }

    /// Whether the feature of that name is enabled.
    pub const fn is_enabled(self) -> bool {
        match self {
            Self::Tokio => tokio::ENABLED,
            Self::Smol => smol::ENABLED,
            Self::AsyncStd => async_std::ENABLED,
            Self::Glommio => glommio::ENABLED,
        }
    }

    /// The name, as the feature's and in `ANYRT_BACKEND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async-std",
            Self::Glommio => "glommio",
        }
    }

    /// What the environment variable `ANYRT_BACKEND` asks for; `None` when it is unset or empty.
    ///
    /// # Errors
    /// [`BuildError::UnknownBackend`] when no enabled backend has that name; the message lists those that do.
    pub fn from_env() -> Result<Option<Self>, BuildError> {
        match std::env::var_os("ANYRT_BACKEND") {
            Some(name) if !name.is_empty() => name.to_string_lossy().parse().map(Some),
            _ => Ok(None),
        }
    }

    /// What a runtime is built on when nobody says: `ANYRT_BACKEND`, else the first that is enabled.
    pub(crate) fn preferred() -> Result<Self, BuildError> {
        match (Self::from_env()?, Self::ENABLED) {
            (Some(backend), _) | (None, &[backend, ..]) => Ok(backend),
            (None, []) => Err(BuildError::Unavailable {
                backend: "anyrt",
                why: NONE_ENABLED.to_owned(),
            }),
        }
    }

    #[inline]
    fn of_kind(kind: &'static Kind) -> Option<Self> {
        if tokio::ENABLED && kind.is(&tokio::KIND) {
            Some(Self::Tokio)
        } else if smol::ENABLED && kind.is(&smol::KIND) {
            Some(Self::Smol)
        } else if async_std::ENABLED && kind.is(&async_std::KIND) {
            Some(Self::AsyncStd)
        } else if glommio::ENABLED && kind.is(&glommio::KIND) {
            Some(Self::Glommio)
        } else {
            None
        }
    }

    /// The backend whose runtime is current: the one that anyrt entered last on this thread, or one that the
    /// application started by itself.
    #[inline]
    pub(crate) fn current() -> Option<Self> {
        let current = context::current()
            .and_then(Self::of_kind)
            .or_else(Self::of_application)?;
        // Where one is enabled, the compiler need not look which one it is.
        Some(match Self::ENABLED {
            [only] => *only,
            _ => current,
        })
    }

    /// Whether it is Tokio's.
    #[inline]
    pub(crate) fn is_tokio_current() -> bool {
        tokio::ENABLED && Self::current() == Some(Self::Tokio)
    }

    #[cold]
    #[inline(never)]
    fn of_application() -> Option<Self> {
        if tokio::Handle::try_current().is_some() {
            Some(Self::Tokio)
        } else if glommio::Handle::try_current().is_some() {
            Some(Self::Glommio)
        } else {
            None
        }
    }
}

/// The present, by the clock of the current runtime.
#[inline]
pub(crate) fn now() -> Instant {
    if clock::was_any_paused()
        && let Some(now) = virtual_now()
    {
        return now;
    }
    // Tokio remembers by itself whether one of its clocks was paused.
    tokio::time::now()
}

#[cold]
fn virtual_now() -> Option<Instant> {
    match Backend::current()? {
        Backend::Tokio => None,
        Backend::Smol => smol::Handle::with_current(Timer::now),
        Backend::AsyncStd => async_std::Handle::with_current(Timer::now),
        Backend::Glommio => glommio::Handle::with_current(Timer::now),
    }
}

const NONE_ENABLED: &str =
    "no backend is enabled; enable the feature `tokio`, `smol`, `async-std` or `glommio` of anyrt";

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = BuildError;

    /// Takes the name of an enabled backend.
    fn from_str(name: &str) -> Result<Self, BuildError> {
        let known = Self::ENABLED.iter().find(|backend| backend.name() == name);
        known.copied().ok_or_else(|| BuildError::UnknownBackend {
            name: name.to_owned(),
            enabled: match Self::ENABLED {
                [] => "none".to_owned(),
                enabled => names(enabled),
            },
        })
    }
}

fn names(backends: &[Backend]) -> String {
    let names: Vec<_> = backends.iter().map(|backend| backend.name()).collect();
    names.join(", ")
}

/// The error of who needs a current runtime where there is none.
#[cold]
pub(crate) fn no_runtime() -> NoRuntime {
    NoRuntime::new(match Backend::ENABLED {
        [] => NONE_ENABLED.to_owned(),
        enabled => format!(
            "call it inside `anyrt::block_on`, `#[anyrt::main]`, a task, or under `Handle::enter` (enabled: {})",
            names(enabled)
        ),
    })
}

/// What is current, or the panic that says what to do.
#[inline]
#[track_caller]
pub(crate) fn entered<T>(current: Option<T>) -> T {
    match current {
        Some(current) => current,
        None => panic!("{}", no_runtime()),
    }
}

// The attribute `test` asks through these which backends are enabled in this crate, whoever expands it.

#[cfg(feature = "tokio")]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_tokio {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($enabled)* };
}
#[cfg(not(feature = "tokio"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_tokio {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($absent)* };
}

#[cfg(feature = "smol")]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_smol {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($enabled)* };
}
#[cfg(not(feature = "smol"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_smol {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($absent)* };
}

#[cfg(feature = "async-std")]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_async_std {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($enabled)* };
}
#[cfg(not(feature = "async-std"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_async_std {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($absent)* };
}

#[cfg(feature = "glommio")]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_glommio {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($enabled)* };
}
#[cfg(not(feature = "glommio"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_glommio {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($absent)* };
}

#[cfg(any(
    feature = "tokio",
    feature = "smol",
    feature = "async-std",
    feature = "glommio"
))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_any {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($enabled)* };
}
#[cfg(not(any(
    feature = "tokio",
    feature = "smol",
    feature = "async-std",
    feature = "glommio"
)))]
#[doc(hidden)]
#[macro_export]
macro_rules! __if_any {
    ({ $($enabled:tt)* } { $($absent:tt)* }) => { $($absent)* };
}
