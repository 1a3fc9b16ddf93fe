//! One descriptor with its readiness: what a socket's handle is made of.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker, ready};

use anyrt_core::coop;
use futures_util::task::AtomicWaker;

use super::{GONE, Interest, READ, Source, WRITE, gone};
use crate::runtime::GlommioRuntime;
use crate::shard::{self, Shard};

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
    // `None` only while it is taken out.
    fd: Option<T>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Watches `fd` for `runtime`. It must be non-blocking already.
    ///
    /// # Errors
    /// As `epoll_ctl`, such as `EPERM` for a regular file.
    pub fn new(runtime: &GlommioRuntime, fd: T) -> io::Result<Self> {
        let fd = Self::unbound(runtime, fd);
        // What is ready now is told by the registration itself.
        fd.source.ready.store(0, Ordering::SeqCst);
        fd.bind(Interest::Read, Follow::Nobody)?;
        Ok(fd)
    }

    /// A descriptor that is known to be one that epoll takes: it is registered when something must wait for it,
    /// on the shard that does, and taken to be ready until then.
    pub(crate) fn unbound(runtime: &GlommioRuntime, fd: T) -> Self {
        let source = Source::default();
        source.ready.store(READ | WRITE, Ordering::Relaxed);
        Self {
            source: Arc::new(source),
            runtime: runtime.clone(),
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
    /// [`io::ErrorKind::WouldBlock`]. Of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// Those of `operation`; and one of kind `Other` when it would have to wait but the runtime has ended.
    #[inline]
    pub fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(
            cx,
            interest,
            Follow::Reader,
            operation,
            |_| false,
            |waker| {
                self.waker(interest).register(waker);
            },
        )
    }

    /// As [`poll_io`](Self::poll_io), for a byte stream: `operation` moved all that there was or all that there
    /// was room for if it moved less than `len`, so the next one need not try in vain.
    #[inline]
    pub(crate) fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        len: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let exhausted = |moved: &usize| 0 < *moved && *moved < len;
        self.poll_with(
            cx,
            interest,
            Follow::Reader,
            operation,
            exhausted,
            |waker| {
                self.waker(interest).register(waker);
            },
        )
    }

    /// Runs `operation` as [`poll_io`](Self::poll_io) does. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`poll_io`](Self::poll_io).
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if a failed `operation` does nothing.
    pub async fn run<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        Run {
            fd: self,
            interest,
            operation,
            id: None,
        }
        .await
    }

    /// Waits until the descriptor is ready; of several tasks that poll, the last one is woken. Whoever then finds it
    /// not to be so says that with [`clear_ready`](Self::clear_ready), or the next wait ends at once.
    ///
    /// # Errors
    /// Of kind `Other` when the runtime has ended.
    pub fn poll_ready(&self, cx: &mut Context<'_>, interest: Interest) -> Poll<io::Result<Ready>> {
        self.poll_io(cx, interest, |_| self.observe(interest))
    }

    /// Waits until the descriptor is ready, as [`poll_ready`](Self::poll_ready) does. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`poll_ready`](Self::poll_ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.run(interest, |_| self.observe(interest)).await
    }

    fn observe(&self, interest: Interest) -> io::Result<Ready> {
        let seen = self.source.ready.load(Ordering::SeqCst);
        if seen & GONE != 0 {
            return Err(gone());
        }
        Ok(Ready { seen, interest })
    }

    /// Says that an operation after `ready` gave [`io::ErrorKind::WouldBlock`]. Readiness that came since stays.
    pub fn clear_ready(&self, ready: Ready) {
        self.source.clear(ready.seen, ready.interest.bits());
    }

    fn waker(&self, interest: Interest) -> &AtomicWaker {
        match interest {
            Interest::Read => &self.source.reader,
            Interest::Write => &self.source.writer,
        }
    }

    #[inline]
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        follow: Follow,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        exhausted: impl FnOnce(&R) -> bool,
        mut register: impl FnMut(&Waker),
    ) -> Poll<io::Result<R>> {
        let charge = ready!(coop::poll_proceed(cx));
        let source = &*self.source;
        let mut registered = false;
        loop {
            let seen = source.ready.load(Ordering::SeqCst);
            if seen & interest.bits() == 0 {
                if registered {
                    return Poll::Pending;
                }
                if self.bind(interest, follow)? {
                    // Newly registered there: try once more, or an edge of the former place may be missed.
                    source
                        .ready
                        .fetch_or(interest.bits() & (READ | WRITE), Ordering::SeqCst);
                    continue;
                }
                register(cx.waker());
                registered = true;
                continue;
            }
            match operation(self.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if seen & GONE != 0 {
                        return Poll::Ready(Err(gone()));
                    }
                    source.clear(seen, interest.bits());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(value) => {
                    if exhausted(&value) {
                        source.clear(seen, interest.bits() & (READ | WRITE));
                    }
                    charge.made_progress();
                    return Poll::Ready(Ok(value));
                }
                Err(error) => {
                    charge.made_progress();
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    /// Sees to it that some shard reports readiness, the present one if it is a reader who waits. Gives whether
    /// that is a new one.
    fn bind(&self, interest: Interest, follow: Follow) -> io::Result<bool> {
        let home = self.source.home_id.load(Ordering::Acquire);
        let may_stay = follow == Follow::Nobody || interest == Interest::Write;
        if home != 0 && (may_stay || home == shard::current_id()) {
            return Ok(false);
        }
        self.rebind(home)
    }

    #[cold]
    fn rebind(&self, home: u64) -> io::Result<bool> {
        let Some(shard) = self.runtime.current_shard() else {
            // On a thread that is no shard of this runtime any shard will do.
            if home != 0 {
                return Ok(false);
            }
            return self.bind_to(self.runtime.any_shard());
        };
        self.bind_to(shard)
    }

    fn bind_to(&self, shard: Arc<Shard>) -> io::Result<bool> {
        let mut home = self.source.lock_home();
        if let Some((former, key)) = home.take() {
            if former.id() == shard.id() {
                *home = Some((former, key));
                return Ok(false);
            }
            former.reactor().remove(self.get_ref().as_fd(), key);
            self.source.home_id.store(0, Ordering::Release);
        }
        let key = match shard.reactor().add(self.get_ref().as_fd(), &self.source) {
            Ok(key) => key,
            Err(error) => {
                drop(home);
                // Nobody watches for those who wait in the other direction; they shall see for themselves.
                self.source.wake_everybody();
                return Err(error);
            }
        };
        self.source.home_id.store(shard.id(), Ordering::Release);
        *home = Some((shard, key));
        Ok(true)
    }

    fn unbind(&mut self) {
        let home = self.source.lock_home().take();
        if let (Some((shard, key)), Some(fd)) = (home, &self.fd) {
            shard.reactor().remove(fd.as_fd(), key);
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

/// That a descriptor was ready; see [`AsyncFd::ready`].
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    seen: u32,
    interest: Interest,
}

/// The future of [`AsyncFd::run`].
struct Run<'a, T: AsFd, F> {
    fd: &'a AsyncFd<T>,
    interest: Interest,
    operation: F,
    /// Our place among the waiting.
    id: Option<u64>,
}

impl<T: AsFd, F> Unpin for Run<'_, T, F> {}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Future for Run<'_, T, F> {
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = &mut *self;
        let (fd, interest, id) = (this.fd, this.interest, &mut this.id);
        fd.poll_with(
            cx,
            interest,
            Follow::Nobody,
            &mut this.operation,
            |_| false,
            |waker| {
                let mut waker = waker.clone();
                let mut waiting = fd.source.lock_waiting();
                let place = id.and_then(|id| waiting.wakers.iter_mut().find(|w| w.0 == id));
                match place {
                    Some((_, _, former)) => std::mem::swap(former, &mut waker),
                    None => {
                        waiting.next_id += 1;
                        *id = Some(waiting.next_id);
                        let entry = (waiting.next_id, interest, waker.clone());
                        waiting.wakers.push(entry);
                    }
                }
                fd.source.has_waiting.store(true, Ordering::SeqCst);
                // The former waker goes outside the lock: its destructor may do anything.
                drop(waiting);
                drop(waker);
            },
        )
    }
}

impl<T: AsFd, F> Drop for Run<'_, T, F> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let mut waiting = self.fd.source.lock_waiting();
            let at = waiting.wakers.iter().position(|w| w.0 == id);
            let waker = at.map(|at| waiting.wakers.swap_remove(at));
            drop(waiting);
            drop(waker);
        }
    }
}
