//! Descriptors of any kind: one edge-triggered epoll, which the reactor of async-io watches.
//!
//! async-io itself tells readers from writers only, and reports what is there again and again; so it could not wait
//! for an error or for out-of-band data alone. The epoll inside tells them apart, costs no system call per wait, and
//! is drained by whichever thread runs the reactor.

use std::fmt;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use anyrt_core::readiness::{self, Direction, Interest, Ready, Seen, Source, observe};
use async_io::Async;
use once_cell::race::OnceBox;
use rustix::event::{Timespec, epoll};
use slab::Slab;

use crate::runtime::{Handle, Host};

const BATCH: usize = 64;

/// The epoll, of which there is one as there is one reactor.
struct Edges {
    epoll: Async<OwnedFd>,
    sources: Mutex<Slab<Arc<Source>>>,
    /// Held while a socket that others may share begins to be watched.
    starting: Mutex<()>,
    /// Kept to spare allocations; taken out while it is used.
    scratch: Mutex<Vec<Waker>>,
}

impl Edges {
    fn get() -> io::Result<&'static Arc<Self>> {
        static EDGES: OnceLock<Arc<Edges>> = OnceLock::new();
        if let Some(edges) = EDGES.get() {
            return Ok(edges);
        }
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let edges = Arc::new(Self {
            // An epoll is never read, so it need not be non-blocking.
            epoll: Async::new_nonblocking(epoll)?,
            sources: Mutex::default(),
            starting: Mutex::default(),
            scratch: Mutex::default(),
        });
        let mut first = false;
        let edges = EDGES.get_or_init(|| {
            first = true;
            edges
        });
        if first {
            Arc::clone(edges).wake();
        }
        Ok(edges)
    }

    fn add(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        source: &Arc<Source>,
    ) -> io::Result<usize> {
        let mut sources = self.lock();
        let key = sources.insert(Arc::clone(source));
        let flags = epoll::EventFlags::from_bits_retain(interest.epoll_flags());
        let data = epoll::EventData::new_u64(key as u64);
        if let Err(error) = epoll::add(self.epoll.get_ref(), fd, data, flags) {
            sources.remove(key);
            return Err(error.into());
        }
        Ok(key)
    }

    fn remove(&self, fd: BorrowedFd<'_>, key: usize) {
        // Fails only if the descriptor is not in there, which is what is wanted.
        let _ = epoll::delete(self.epoll.get_ref(), fd);
        let source = self.lock().try_remove(key);
        drop(source);
    }

    /// Takes the events that are there and wakes those who wait for them.
    fn collect(&self) {
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut buffer = [const { MaybeUninit::<epoll::Event>::uninit() }; BATCH];
        let mut wakers = std::mem::take(&mut *self.lock_scratch());
        loop {
            // It fails on a signal only; then the next turn sees the events.
            let events = match epoll::wait(self.epoll.get_ref(), &mut buffer, Some(&NOW)) {
                Ok((events, _)) => &*events,
                Err(_) => &[],
            };
            let sources = self.lock();
            for event in events {
                let (key, flags) = (event.data.u64(), event.flags);
                // A closed descriptor may still be in the batch, and its key given anew: the new one is then
                // tried in vain once.
                let source = usize::try_from(key).ok().and_then(|key| sources.get(key));
                if let Some(source) = source {
                    source.set(Ready::from_epoll(flags.bits()), &mut wakers);
                }
            }
            drop(sources);
            // Outside the lock, since a waker may do anything.
            for waker in wakers.drain(..) {
                waker.wake();
            }
            if events.len() < BATCH {
                *self.lock_scratch() = wakers;
                return;
            }
        }
    }

    fn lock_scratch(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Arc<Source>>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Edges {
    /// The reactor has seen events: collects them, and asks to be told of the next ones.
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        loop {
            self.collect();
            let mut cx = Context::from_waker(&waker);
            if self.epoll.poll_readable(&mut cx).is_pending() {
                return;
            }
        }
    }
}

/// That a descriptor is watched.
struct Watch {
    edges: &'static Edges,
    source: Arc<Source>,
    key: usize,
}

impl Watch {
    fn start(fd: BorrowedFd<'_>, interest: Interest, assumed: Ready) -> io::Result<Self> {
        let edges = Edges::get()?;
        let source = Arc::new(Source::new(assumed));
        let key = edges.add(fd, interest, &source)?;
        Ok(Self { edges, source, key })
    }

    /// Before the descriptor is closed: a duplicate of it somewhere would keep it in the epoll.
    fn end(&self, fd: BorrowedFd<'_>) {
        self.edges.remove(fd, self.key);
    }
}

/// It is watched from the beginning to the end.
fn bound() -> io::Result<bool> {
    Ok(false)
}

/// A descriptor of any kind that epoll can watch, non-blocking, with its readiness.
///
/// The reactor is one per process, so the descriptor can be used on every thread and outlives every runtime.
pub struct AsyncFd<T: AsFd> {
    watch: Watch,
    // `None` only while it is taken out.
    fd: Option<T>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Watches `fd`, which must be non-blocking, for what `interest` says.
    ///
    /// # Errors
    /// The descriptor and the reason, as `epoll_ctl` gives it, such as `EPERM` for a regular file.
    pub fn new(fd: T, interest: Interest) -> Result<Self, (T, io::Error)> {
        match Watch::start(fd.as_fd(), interest, Ready::EMPTY) {
            Ok(watch) => Ok(Self {
                watch,
                fd: Some(fd),
            }),
            Err(error) => Err((fd, error)),
        }
    }

    fn unwatch(&mut self) -> Option<T> {
        let fd = self.fd.take()?;
        self.watch.end(fd.as_fd());
        Some(fd)
    }
}

impl<T: AsFd> readiness::AsyncFd<T> for AsyncFd<T> {
    type Event<'a>
        = Seen<'a>
    where
        T: 'a;

    fn get_ref(&self) -> &T {
        match &self.fd {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    fn get_mut(&mut self) -> &mut T {
        match &mut self.fd {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    fn into_inner(mut self) -> T {
        match self.unwatch() {
            Some(fd) => fd,
            None => unreachable!("the descriptor leaves only with the handle"),
        }
    }

    fn assume(&self, ready: Ready) {
        self.watch.source.assume(ready);
    }

    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Seen<'a>>> {
        let interest = direction.interest();
        self.watch
            .source
            .poll(cx, direction, interest, bound, observe, |_| false)
            .map_ok(|event| Seen::new(&self.watch.source, event))
    }

    async fn ready<'a>(&'a self, interest: Interest) -> io::Result<Seen<'a>> {
        let event = self.watch.source.wait(interest, bound).await?;
        Ok(Seen::new(&self.watch.source, event))
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.watch
            .source
            .attempt(interest, || operation(self.get_ref()))
    }

    fn run<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.watch
            .source
            .run(interest, bound, move |_| operation(self.get_ref()))
    }
}

impl<T: AsFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        let _ = self.unwatch();
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(&self.fd).finish()
    }
}

impl<H: Host> readiness::Reactor for Handle<H> {
    type AsyncFd<T: AsFd> = AsyncFd<T>;

    fn async_fd<T: AsFd>(&self, fd: T, interest: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
        AsyncFd::new(fd, interest)
    }
}

/// A socket of async-io that tells its readiness to those who ask.
///
/// Reads and writes wait in async-io as ever; the epoll watches the socket from the first question on.
pub struct Socket<T: AsFd> {
    // `None` only while it is taken out.
    inner: Option<Async<T>>,
    // Few ask, so it takes little room.
    watch: OnceBox<Watch>,
    /// What those are told who ask first.
    said: Ready,
}

impl<T: AsFd> Socket<T> {
    /// With the readiness of `inner`.
    pub fn new(inner: Async<T>) -> Self {
        Self {
            inner: Some(inner),
            watch: OnceBox::new(),
            said: Ready::EMPTY,
        }
    }

    /// As [`new`](Self::new). Who asks is told that it is ready, until someone finds that it is not: an accepted stream
    /// often has something to read.
    pub fn accepted(inner: Async<T>) -> Self {
        Self {
            said: Ready::READABLE | Ready::WRITABLE,
            inner: Some(inner),
            watch: OnceBox::new(),
        }
    }

    /// The socket.
    #[inline]
    pub fn get(&self) -> &Async<T> {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    /// The socket alone.
    pub fn into_inner(mut self) -> Async<T> {
        match self.unwatch() {
            Some(inner) => inner,
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    fn unwatch(&mut self) -> Option<Async<T>> {
        let inner = self.inner.take()?;
        if let Some(watch) = self.watch.get() {
            watch.end(inner.as_fd());
        }
        Some(inner)
    }

    fn source(&self) -> io::Result<&Source> {
        if let Some(watch) = self.watch.get() {
            return Ok(&watch.source);
        }
        self.start()
    }

    #[cold]
    fn start(&self) -> io::Result<&Source> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let edges = Edges::get()?;
        // One at a time: the second of two would be refused, since the socket is watched already.
        let starting = edges.starting.lock();
        let watch = match self.watch.get() {
            Some(watch) => watch,
            None => {
                let watch = Watch::start(self.get().as_fd(), interest, self.said)?;
                self.watch.get_or_init(|| Box::new(watch))
            }
        };
        drop(starting);
        // So that what is ready is known at once.
        watch.edges.collect();
        Ok(&watch.source)
    }
}

impl<T: AsFd + Send + Sync> readiness::Readiness for Socket<T> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let event = self.source()?.wait(interest, bound).await?;
        Ok(event.ready())
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        self.source()?
            .poll(cx, direction, direction.interest(), bound, observe, |_| {
                false
            })
            .map_ok(drop)
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.source()?.attempt(interest, operation)
    }

    async fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let source = self.source()?;
        source.run(interest, bound, |_| operation()).await
    }
}

impl<T: AsFd> Drop for Socket<T> {
    fn drop(&mut self) {
        let _ = self.unwatch();
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.get(), f)
    }
}
