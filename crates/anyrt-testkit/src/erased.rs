//! Any runtime behind [`ErasedRuntime`], so that every case also runs without a type parameter.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use anyrt_core::context::Kind;
use anyrt_core::runtime::{Config, Owner};
use anyrt_core::{BuildError, ErasedRuntime, FromStd};

/// An owner whose handle is the erased one.
///
/// One type for all backends, so that the cases are compiled once for all of them.
#[derive(Debug)]
pub(crate) struct Erased {
    owner: Box<dyn DynOwner>,
    handle: ErasedRuntime,
}

impl Erased {
    pub(crate) fn new<O: Owner>(owner: O) -> Self
    where
        O::Handle: FromStd,
    {
        Self {
            handle: ErasedRuntime::with_from_std(owner.handle().clone()),
            owner: Box::new(owner),
        }
    }
}

/// The object-safe part of an [`Owner`].
trait DynOwner: fmt::Debug + Send + Sync {
    fn dyn_block_on(&self, future: Pin<&mut dyn Future<Output = ()>>);
    fn dyn_enter(&self, scope: &mut dyn FnMut());
    fn dyn_shutdown_timeout(self: Box<Self>, timeout: Duration);
    fn dyn_shutdown_background(self: Box<Self>);
}

impl<O: Owner> DynOwner for O {
    fn dyn_block_on(&self, future: Pin<&mut dyn Future<Output = ()>>) {
        self.block_on(future);
    }

    fn dyn_enter(&self, scope: &mut dyn FnMut()) {
        self.enter(scope);
    }

    fn dyn_shutdown_timeout(self: Box<Self>, timeout: Duration) {
        self.shutdown_timeout(timeout);
    }

    fn dyn_shutdown_background(self: Box<Self>) {
        self.shutdown_background();
    }
}

static KIND: Kind = Kind::new("erased");

impl Owner for Erased {
    type Handle = ErasedRuntime;

    const KIND: &'static Kind = &KIND;

    fn build(_: &Config) -> Result<Self, BuildError> {
        Err(BuildError::Unavailable {
            backend: KIND.name(),
            why: "which runtime is to be erased?".to_owned(),
        })
    }

    fn handle(&self) -> &ErasedRuntime {
        &self.handle
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut output = None;
        {
            let future = pin!(async { output = Some(future.await) });
            self.owner.dyn_block_on(future);
        }
        match output {
            Some(output) => output,
            None => unreachable!("block_on returned before the future was ready"),
        }
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let (mut scope, mut output) = (Some(scope), None);
        self.owner
            .dyn_enter(&mut || output = scope.take().map(|scope| scope()));
        match output {
            Some(output) => output,
            None => unreachable!("enter did not run its scope"),
        }
    }

    fn shutdown_timeout(self, timeout: Duration) {
        self.owner.dyn_shutdown_timeout(timeout);
    }

    fn shutdown_background(self) {
        self.owner.dyn_shutdown_background();
    }
}
