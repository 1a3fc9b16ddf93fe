//! Stands in for a set of tasks that one backend alone has.

use std::task::{Context, Poll};

use anyrt_core::JoinError;
use anyrt_core::task::Id;

use super::never;
use super::runtime::Handle;
use super::task::AbortHandle;

absent!(JoinSet<T>);

impl<T> JoinSet<T> {
    pub(crate) fn len(&self) -> usize {
        never()
    }

    pub(crate) fn is_empty(&self) -> bool {
        never()
    }

    pub(crate) fn insert(&mut self, _: crate::task::JoinHandle<T>) -> crate::task::AbortHandle {
        never()
    }

    pub(crate) fn spawn<F>(&mut self, _: F) -> AbortHandle {
        never()
    }

    pub(crate) fn spawn_on<F>(&mut self, _: F, _: &Handle) -> AbortHandle {
        never()
    }

    pub(crate) fn spawn_local<F>(&mut self, _: F) -> AbortHandle {
        never()
    }

    pub(crate) fn spawn_local_on<F, S>(&mut self, _: F, _: &S) -> AbortHandle {
        never()
    }

    pub(crate) fn spawn_blocking<F>(&mut self, _: F) -> AbortHandle {
        never()
    }

    pub(crate) fn spawn_blocking_on<F>(&mut self, _: F, _: &Handle) -> AbortHandle {
        never()
    }

    pub(crate) fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        never()
    }

    pub(crate) fn poll_join_next(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<T, JoinError>>> {
        never()
    }

    pub(crate) fn poll_join_next_with_id(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        never()
    }

    pub(crate) fn abort_all(&mut self) {
        never()
    }

    pub(crate) fn detach_all(&mut self) {
        never()
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        never()
    }
}
