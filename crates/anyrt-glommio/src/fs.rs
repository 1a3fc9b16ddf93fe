//! Files: reads go through io_uring, everything else through the blocking pool.
//!
//! A [`File`] is `Send` and may be polled on any thread. Its operations are sent to a service on
//! one shard, where Glommio's file lives, and the replies come back. An operation that the shard
//! has accepted is executed before the shard ends, even if the file or the future is dropped.
//!
//! # What goes through the ring
//! Reads of regular files on local file systems that were opened read-only. Glommio's file is
//! opened in addition to the given one, through `/proc/self/fd`, because there is no safe way to
//! pass it a descriptor. So a file in the ring has two descriptors, and closing the second one also
//! releases locks of fcntl(2). The cursor is that of the first: [`File::try_clone`] shares it, and
//! so does a descriptor that is created from the file later, though its operations are not ordered
//! with the ring's.
//!
//! Everything else goes through the pool, with the same result: files that can be written, because
//! a second descriptor that is open for writing is visible outside (a program that was just written
//! could not be started), and because a position in the ring is not the cursor, which a child
//! process may share; files that were opened elsewhere; pipes, devices, `/proc`, FUSE and network
//! file systems; direct I/O; files that cannot be opened a second time (without `/proc`, or after a
//! change of permissions); and all operations on names and metadata.

mod ring;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use anyrt_core::blocking::failed;
use anyrt_core::coop;
use anyrt_kit::executor::BlockingPool;
use anyrt_kit::fs::{self, Buf, Reply, Request, pool};
use futures_channel::oneshot;

use crate::handle::GlommioRuntime;
use ring::Ring;

/// An open file.
pub type File = fs::File<Disk>;

/// Converts a file of std. Its operations run on the current Glommio runtime, or on `home` if there
/// is none. Its cursor may be shared with other descriptors, so all operations go through the pool.
pub fn from_std(std: std::fs::File, home: Option<GlommioRuntime>) -> File {
    new(std, home, Route::Pool)
}

/// Like [`from_std`], for a file that was just opened: its cursor is not shared.
pub fn opened(std: std::fs::File, home: Option<GlommioRuntime>) -> File {
    new(std, home, Route::Unknown)
}

fn new(std: std::fs::File, home: Option<GlommioRuntime>, route: Route) -> File {
    let route = Arc::new(Mutex::new(route));
    File::new(std, Disk { home, route })
}

/// Executes the operations of a file.
pub struct Disk {
    home: Option<GlommioRuntime>,
    /// Shared by all handles with the same cursor.
    route: Arc<Mutex<Route>>,
}

enum Route {
    /// No operation has been started yet.
    Unknown,
    Pool,
    Ring(Ring),
}

impl Disk {
    fn with_runtime<T>(&self, f: impl FnOnce(&GlommioRuntime) -> T) -> T {
        let current = GlommioRuntime::try_current();
        match current.as_ref().or(self.home.as_ref()) {
            Some(runtime) => f(runtime),
            None => panic!(
                "no glommio runtime: a file that was made outside of one can be used only inside of one"
            ),
        }
    }

    fn with_pool<T>(&self, f: impl FnOnce(&BlockingPool) -> T) -> T {
        self.with_runtime(|runtime| f(runtime.blocking()))
    }
}

impl fs::Disk for Disk {
    type Job = Job;

    fn start(&self, file: Arc<std::fs::File>, request: Request, mut buf: Buf) -> io::Result<Job> {
        let mut route = self.route.lock().unwrap_or_else(PoisonError::into_inner);
        if let Route::Unknown = *route {
            let in_ring = self.with_runtime(GlommioRuntime::has_own_rings) && ring::takes(&file);
            *route = match in_ring {
                false => Route::Pool,
                true => Route::Ring(self.with_runtime(Ring::new).ok_or_else(failed)?),
            };
        }
        let Route::Ring(ring) = &mut *route else {
            let job = self.with_pool(|pool| pool::start(pool, file, request, buf))?;
            return Ok(Job(Way::Pool(job)));
        };
        match ring.send(Arc::clone(&file), request, buf) {
            Ok(reply) => return Ok(Job(Way::Ring(reply))),
            Err(refused) => buf = refused,
        }
        // Its shard has ended. The file continues to work in another runtime.
        if !self.with_runtime(GlommioRuntime::has_own_rings) {
            *route = Route::Pool;
            let job = self.with_pool(|pool| pool::start(pool, file, request, buf))?;
            return Ok(Job(Way::Pool(job)));
        }
        *ring = self.with_runtime(Ring::new).ok_or_else(failed)?;
        let reply = ring.send(file, request, buf).map_err(|_refused| failed())?;
        Ok(Job(Way::Ring(reply)))
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
            route: Arc::clone(&self.route),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

/// An operation in progress.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Job(Way);

#[derive(Debug)]
enum Way {
    Ring(oneshot::Receiver<Reply>),
    Pool(pool::InPool<Reply>),
}

impl Future for Job {
    type Output = io::Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Reply>> {
        match &mut self.0 {
            Way::Pool(job) => Pin::new(job).poll(cx),
            Way::Ring(reply) => {
                let reply = ready!(coop::charged(cx, |cx| Pin::new(reply).poll(cx)));
                Poll::Ready(reply.map_err(|_canceled| failed()))
            }
        }
    }
}
