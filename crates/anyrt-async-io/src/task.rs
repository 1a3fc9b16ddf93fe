//! Tasks: those of the kit's task layer.

use std::future::Future;

use anyrt_core::{Blocking, LocalSpawner, Spawner};
use anyrt_kit::executor::{TaskHandle, local};

use crate::runtime::{Handle, Host};

impl<H: Host> Spawner for Handle<H> {
    type JoinHandle<T: Send + 'static> = TaskHandle<T>;

    fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.engine().spawn(future)
    }
}

impl<H: Host> LocalSpawner for Handle<H> {
    type LocalJoinHandle<T: 'static> = TaskHandle<T>;

    fn spawn_local<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        local::spawn_local(future)
    }
}

impl<H: Host> Blocking for Handle<H> {
    fn spawn_blocking<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.engine().spawn_blocking(job)
    }
}
