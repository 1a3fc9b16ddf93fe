//! The Glommio backend of anyrt: io_uring, one thread per core.
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "anyrt's Glommio backend needs Linux (io_uring): do not enable the feature `glommio` for this target"
);

pub mod net;
pub mod reactor;
pub mod runtime;
mod shard;
mod sys;
pub mod task;
pub mod time;

pub use runtime::{GlommioRuntime, KIND};
pub use sys::is_available;
