//! Sets of local tasks, where no backend at all is enabled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::never;
use super::task::JoinHandle;
use crate::backend::no_runtime;
use crate::runtime::Id;

absent!(LocalSet LocalEnterGuard);

impl LocalSet {
    pub(crate) fn id(&self) -> Id {
        never()
    }

    pub(crate) fn enter(&self) -> LocalEnterGuard {
        never()
    }

    pub(crate) fn spawn_local<F: Future>(&self, _: F) -> JoinHandle<F::Output> {
        never()
    }

    pub(crate) async fn run_until<F: Future>(&self, _: F) -> F::Output {
        never()
    }
}

impl Default for LocalSet {
    fn default() -> Self {
        panic!("{}", no_runtime());
    }
}

impl Future for LocalSet {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        never()
    }
}

pub(crate) fn is_entered() -> bool {
    false
}

pub(crate) fn is_polling() -> bool {
    false
}

pub(crate) fn spawn_local<F: Future>(_: F) -> JoinHandle<F::Output> {
    never()
}
