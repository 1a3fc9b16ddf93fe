//! The Smol backend of anyrt.
