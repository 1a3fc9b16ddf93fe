//! Signals, which are Tokio's own.

pub use tokio::signal::unix::{Signal, SignalKind, signal};
