//! The executor of the tasks: the runtime's own, the application's, or the process's.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use anyrt_kit::executor::{self, Started, Tasks};
use async_executor::StaticExecutor;
use futures_lite::future;

/// An executor of the Smol family: that of the runtime, of the application, or of the process.
pub enum Executor<G> {
    /// Runs on the runtime's own threads.
    Own(Own),
    /// The application runs it, and ends it with its last `Arc`.
    Of(Weak<async_executor::Executor<'static>>),
    /// The process's, which never ends.
    Global(PhantomData<fn() -> G>),
}

/// An executor that one runtime uses at a time.
///
/// It is never dropped, because only a static executor keeps no table of its tasks. The kit has
/// such a table, and a second one would cost a quarter of a spawn. As many exist as there were
/// runtimes at the same time.
#[derive(Debug)]
pub struct Own(&'static StaticExecutor);

static FREE: Mutex<Vec<&'static StaticExecutor>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<&'static StaticExecutor>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<G> Executor<G> {
    /// Returns an executor for the threads of a runtime.
    #[must_use]
    pub fn own() -> Self {
        let executor = free().pop();
        Self::Own(Own(
            executor.unwrap_or_else(|| async_executor::Executor::new().leak())
        ))
    }
}

impl Own {
    /// Ends `tasks`, which no thread runs any more, and returns the executor to the list for the
    /// next runtime.
    fn retire(&self, tasks: &Tasks) {
        tasks.close();
        while self.0.try_tick() {}
        // A remaining task could still be woken, and would then run with the tasks of another
        // runtime.
        if tasks.is_empty() {
            free().push(self.0);
        }
    }
}

/// The executor of the process, as a place to spawn tasks.
pub trait Global: Send + Sync + 'static {
    /// Starts a detached task.
    fn spawn<F>(task: F) -> Started<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Waits for `until` while one of its threads blocks in place. Adds a thread for that time, if
    /// the executor can have one more.
    fn relieve<F: Future>(until: F) -> impl Future<Output = F::Output> {
        until
    }
}

/// The executor of the process is unavailable.
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
            Self::Own(Own(executor)) => Started::task(executor.spawn(task)),
            Self::Of(executor) => Started::task(executor.upgrade()?.spawn(task)),
            Self::Global(_) => G::spawn(task),
        })
    }

    async fn run<F: Future>(&self, until: F) -> F::Output {
        match self {
            Self::Own(Own(executor)) => executor.run(until).await,
            Self::Of(executor) => match executor.upgrade() {
                Some(executor) => executor.run(until).await,
                None => until.await,
            },
            // Our thread cannot run its tasks, and gets here only as a substitute.
            Self::Global(_) => G::relieve(until).await,
        }
    }

    async fn run_alone<F: Future>(&self, until: F) -> F::Output {
        /// As many as `run` does before it lets the reactor look for events.
        const IN_A_ROW: usize = 200;

        let Self::Own(Own(executor)) = self else {
            return until.await;
        };
        // `run` takes tasks from the queue to a second one, of 8 kB, from which other threads steal
        // them.
        let tasks = async {
            loop {
                for _ in 0..IN_A_ROW {
                    executor.tick().await;
                }
                future::yield_now().await;
            }
        };
        future::or(until, tasks).await
    }

    fn try_tick(&self) -> bool {
        match self {
            Self::Own(Own(executor)) => executor.try_tick(),
            Self::Of(_) | Self::Global(_) => false,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Own(Own(executor)) => depth(executor),
            Self::Of(executor) => executor.upgrade().map_or(0, |executor| depth(&*executor)),
            Self::Global(_) => 0,
        }
    }

    fn retire(&self, tasks: &Tasks) {
        if let Self::Own(own) = self {
            own.retire(tasks);
        }
    }
}

/// Returns the length of the queue, which async-executor reveals only in its `Debug` output.
fn depth(executor: &impl fmt::Debug) -> usize {
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
    use std::future::pending;
    use std::ptr;
    use std::sync::Arc;

    use anyrt_kit::executor::Executor as _;

    use super::*;

    #[test]
    fn an_executor_goes_to_the_next_runtime_when_its_tasks_have_ended() {
        let executor = Executor::<NoGlobal>::own();
        let Executor::Own(Own(first)) = executor else {
            unreachable!("it is its own");
        };
        let tasks = Tasks::new();
        let held = Arc::new(());
        for polls in 0..2 {
            let held = Arc::clone(&held);
            let future = async move {
                pending::<()>().await;
                drop(held);
            };
            drop(tasks.spawn_hosted(future, None, |task| executor.spawn(task)));
            // One is pending, the other still queued.
            for _ in polls..1 {
                assert!(executor.try_tick());
            }
        }
        executor.retire(&tasks);
        assert_eq!(Arc::strong_count(&held), 1);
        let Executor::Own(Own(second)) = Executor::<NoGlobal>::own() else {
            unreachable!("it is its own");
        };
        assert!(ptr::eq(first, second));
        assert_eq!(depth(second), 0);
    }

    #[test]
    fn an_executor_tells_how_many_tasks_are_queued() {
        let executor = async_executor::Executor::new().leak();
        assert_eq!(depth(executor), 0);
        for _ in 0..12 {
            executor.spawn(async {}).detach();
        }
        assert_eq!(depth(executor), 12);
        while executor.try_tick() {}
        assert_eq!(depth(executor), 0);
    }
}
