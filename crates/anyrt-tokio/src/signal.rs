//! Signals, which are Tokio's own.

pub use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens to the signal with that number on the current runtime.
///
/// # Errors
/// Fails if the signal cannot be handled.
///
/// # Panics
/// Panics if no Tokio runtime is current.
#[track_caller]
pub fn listen(number: std::os::raw::c_int) -> std::io::Result<Signal> {
    signal(SignalKind::from_raw(number))
}
