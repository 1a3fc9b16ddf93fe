//! The code of the port guide, compiled and run as documentation tests; `tokio` in it is anyrt.

// The Chinese page has the same code, which tests/book.rs checks.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/en/porting.md")]
pub mod porting {}
