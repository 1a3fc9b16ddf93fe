//! The ways to a runtime, and the operations on each.

use std::fmt;

mod common;

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),* }) => {
        impl $type {
            /// All, in the order of the tables.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in tables and arguments.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Returns the one of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

/// A runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    Tokio,
    Smol,
    AsyncStd,
    Glommio,
}
names!(Backend { Tokio = "tokio", Smol = "smol", AsyncStd = "async-std", Glommio = "glommio" });

impl Backend {
    /// Returns `true` if the operation runs in a task, not in the future of `block_on`: natively
    /// async-std's `block_on` runs no tasks.
    pub const fn body_is_a_task(self) -> bool {
        matches!(self, Self::AsyncStd)
    }
}

/// A way to a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// The runtime's own functions.
    Native,
    /// The traits of `anyrt-core`, with the handle of the backend's crate.
    Generic,
    /// `anyrt::…`
    Facade,
}
names!(Via { Native = "native", Generic = "generic", Facade = "facade" });

// Each of these compiles the one source text of the operations, `subject/ops.rs`, against its own
// `Rt`.
pub mod facade;
#[cfg(feature = "cli")]
pub mod files;
#[cfg(feature = "async-std")]
pub mod generic_async_std;
#[cfg(feature = "glommio")]
pub mod generic_glommio;
#[cfg(feature = "smol")]
pub mod generic_smol;
#[cfg(feature = "tokio")]
pub mod generic_tokio;
#[cfg(feature = "async-std")]
pub mod native_async_std;
#[cfg(feature = "glommio")]
pub mod native_glommio;
#[cfg(feature = "smol")]
pub mod native_smol;
#[cfg(feature = "tokio")]
pub mod native_tokio;
