//! Errors that are text.

use std::error::Error;

/// Returns an error with this message.
pub(crate) fn fail(message: impl Into<String>) -> Box<dyn Error> {
    message.into().into()
}
