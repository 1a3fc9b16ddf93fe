//! Spawning: on a shard, on this thread, and on the blocking thread pool.

use std::future::Future;

use anyrt_core::{Blocking, LocalSpawner, Spawner};
use anyrt_kit::executor::{TaskHandle, local, local_set};

use crate::handle::GlommioRuntime;
use crate::shard;

/// A task stays on the shard that it was placed on; see the crate's documentation for the rule.
impl Spawner for GlommioRuntime {
    type JoinHandle<T: Send + 'static> = TaskHandle<T>;

    fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.place().spawn(future)
    }
}

/// Inside `block_on`, and in the tasks that it runs, local tasks run with its future. On a shard of
/// any Glommio runtime they run on that shard.
impl LocalSpawner for GlommioRuntime {
    type LocalJoinHandle<T: 'static> = TaskHandle<T>;

    fn spawn_local<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if local_set::is_entered() {
            return local_set::spawn_local(future);
        }
        if local::is_open() {
            return local::spawn_local(future);
        }
        let mut future = Some(future);
        let on_shard = shard::with_current(|shard| future.take().map(|f| shard.spawn_local(f)));
        match (on_shard.flatten(), future) {
            (Some(handle), _) => handle,
            (None, Some(future)) => local::spawn_local(future),
            (None, None) => unreachable!("a future that was taken became a task"),
        }
    }
}

impl Blocking for GlommioRuntime {
    fn spawn_blocking<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // Without an owner, a queued job keeps its runtime alive, which is to be current in it.
        let kept = self.is_adopted().then(|| self.clone());
        self.blocking().spawn(move || {
            let _kept = kept;
            job()
        })
    }
}
