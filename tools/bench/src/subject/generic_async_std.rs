//! async-std, through the traits.

use anyrt_async_std::fs::{File, from_std};
use anyrt_async_std::{AsyncStdRuntime as Handle, runtime::Runtime as Owner};

use crate::subject::Backend;

const BACKEND: Backend = Backend::AsyncStd;

#[path = "generic.rs"]
mod api;
#[path = "ops.rs"]
mod ops;

pub use api::{Host, Rt};
pub use ops::{repeat, run};
