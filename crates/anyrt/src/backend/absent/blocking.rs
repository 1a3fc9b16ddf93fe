//! Blocking jobs.

use super::never;
use super::task::JoinHandle;

pub(crate) fn spawn_blocking<T>(_: impl FnOnce() -> T) -> JoinHandle<T> {
    never()
}

pub(crate) fn block_in_place<T>(_: impl FnOnce() -> T) -> T {
    never()
}
