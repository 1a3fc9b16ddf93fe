//! The same runtime behind [`ErasedRuntime`], so that every case also runs without a type parameter.

use std::future::Future;
use std::time::Duration;

use anyrt_core::context::Kind;
use anyrt_core::runtime::{Config, Owner};
use anyrt_core::{BuildError, ErasedRuntime};

/// An owner whose handle is the erased one.
#[derive(Debug)]
pub(crate) struct Erased<O> {
    owner: O,
    handle: ErasedRuntime,
}

impl<O: Owner> Owner for Erased<O> {
    type Handle = ErasedRuntime;

    const KIND: &'static Kind = O::KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        let owner = O::build(config)?;
        let handle = ErasedRuntime::new(owner.handle().clone());
        Ok(Self { owner, handle })
    }

    fn handle(&self) -> &ErasedRuntime {
        &self.handle
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.owner.block_on(future)
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        self.owner.enter(scope)
    }

    fn shutdown_timeout(self, timeout: Duration) {
        self.owner.shutdown_timeout(timeout);
    }

    fn shutdown_background(self) {
        self.owner.shutdown_background();
    }
}
