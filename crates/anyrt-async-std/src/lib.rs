//! The async-std backend of anyrt.
