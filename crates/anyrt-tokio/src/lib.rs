//! The Tokio backend of anyrt.
