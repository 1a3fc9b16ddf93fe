//! async_executors: values that spawn. A task that is aborted cannot be waited for.

use std::future::Future;
use std::ops::Deref;
use std::time::Duration;

use anyrt_bench::{Backend, Row};
#[cfg(feature = "async-std")]
use async_executors::AsyncStd as Executor;
#[cfg(feature = "tokio")]
use async_executors::TokioCt as Executor;
use async_executors::{
    BlockingHandle, JoinHandle, SpawnBlocking, SpawnHandleExt, Timer, TimerExt, YieldNow,
    YieldNowFut,
};
use futures_util::future::BoxFuture;

use crate::absent::Absent;
use crate::runner::Runner;

#[path = "../../src/subject/ops.rs"]
pub(crate) mod ops;

pub(crate) const LACKS: &[Row] = &[];

#[cfg(feature = "tokio")]
thread_local! {
    // The executor stays on its thread; tasks that spawn do not.
    static EXECUTOR: std::cell::Cell<Option<&'static Executor>> = const { std::cell::Cell::new(None) };
}

#[cfg(feature = "tokio")]
fn executor() -> &'static Executor {
    EXECUTOR.get().unwrap()
}

#[cfg(feature = "async-std")]
fn executor() -> Executor {
    Executor::new()
}

#[derive(Clone, Copy)]
pub(crate) struct Rt;

impl Deref for Rt {
    type Target = Absent;

    fn deref(&self) -> &Absent {
        &Absent
    }
}

pub(crate) struct Host(Runner);

impl Host {
    pub(crate) fn new(_: Backend) -> Self {
        let runner = Runner::new();
        #[cfg(feature = "tokio")]
        {
            let executor = Executor::try_from(runner.tokio.handle().clone()).unwrap();
            EXECUTOR.set(Some(Box::leak(Box::new(executor))));
        }
        Self(runner)
    }

    pub(crate) fn run<F>(&self, body: impl FnOnce(Rt) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.run(body(Rt));
    }

    pub(crate) fn block_on_ready(&self) {
        #[cfg(feature = "tokio")]
        executor().block_on(std::future::ready(()));
        #[cfg(feature = "async-std")]
        Executor::block_on(std::future::ready(()));
    }
}

impl Rt {
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        executor().spawn_handle(future).unwrap()
    }

    pub(crate) async fn join<T: 'static>(&self, task: JoinHandle<T>) -> T {
        task.await
    }

    pub(crate) fn spawn_detached(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn(future).detach();
    }

    pub(crate) fn yield_now(&self) -> YieldNowFut {
        executor().yield_now()
    }

    pub(crate) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        executor().sleep(duration)
    }

    pub(crate) async fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Option<F::Output> {
        executor().timeout(duration, future).await.ok()
    }

    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> BlockingHandle<T> {
        executor().spawn_blocking(job)
    }

    pub(crate) async fn join_blocking<T: 'static>(&self, task: BlockingHandle<T>) -> T {
        task.await
    }
}
