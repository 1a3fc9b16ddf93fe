//! The name of this backend.

use anyrt_core::context::Kind;

/// Names this backend.
pub static KIND: Kind = Kind::new("glommio");
