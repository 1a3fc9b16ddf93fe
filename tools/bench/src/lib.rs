//! The measured operations: the same ones through the facade, through the traits of the core, and
//! natively.
//!
//! [`subject`] has a module per way and runtime. Each has the same small vocabulary (`Rt`: spawn,
//! join, sleep, …), and the operations (`subject/ops.rs`) are compiled once against each of them
//! from one source text.
#![forbid(unsafe_code)]
#![expect(
    missing_docs,
    missing_debug_implementations,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a benchmark: it has no user but its own commands, and it fails by panicking"
)]
#![expect(
    clippy::clone_on_copy,
    clippy::duplicate_mod,
    clippy::forget_non_drop,
    clippy::unnecessary_mut_passed,
    reason = "one source text of the operations, compiled for each way: what one way must do is idle on another"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is the real time"
)]

pub mod probe;
pub mod row;
pub mod settle;
pub mod subject;
#[cfg(feature = "cli")]
pub mod work;

pub use row::Row;
pub use subject::{Backend, Via};
#[cfg(feature = "cli")]
pub use work::Work;
