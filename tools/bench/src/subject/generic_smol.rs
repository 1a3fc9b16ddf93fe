//! Smol, through the traits.

use anyrt_smol::fs::{File, from_std};
use anyrt_smol::{SmolRuntime as Handle, runtime::Runtime as Owner};

use crate::subject::Backend;

const BACKEND: Backend = Backend::Smol;

#[path = "generic.rs"]
mod api;
#[path = "ops.rs"]
mod ops;

pub use api::{Host, Rt};
pub use ops::{repeat, run};
