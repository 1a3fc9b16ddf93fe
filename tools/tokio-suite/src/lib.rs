//! What the suites share: tests of others, each in a process of its own, and what is known to differ.

pub mod different;
pub mod run;

/// What goes wrong here is told to a person at once.
pub type Result<T> = std::result::Result<T, String>;
