//! Re-exports anyrt. The port guide uses it under its own name and under Tokio's, but a package can
//! depend on it only once.

pub use anyrt::*;
