//! How a thread of this backend waits; the rest is [`anyrt_async_io`].

use std::future::Future;
use std::thread::LocalKey;
use std::time::Instant;

use anyrt_async_io::reactor;
use anyrt_core::context::{Kind, Slot};
use anyrt_core::executor::Host;

/// Smol, as features and `ANYRT_BACKEND` call it.
pub static KIND: Kind = Kind::new("smol");

/// A handle to the runtime. It does not keep the runtime alive; its [`Runtime`] does.
pub type SmolRuntime = anyrt_async_io::runtime::Handle<Smol>;

/// Owns the runtime.
pub type Runtime = anyrt_async_io::runtime::Runtime<Smol>;

/// Configures and builds a [`Runtime`].
pub type Builder = anyrt_core::runtime::Builder<Runtime>;

/// Threads that wait in [`async_io::block_on`].
#[derive(Debug)]
pub struct Smol;

impl Host for Smol {
    const KIND: &'static Kind = &KIND;

    type Handle = SmolRuntime;

    fn slot() -> &'static LocalKey<Slot<SmolRuntime>> {
        thread_local! {
            static CURRENT: Slot<SmolRuntime> = const { Slot::new() };
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
        async_io::block_on(future)
    }
}
