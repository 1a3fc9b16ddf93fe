//! How a thread of this backend waits; the rest is [`anyrt_async_io`].

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::LocalKey;
use std::time::Instant;

use anyrt_async_io::reactor::{self, Reactor};
use anyrt_core::context::{Kind, Slot};
use anyrt_core::runtime::Config;
use anyrt_kit::executor::{Host, Role, Turns};

/// async-std, as features and `ANYRT_BACKEND` call it.
pub static KIND: Kind = Kind::new("async-std");

/// A handle to the runtime. It does not keep the runtime alive; its [`Runtime`] does.
pub type AsyncStdRuntime = anyrt_async_io::runtime::Handle<AsyncStd>;

/// Owns the runtime.
pub type Runtime = anyrt_async_io::runtime::Runtime<AsyncStd>;

/// Configures and builds a [`Runtime`].
pub type Builder = anyrt_core::runtime::Builder<Runtime>;

/// Workers that are inside [`async_std::task::block_on`] and wait in a [`Reactor`] of the runtime.
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

    type Reactor = Arc<Reactor>;

    fn reactor(_: &Config) -> io::Result<Arc<Reactor>> {
        Reactor::new()
    }

    const TURNS: Turns = reactor::TURNS;

    fn end(reactor: &Arc<Reactor>) {
        reactor.end();
    }

    const PAUSABLE: bool = true;

    fn alarm(reactor: &Arc<Reactor>, at: Instant) -> impl Future<Output = ()> {
        reactor::alarm(reactor, at)
    }

    fn turn(reactor: &Arc<Reactor>) -> impl Future<Output = ()> {
        reactor::turn(reactor)
    }

    fn block_on<F: Future>(reactor: &Arc<Reactor>, role: Role, future: F) -> F::Output {
        // For what asks async-std about its task; the thread waits in the reactor, and never in there.
        async_std::task::block_on(async { reactor::block_on(reactor, role, future) })
    }
}
