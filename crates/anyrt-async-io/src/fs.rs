//! Files, through the blocking pool of the runtime.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use anyrt_kit::executor::BlockingPool;
use anyrt_kit::fs::{self, Buf, Reply, Request, pool};

use crate::runtime::{Handle, Host};

/// An open file.
pub type File<H> = fs::File<Disk<H>>;

/// Converts a file of std. Its operations run on the blocking pool of the current runtime, or on
/// that of `home` if none is current.
pub fn from_std<H: Host>(std: std::fs::File, home: Option<Handle<H>>) -> File<H> {
    File::new(std, Disk { home })
}

/// Performs the operations of a file on the blocking pool.
pub struct Disk<H: Host> {
    home: Option<Handle<H>>,
}

impl<H: Host> Disk<H> {
    fn with_pool<T>(&self, f: impl FnOnce(&BlockingPool) -> T) -> T {
        let current = Handle::try_current();
        match current.as_ref().or(self.home.as_ref()) {
            Some(runtime) => f(runtime.engine().blocking_pool()),
            None => panic!(
                "no {} runtime: a file that was made outside of one can be used only inside of one",
                H::KIND.name()
            ),
        }
    }
}

impl<H: Host> fs::Disk for Disk<H> {
    type Job = pool::InPool<Reply>;

    fn start(
        &self,
        file: Arc<std::fs::File>,
        request: Request,
        buf: Buf,
    ) -> io::Result<pool::InPool<Reply>> {
        self.with_pool(|pool| pool::start(pool, file, request, buf))
    }

    fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send + Sync {
        self.with_pool(|pool| pool::run(pool, job))
    }

    fn share(&self) -> Self {
        Self {
            home: self.home.clone(),
        }
    }
}

impl<H: Host> fmt::Debug for Disk<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}
