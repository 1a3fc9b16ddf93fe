//! anyrt. The port guide shows it under its own name and under Tokio's, and a package may depend on it only once.

pub use anyrt::*;
