//! How a thread of this backend waits; the rest is [`anyrt_async_io`].

use std::future::Future;
use std::thread::LocalKey;
use std::time::Instant;

use anyrt_async_io::reactor;
use anyrt_core::context::{Kind, Slot};
use anyrt_core::executor::Host;

/// async-std, as features and `ANYRT_BACKEND` call it.
pub static KIND: Kind = Kind::new("async-std");

/// A handle to the runtime. It does not keep the runtime alive; its [`Runtime`] does.
pub type AsyncStdRuntime = anyrt_async_io::runtime::Handle<AsyncStd>;

/// Owns the runtime.
pub type Runtime = anyrt_async_io::runtime::Runtime<AsyncStd>;

/// Configures and builds a [`Runtime`].
pub type Builder = anyrt_core::runtime::Builder<Runtime>;

/// Threads that wait in [`async_std::task::block_on`].
#[derive(Debug)]
pub struct AsyncStd;

impl Host for AsyncStd {
    const KIND: &'static Kind = &KIND;

    type Handle = AsyncStdRuntime;

    fn slot() -> &'static LocalKey<Slot<AsyncStdRuntime>> {
        thread_local! {
            static CURRENT: Slot<AsyncStdRuntime> = const { Slot::new() };
        }
        &CURRENT
    }

    const PAUSABLE: bool = true;

    fn alarm(at: Instant) -> impl Future<Output = ()> {
        reactor::alarm(at)
    }

    fn turn() -> impl Future<Output = ()> {
        reactor::turn()
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        async_std::task::block_on(future)
    }
}
