//! Where the body of a measurement runs: on the thread that runs the tasks, so that there is only one.

use std::future::Future;

use anyrt_core::runtime::Owner;

/// In `block_on`.
#[allow(dead_code, reason = "unused where Glommio alone is enabled")]
pub(crate) fn root<O, F>(owner: &O, make: impl FnOnce() -> F + Send + 'static)
where
    O: Owner,
    F: Future<Output = ()> + 'static,
{
    owner.block_on(make());
}

/// In a task of the shard, since `block_on` makes no shard of its thread.
#[cfg(feature = "glommio")]
pub(crate) fn shard<F>(
    owner: &anyrt_glommio::runtime::Runtime,
    make: impl FnOnce() -> F + Send + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    use anyrt_core::{LocalSpawner, Spawner};

    let rt = owner.handle().clone();
    let placed = owner
        .handle()
        .spawn(async move { rt.spawn_local(make()).await.unwrap() });
    owner.block_on(placed).unwrap();
}
