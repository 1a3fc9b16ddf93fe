//! Runtimes and their handles.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::time::Duration;

use anyrt_core::BuildError;
use anyrt_core::context::Kind;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, Owner, WorkerStats};

use super::{Infallible, never};
use crate::backend::clock::Clock;

absent!(Handle Runtime);

#[derive(Debug)]
pub(crate) struct EnterGuard<'a>(Infallible, PhantomData<MutexGuard<'a, ()>>);

impl Handle {
    pub(crate) fn try_current() -> Option<Self> {
        None
    }

    pub(crate) fn with_current<T>(_: impl FnOnce(&Self) -> T) -> Option<T> {
        None
    }

    pub(crate) fn block_in_place<T>(&self, _: impl FnOnce() -> T) -> T {
        never()
    }

    pub(crate) fn name(&self) -> Option<&str> {
        never()
    }

    pub(crate) fn clock(&self) -> Option<&Arc<Clock>> {
        never()
    }

    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        never()
    }

    pub(crate) fn block_on<F: Future>(&self, _: F) -> F::Output {
        never()
    }
}

impl Metrics for Handle {
    fn id(&self) -> Id {
        never()
    }

    fn flavor(&self) -> Flavor {
        never()
    }

    fn num_workers(&self) -> usize {
        never()
    }

    fn worker_index(&self) -> Option<usize> {
        never()
    }

    fn num_alive_tasks(&self) -> usize {
        never()
    }

    fn global_queue_depth(&self) -> usize {
        never()
    }

    fn worker(&self, _: usize) -> WorkerStats {
        never()
    }

    fn blocking(&self) -> Option<BlockingStats> {
        never()
    }
}

impl Owner for Runtime {
    type Handle = Handle;

    const KIND: &'static Kind = &super::KIND;

    fn build(_: &Config) -> Result<Self, BuildError> {
        never()
    }

    fn handle(&self) -> &Handle {
        never()
    }

    fn block_on<F: Future>(&self, _: F) -> F::Output {
        never()
    }

    fn enter<T>(&self, _: impl FnOnce() -> T) -> T {
        never()
    }

    fn shutdown_timeout(self, _: Duration) {
        never()
    }
}
