//! Glommio, through the traits.

use anyrt_glommio::fs::{File, from_std};
use anyrt_glommio::{GlommioRuntime as Handle, runtime::Runtime as Owner};

use crate::subject::Backend;

const BACKEND: Backend = Backend::Glommio;

#[path = "generic.rs"]
mod api;
#[path = "ops.rs"]
mod ops;

pub use api::{Host, Rt};
pub use ops::{repeat, run};
