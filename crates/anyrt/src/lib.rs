//! Async code written once runs on Tokio, Smol, async-std or Glommio; one feature flag decides.
