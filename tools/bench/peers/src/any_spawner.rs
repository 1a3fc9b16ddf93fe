//! any_spawner: a global function that spawns. It returns no handle, so a join is a channel that
//! the task sends on.

use std::future::Future;
use std::ops::Deref;

use any_spawner::Executor;
use anyrt_bench::{Backend, Row};
use futures_channel::oneshot::{self, Receiver};

use crate::absent::{Absent, absent};
use crate::runner::Runner;

#[path = "../../src/subject/ops.rs"]
pub(crate) mod ops;

pub(crate) const LACKS: &[Row] = &[];

#[derive(Clone, Copy)]
pub(crate) struct Rt;

impl Deref for Rt {
    type Target = Absent;

    fn deref(&self) -> &Absent {
        &Absent
    }
}

pub(crate) struct Host(Runner);

/// Nothing runs its own executor of `async-executor`.
#[cfg(feature = "smol")]
struct Smol;

#[cfg(feature = "smol")]
impl any_spawner::CustomExecutor for Smol {
    fn spawn(&self, future: any_spawner::PinnedFuture<()>) {
        smol::spawn(future).detach();
    }

    fn spawn_local(&self, _: any_spawner::PinnedLocalFuture<()>) {
        absent()
    }

    fn poll_local(&self) {}
}

impl Host {
    pub(crate) fn new(_: Backend) -> Self {
        #[cfg(feature = "tokio")]
        Executor::init_tokio().unwrap();
        #[cfg(feature = "smol")]
        Executor::init_custom_executor(Smol).unwrap();
        Self(Runner::new())
    }

    pub(crate) fn run<F>(&self, body: impl FnOnce(Rt) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.run(body(Rt));
    }

    pub(crate) fn block_on_ready(&self) {
        absent()
    }
}

impl Rt {
    pub(crate) fn spawn<F>(&self, future: F) -> Receiver<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        Executor::spawn(async move {
            let _ = sender.send(future.await);
        });
        receiver
    }

    pub(crate) async fn join<T>(&self, task: Receiver<T>) -> T {
        task.await.unwrap()
    }

    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        Executor::spawn(future);
    }
}
