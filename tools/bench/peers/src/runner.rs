//! The runtimes below the peers that start none: everything on one thread, as in the native probes.

use std::future::Future;
use std::time::Duration;

/// After this time a tick is overdue for Tokio, which tolerates 5 ms.
pub(crate) const MOMENT: Duration = Duration::from_millis(20);

/// Runs the body of a measurement at the place where tasks run.
pub(crate) struct Runner {
    #[cfg(feature = "tokio")]
    pub(crate) tokio: tokio::runtime::Runtime,
}

impl Runner {
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(feature = "tokio")]
            tokio: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn run(&self, body: impl Future<Output = ()> + Send + 'static) {
        self.tokio.block_on(body);
    }

    // A task, since `block_on` runs none. `SMOL_THREADS` is 1.
    #[cfg(feature = "smol")]
    pub(crate) fn run(&self, body: impl Future<Output = ()> + Send + 'static) {
        smol::block_on(smol::spawn(body));
    }

    // A task, since `block_on` runs none. `ASYNC_STD_THREAD_COUNT` is 1.
    #[cfg(feature = "async-std")]
    pub(crate) fn run(&self, body: impl Future<Output = ()> + Send + 'static) {
        async_std::task::block_on(async_std::task::spawn(body));
    }
}
