//! anyrt in place of Tokio.
//!
//! An application names this package in `[patch.crates-io]`. Every crate of its tree that asks for
//! Tokio 1.x then gets [`anyrt`] instead, whose paths, signatures and behaviour are Tokio's, and
//! which runs on the backend that the application enables:
//!
//! ```toml
//! [dependencies]
//! tokio = { version = "1", features = ["full", "smol"] }
//!
//! [patch.crates-io]
//! tokio = { path = "…/crates/tokio" }
//! ```
#![forbid(unsafe_code)]

pub use anyrt::*;
