//! The errors of the command.

/// Errors are sentences for the user and name the remedy.
pub(crate) type Result<T> = std::result::Result<T, String>;
