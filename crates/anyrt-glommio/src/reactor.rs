//! Readiness: a descriptor of any kind, and those who wait for it.
//!
//! Each shard has one epoll (see `epoll.rs`). System calls are made directly, on the thread that polls, so a handle is
//! `Send + Sync` by nature and holds no Glommio object.
//!
//! # Where a descriptor is registered
//! ```text
//! unbound ---- must wait for the first time ----> bound to the shard that polls,
//!                                                 or to some shard if none does (remote)
//! bound to A -- a reader must wait on shard B --> bound to B (re-homing)
//! ```
//! A stream's reader draws it to its shard because there the wake-up costs nothing; a writer does not, so two halves
//! on two shards do not pull it back and forth, nor do listeners and datagram sockets, which many may wait for.
//!
//! # Why no readiness is lost
//! - It is kept in a [`anyrt_kit::readiness::Source`], which says the rest.
//! - Moving to another epoll may drop an edge of the old one, but `EPOLL_CTL_ADD` reports what is ready then,
//!   and the one who moved tries the system call once more.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Ready};
use anyrt_kit::readiness::{Seen, observe};

use crate::epoll::{Epoll, Source};
use crate::handle::GlommioRuntime;
use crate::shard;

/// What the reader of a socket waits for: an error, too, is something to read.
pub(crate) const READ: Interest = Interest::READABLE.add(Interest::ERROR);
/// What the writer of a socket waits for.
pub(crate) const WRITE: Interest = Interest::WRITABLE.add(Interest::ERROR);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const ALL: Ready = Ready::from_bits(Ready::READABLE.bits() | Ready::WRITABLE.bits());

/// Whom a descriptor follows to another shard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    Reader,
    /// Any number may wait for it, on several shards.
    Nobody,
}

/// A descriptor of any kind that epoll can watch, non-blocking, with its readiness.
///
/// Usable from any thread: a shard, another runtime's worker, a plain one. Dropping it closes the descriptor at
/// once, wherever that is.
pub struct AsyncFd<T: AsFd> {
    source: Arc<Source>,
    runtime: GlommioRuntime,
    /// What the descriptor is watched for.
    interest: Interest,
    /// What those are told who ask for the readiness of a descriptor that is not watched yet.
    said: Ready,
    // `None` only while it is taken out.
    fd: Option<T>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Watches `fd` for `runtime`, so that it can be waited for what `interest` says. It must be non-blocking already.
    ///
    /// # Errors
    /// The descriptor and the reason, as `epoll_ctl` gives it, such as `EPERM` for a regular file.
    pub fn new(
        runtime: &GlommioRuntime,
        fd: T,
        interest: Interest,
    ) -> Result<Self, (T, io::Error)> {
        // What is ready now is told by the registration itself.
        let fd = Self::with(runtime, fd, interest, Ready::EMPTY, Ready::EMPTY);
        match fd.bind(Direction::Read, Follow::Nobody) {
            Ok(_) => Ok(fd),
            Err(error) => Err((fd.into_inner(), error)),
        }
    }

    /// A descriptor that is known to be one that epoll takes: it is registered when something must wait for it,
    /// on the shard that does, and taken to be ready until then.
    pub(crate) fn unbound(runtime: &GlommioRuntime, fd: T) -> Self {
        Self::with(runtime, fd, BOTH, ALL, Ready::EMPTY)
    }

    /// As [`unbound`](Self::unbound). Who asks is told, too, that it is ready, until someone finds that it is not: an
    /// accepted stream often has something to read.
    pub(crate) fn accepted(runtime: &GlommioRuntime, fd: T) -> Self {
        Self::with(runtime, fd, BOTH, ALL, ALL)
    }

    /// As [`unbound`](Self::unbound), when there can be nothing to read yet.
    pub(crate) fn connecting(runtime: &GlommioRuntime, fd: T) -> Self {
        Self::with(runtime, fd, BOTH, Ready::WRITABLE, Ready::WRITABLE)
    }

    fn with(
        runtime: &GlommioRuntime,
        fd: T,
        interest: Interest,
        ready: Ready,
        said: Ready,
    ) -> Self {
        Self {
            source: Arc::new(Source::new(ready)),
            runtime: runtime.clone(),
            interest,
            said,
            fd: Some(fd),
        }
    }

    /// The descriptor.
    #[inline]
    pub fn get_ref(&self) -> &T {
        match &self.fd {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    /// Takes the descriptor out and stops watching it.
    pub fn into_inner(mut self) -> T {
        self.unbind();
        match self.fd.take() {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    /// Runs `operation` when the descriptor is ready, until it gives something else than
    /// [`io::ErrorKind::WouldBlock`]. Of several tasks that poll in `direction`, the last one is woken.
    ///
    /// # Errors
    /// Those of `operation`; and one of kind `Other` when it would have to wait but the runtime has ended.
    #[inline]
    pub fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(cx, direction, operation, |_| false)
    }

    /// As [`poll_io`](Self::poll_io), for a byte stream: `operation` moved all that there was or all that there
    /// was room for if it moved less than `len`, so the next one need not try in vain.
    #[inline]
    pub(crate) fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        len: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, direction, operation, |&moved| 0 < moved && moved < len)
    }

    #[inline]
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        exhausted: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let interest = match direction {
            Direction::Read => READ,
            Direction::Write => WRITE,
        };
        self.source.io.poll(
            cx,
            direction,
            interest,
            || self.bind(direction, Follow::Reader),
            |_| operation(self.get_ref()),
            exhausted,
        )
    }

    /// Runs `operation` as [`poll_io`](Self::poll_io) does. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if a failed `operation` does nothing.
    pub fn run<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.source.io.run(
            interest,
            || self.bind(Direction::Read, Follow::Nobody),
            move |_| operation(self.get_ref()),
        )
    }

    /// Sees to it that some shard reports readiness, the present one if it is a reader who waits. Gives whether
    /// that is a new one.
    fn bind(&self, direction: Direction, follow: Follow) -> io::Result<bool> {
        let home = self.source.home_id.load(Ordering::Acquire);
        let may_stay = follow == Follow::Nobody || direction == Direction::Write;
        if home != 0 && (may_stay || home == shard::current_id()) {
            return Ok(false);
        }
        self.rebind(home)
    }

    /// As [`bind`](Self::bind), for those who want to know what is ready and not to try: what was only taken to be
    /// ready is forgotten, since the registration tells.
    fn watch(&self, direction: Direction, follow: Follow) -> io::Result<bool> {
        // What comes after this look is another event, so it is not cleared.
        let assumed = self.source.io.look(BOTH);
        let home = self.source.home_id.load(Ordering::Acquire);
        // Nobody is registering it either: what its new shard has told already, maybe before the id is set, stays.
        if home == 0 && self.source.lock_home().is_none() {
            self.source.io.clear(assumed, ALL - self.said);
        }
        self.bind(direction, follow)?;
        Ok(false)
    }

    #[cold]
    fn rebind(&self, home: u64) -> io::Result<bool> {
        let Some(shard) = self.runtime.current_shard() else {
            // On a thread that is no shard of this runtime any shard will do.
            if home != 0 {
                return Ok(false);
            }
            return self.bind_to(self.runtime.any_shard().epoll());
        };
        self.bind_to(shard.epoll())
    }

    fn bind_to(&self, epoll: &Arc<Epoll>) -> io::Result<bool> {
        let mut home = self.source.lock_home();
        if let Some((former, token)) = home.take() {
            if former.id() == epoll.id() {
                *home = Some((former, token));
                return Ok(false);
            }
            former.remove(self.get_ref().as_fd(), token);
            self.source.home_id.store(0, Ordering::Release);
        }
        let fd = self.get_ref().as_fd();
        let token = match epoll.add(fd, self.interest, &self.source) {
            Ok(token) => token,
            Err(error) => {
                drop(home);
                // Nobody watches for those who wait in the other direction; they shall see for themselves.
                self.source.wake_everybody();
                return Err(error);
            }
        };
        self.source.home_id.store(epoll.id(), Ordering::Release);
        *home = Some((Arc::clone(epoll), token));
        Ok(true)
    }

    fn unbind(&mut self) {
        let home = self.source.lock_home().take();
        if let (Some((epoll, token)), Some(fd)) = (home, &self.fd) {
            epoll.remove(fd.as_fd(), token);
        }
    }
}

impl<T: AsFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        // Before the descriptor is closed: a duplicate of it somewhere would keep it in the epoll.
        self.unbind();
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(self.get_ref()).finish()
    }
}

impl<T: AsFd> readiness::AsyncFd<T> for AsyncFd<T> {
    type Event<'a>
        = Seen<'a>
    where
        T: 'a;

    fn get_ref(&self) -> &T {
        self.get_ref()
    }

    fn get_mut(&mut self) -> &mut T {
        match &mut self.fd {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    fn into_inner(self) -> T {
        self.into_inner()
    }

    fn assume(&self, ready: Ready) {
        self.source.io.assume(ready);
    }

    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Seen<'a>>> {
        let bind = || self.watch(direction, Follow::Reader);
        bind()?;
        self.source
            .io
            .poll(cx, direction, direction.interest(), bind, observe, |_| {
                false
            })
            .map_ok(|event| Seen::new(&self.source.io, event))
    }

    async fn ready<'a>(&'a self, interest: Interest) -> io::Result<Seen<'a>> {
        let bind = || self.watch(Direction::Read, Follow::Nobody);
        bind()?;
        let event = self.source.io.wait(interest, bind).await?;
        Ok(Seen::new(&self.source.io, event))
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let operation = || operation(self.get_ref());
        self.source.io.attempt(interest, operation)
    }

    fn run<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.run(interest, operation)
    }
}

impl readiness::Reactor for GlommioRuntime {
    type AsyncFd<T: AsFd> = AsyncFd<T>;

    fn async_fd<T: AsFd>(&self, fd: T, interest: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
        AsyncFd::new(self, fd, interest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use anyrt_core::runtime::Owner as _;

    use super::*;
    use crate::runtime::Builder;

    /// Long enough for the other thread to go wrong, if it does.
    const TURNS: usize = 1000;

    #[test]
    fn what_a_shard_tells_while_the_descriptor_is_being_registered_is_kept() {
        if let Err(reason) = crate::is_available() {
            eprintln!("skipped: {reason}");
            return;
        }
        let runtime = Builder::new().shards(1).build().unwrap();
        let epoll = Arc::clone(runtime.handle().any_shard().epoll());
        let (_reader, writer) = io::pipe().unwrap();
        let fd = AsyncFd::with(runtime.handle(), writer, BOTH, Ready::EMPTY, Ready::EMPTY);
        let is_writable = || fd.source.io.look(BOTH).ready().is_writable();
        let asks = AtomicBool::new(false);
        thread::scope(|scope| {
            // As `bind_to`, which was interrupted when the shard knew of the descriptor and nobody else did.
            let mut home = fd.source.lock_home();
            let token = epoll.add(fd.get_ref().as_fd(), BOTH, &fd.source);
            while !is_writable() {
                thread::yield_now();
            }
            let asking = scope.spawn(|| {
                asks.store(true, Ordering::SeqCst);
                fd.watch(Direction::Write, Follow::Nobody)
            });
            while !asks.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            for _ in 0..TURNS {
                thread::yield_now();
            }
            fd.source.home_id.store(epoll.id(), Ordering::Release);
            *home = Some((epoll, token.unwrap()));
            drop(home);
            asking.join().unwrap().unwrap();
        });
        assert!(
            is_writable(),
            "it was forgotten, and will not be told again"
        );
    }
}
