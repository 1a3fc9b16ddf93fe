//! The executor that runs the tasks, and how a thread waits. The rest is in [`anyrt_async_io`].

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::thread::LocalKey;
use std::time::Instant;

use anyrt_async_io::executor::Executor;
use anyrt_async_io::reactor::{self, Reactor};
use anyrt_async_io::runtime;
use anyrt_core::context::{Kind, Slot};
use anyrt_core::runtime::Config;
use anyrt_kit::executor::{Host, Tasks};

/// The name of the backend in features and `ANYRT_BACKEND`.
pub static KIND: Kind = Kind::new("smol");

/// A handle to the runtime. It does not keep the runtime alive; its [`Runtime`] does.
///
/// # Examples
/// ```
/// use anyrt_core::{Runtime, Spawner, Timer};
/// use anyrt_smol::SmolRuntime;
/// use std::{sync::Arc, time::Duration};
///
/// /// A library that knows no runtime by name.
/// async fn library<R: Runtime>(rt: R) -> u32 {
///     rt.sleep(Duration::from_millis(1)).await;
///     rt.spawn(async { 7 }).await.unwrap()
/// }
///
/// // The application's own executor.
/// let executor = Arc::new(async_executor::Executor::new());
/// let rt = SmolRuntime::on(Arc::clone(&executor));
/// assert_eq!(async_io::block_on(executor.run(library(rt))), 7);
/// ```
pub type SmolRuntime = runtime::Handle<Smol>;

/// An owned runtime: its threads and its tasks.
pub type Runtime = runtime::Runtime<Smol>;

/// Configures and builds a [`Runtime`].
///
/// # Examples
/// ```
/// use anyrt_core::{Spawner, runtime::Owner};
/// use anyrt_smol::runtime::Builder;
///
/// let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("ingest").build()?;
/// let task = runtime.handle().spawn(async { std::thread::current().name().map(str::to_owned) });
/// assert_eq!(runtime.block_on(task).unwrap().as_deref(), Some("ingest"));
/// # Ok::<(), anyrt_core::BuildError>(())
/// ```
pub type Builder = anyrt_core::runtime::Builder<Runtime>;

/// Threads that run a `smol::Executor` inside [`async_io::block_on`].
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

    type Executor = Executor;

    fn executor() -> Executor {
        Executor::own()
    }

    type Reactor = Arc<Reactor>;

    fn reactor(_: &Config, tasks: &Arc<Tasks>) -> io::Result<Arc<Reactor>> {
        Reactor::new(tasks)
    }

    fn end(reactor: &Arc<Reactor>) {
        reactor.end();
    }

    const PAUSABLE: bool = true;

    fn alarm(at: Instant) -> impl Future<Output = ()> {
        reactor::alarm(at)
    }

    fn delivered() -> impl Future<Output = ()> {
        reactor::delivered()
    }

    fn block_on(future: Pin<&mut dyn Future<Output = ()>>) {
        async_io::block_on(future);
    }
}

impl runtime::Host for Smol {
    fn process_default() -> &'static OnceLock<SmolRuntime> {
        static DEFAULT: OnceLock<SmolRuntime> = OnceLock::new();
        &DEFAULT
    }
}

#[cfg(feature = "global")]
impl runtime::HasGlobal for Smol {
    fn global_executor() -> Box<dyn anyrt_async_io::executor::Foreign> {
        struct BySmol;
        impl anyrt_async_io::executor::Foreign for BySmol {
            fn spawn(&self, task: anyrt_async_io::executor::ErasedTask) {
                smol::spawn(task).detach();
            }
        }
        Box::new(BySmol)
    }

    fn global_runtime() -> &'static OnceLock<SmolRuntime> {
        static GLOBAL: OnceLock<SmolRuntime> = OnceLock::new();
        &GLOBAL
    }
}
