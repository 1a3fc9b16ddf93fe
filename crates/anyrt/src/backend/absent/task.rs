//! Tasks.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::task::{Id, LocalSpawner, Spawner};
use anyrt_core::{Blocking, JoinError};

use super::{Handle, never};

absent!(AbortHandle JoinHandle<T>);

pub(crate) fn try_id() -> Option<Id> {
    None
}

pub(crate) fn spawn<F: Future>(_: F) -> JoinHandle<F::Output> {
    never()
}

pub(crate) fn spawn_local<F: Future>(_: F) -> JoinHandle<F::Output> {
    never()
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        never()
    }
}

impl<T> anyrt_core::JoinHandle<T> for JoinHandle<T> {
    type AbortHandle = AbortHandle;

    fn abort(&self) {
        never()
    }

    fn is_finished(&self) -> bool {
        never()
    }

    fn id(&self) -> Id {
        never()
    }

    fn abort_handle(&self) -> AbortHandle {
        never()
    }
}

impl anyrt_core::AbortHandle for AbortHandle {
    fn abort(&self) {
        never()
    }

    fn is_finished(&self) -> bool {
        never()
    }

    fn id(&self) -> Id {
        never()
    }
}

impl Spawner for Handle {
    type JoinHandle<T: Send + 'static> = JoinHandle<T>;

    fn spawn<F>(&self, _: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        never()
    }
}

impl LocalSpawner for Handle {
    type LocalJoinHandle<T: 'static> = JoinHandle<T>;

    fn spawn_local<F>(&self, _: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        never()
    }
}

impl Blocking for Handle {
    fn spawn_blocking<F, T>(&self, _: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        never()
    }
}
