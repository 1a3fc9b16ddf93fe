//! Crates that were written for Tokio, used with anyrt under Tokio's name: see `tests/it`.
