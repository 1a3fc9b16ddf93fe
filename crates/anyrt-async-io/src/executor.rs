//! Whose executor runs the tasks.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Weak;

use anyrt_kit::executor::{self, Started};

/// An executor of the Smol family: that of the runtime, of the application, or of the process.
pub enum Executor<G> {
    /// Runs on the runtime's own threads.
    Own(async_executor::Executor<'static>),
    /// The application runs it, and ends it with its last `Arc`.
    Of(Weak<async_executor::Executor<'static>>),
    /// The process's, which never ends.
    Global(PhantomData<fn() -> G>),
}

/// Spawns tasks in the executor of the process.
pub trait Global: Send + Sync + 'static {
    /// Starts a task that goes on until it is finished.
    fn spawn<F>(task: F) -> Started<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Waits for `until`, while one of its threads blocks in place: another thread takes its place,
    /// if it can have one more.
    fn relieve<F: Future>(until: F) -> impl Future<Output = F::Output> {
        until
    }
}

/// There is no executor of the process.
#[derive(Debug)]
pub enum NoGlobal {}

impl Global for NoGlobal {
    fn spawn<F>(_: F) -> Started<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        unreachable!("it has no handle")
    }
}

impl<G: Global> executor::Executor for Executor<G> {
    #[inline]
    fn spawn<F>(&self, task: F) -> Option<Started<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Some(match self {
            Self::Own(executor) => Started::task(executor.spawn(task)),
            Self::Of(executor) => Started::task(executor.upgrade()?.spawn(task)),
            Self::Global(_) => G::spawn(task),
        })
    }

    async fn run<F: Future>(&self, until: F) -> F::Output {
        match self {
            Self::Own(executor) => executor.run(until).await,
            Self::Of(executor) => match executor.upgrade() {
                Some(executor) => executor.run(until).await,
                None => until.await,
            },
            // A thread of ours cannot run its tasks; it comes here only as a substitute.
            Self::Global(_) => G::relieve(until).await,
        }
    }

    fn try_tick(&self) -> bool {
        match self {
            Self::Own(executor) => executor.try_tick(),
            Self::Of(_) | Self::Global(_) => false,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Own(executor) => depth(executor),
            Self::Of(executor) => executor.upgrade().map_or(0, |executor| depth(&executor)),
            Self::Global(_) => 0,
        }
    }
}

/// async-executor tells the length of its queue in its `Debug` output alone.
fn depth(executor: &async_executor::Executor<'_>) -> usize {
    let text = format!("{executor:?}");
    let number = text
        .split_once("global_tasks: ")
        .and_then(|(_, rest)| rest.split_once([',', ' ', '}']));
    number.map_or(0, |(number, _)| number.parse().unwrap_or(0))
}

impl<G> fmt::Debug for Executor<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own(_) => "Own",
            Self::Of(_) => "Of",
            Self::Global(_) => "Global",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_tells_how_many_tasks_are_queued() {
        let executor = async_executor::Executor::new();
        assert_eq!(depth(&executor), 0);
        for _ in 0..12 {
            executor.spawn(async {}).detach();
        }
        assert_eq!(depth(&executor), 12);
        while executor.try_tick() {}
        assert_eq!(depth(&executor), 0);
    }
}
