//! The system's signals: Tokio's own.

pub use tokio::signal::unix::{Signal, SignalKind, signal};
