//! The common part of the suites: foreign tests, each in a separate process, and the list of known
//! differences.

pub mod different;
pub mod run;

/// Errors are printed for a person.
pub type Result<T> = std::result::Result<T, String>;
