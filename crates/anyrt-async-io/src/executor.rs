//! The executor of the tasks: the runtime's own, or one that the application runs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use anyrt_kit::executor::{self, Started, Tasks};
use async_executor::StaticExecutor;
use futures_lite::future;

/// An executor of the Smol family.
pub enum Executor {
    /// Runs on the runtime's own threads.
    Own(Own),
    /// Runs on threads of the application.
    Foreign(Box<dyn Foreign>),
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

impl Executor {
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

/// An executor that the application runs: one of its own, or that of the process.
///
/// Its tasks are erased. Otherwise every program would contain a second copy of each task, for an
/// executor that most do not have.
pub trait Foreign: Send + Sync + 'static {
    /// Starts `task`, detached. Drops it if the executor is gone.
    fn spawn(&self, task: ErasedTask);

    /// Waits for `until` on a thread of ours, while a thread of the executor blocks in place. Runs
    /// its tasks meanwhile, or adds a thread for that time, if the executor can have one more.
    fn relieve<'a>(&'a self, until: ErasedEnd<'a>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(until)
    }

    /// Returns the number of queued tasks, as far as it is known.
    fn depth(&self) -> usize {
        0
    }
}

/// A task for an executor of the application.
pub type ErasedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future at whose end a thread stops running tasks.
pub type ErasedEnd<'a> = Pin<&'a mut dyn Future<Output = ()>>;

impl Foreign for Weak<async_executor::Executor<'static>> {
    fn spawn(&self, task: ErasedTask) {
        if let Some(executor) = self.upgrade() {
            executor.spawn(task).detach();
        }
    }

    fn relieve<'a>(&'a self, until: ErasedEnd<'a>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
        Box::pin(async move {
            match self.upgrade() {
                Some(executor) => executor.run(until).await,
                None => until.await,
            }
        })
    }

    fn depth(&self) -> usize {
        self.upgrade().map_or(0, |executor| depth(&*executor))
    }
}

impl executor::Executor for Executor {
    #[inline]
    fn spawn<F>(&self, task: F) -> Option<Started<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Some(match self {
            Self::Own(Own(executor)) => Started::task(executor.spawn(task)),
            Self::Foreign(executor) => {
                let (task, started) = Started::slot(task);
                executor.spawn(Box::pin(task));
                started
            }
        })
    }

    async fn run(&self, until: ErasedEnd<'_>) {
        match self {
            Self::Own(Own(executor)) => executor.run(until).await,
            // Our threads get here only as substitutes.
            Self::Foreign(executor) => executor.relieve(until).await,
        }
    }

    async fn run_alone(&self, until: ErasedEnd<'_>) {
        /// The number of tasks that run before `until` is polled again and the reactor looks for
        /// events. Tokio's number: with less than half of the budget, `until` can consume what
        /// they send.
        const IN_A_ROW: usize = 61;

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
        future::or(until, tasks).await;
    }

    fn try_tick(&self) -> bool {
        match self {
            Self::Own(Own(executor)) => executor.try_tick(),
            Self::Foreign(_) => false,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Own(Own(executor)) => depth(executor),
            Self::Foreign(executor) => executor.depth(),
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

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own(_) => "Own",
            Self::Foreign(_) => "Foreign",
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
        let executor = Executor::own();
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
        let Executor::Own(Own(second)) = Executor::own() else {
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
