//! Locks and atomics of modelled code: those of std, or of loom in the models
//! (`scripts/check loom`).

pub(crate) use std::sync::PoisonError;

#[cfg(anyrt_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(anyrt_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
