//! Tokio, through the traits.

use anyrt_tokio::fs::{File, from_std};
use anyrt_tokio::{TokioRuntime as Handle, runtime::Runtime as Owner};

use crate::subject::Backend;

const BACKEND: Backend = Backend::Tokio;

#[path = "generic.rs"]
mod api;
#[path = "ops.rs"]
mod ops;

pub use api::{Host, Rt};
pub use ops::{repeat, run};
