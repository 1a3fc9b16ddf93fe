//! The attribute macros of anyrt.
