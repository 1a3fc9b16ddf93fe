//! Channels, locks and signals between tasks: Tokio's own, on every backend, and [`CancellationToken`].

#[doc(inline)]
pub use anyrt_core::CancellationToken;
#[doc(no_inline)]
pub use tokio::sync::*;
