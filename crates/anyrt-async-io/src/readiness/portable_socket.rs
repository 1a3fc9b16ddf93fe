//! Sockets of async-io.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use anyrt_core::coop;
use anyrt_core::readiness::{self, Direction, Interest, Ready};
use anyrt_kit::readiness::{Source, gone, observe};
use async_io::Async;
use futures_lite::future;
use once_cell::race::OnceBox;
use rustix::fd::AsFd;

use super::watch::Watch;
use crate::reactor::Reactor;

/// A socket of async-io that tells its readiness to those who ask.
///
/// Reads and writes wait in async-io as ever; its readiness is watched from the first question on.
pub struct Socket<T: AsFd> {
    reactor: Arc<Reactor>,
    /// Tells of the end of the runtime, and of nothing else.
    end: Arc<Source>,
    token: u64,
    // `None` only while it is taken out.
    inner: Option<Async<T>>,
    // Few ask, so it takes little room.
    watch: OnceBox<Watch>,
    /// What those are told who ask first.
    said: Ready,
}

impl<T: AsFd> Socket<T> {
    /// A non-blocking socket, which is taken for `ready` until someone finds that it is not.
    ///
    /// # Errors
    /// As the reactor refuses it.
    pub fn new(reactor: &Arc<Reactor>, socket: T, ready: Ready) -> io::Result<Self> {
        let inner = Some(Async::new_nonblocking(socket)?);
        let end = Arc::new(Source::new(Ready::EMPTY));
        Ok(Self {
            reactor: Arc::clone(reactor),
            token: reactor.add(&end)?,
            end,
            inner,
            watch: OnceBox::new(),
            said: ready,
        })
    }

    #[inline]
    fn inner(&self) -> &Async<T> {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    /// The socket.
    #[inline]
    pub fn get(&self) -> &T {
        self.inner().get_ref()
    }

    /// The socket alone, non-blocking as it is.
    ///
    /// # Errors
    /// As the reactor refuses to let go of it.
    pub fn into_inner(mut self) -> io::Result<T> {
        match self.unwatch() {
            Some(inner) => inner.into_inner(),
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    /// What stands for the reactor.
    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        &self.reactor
    }

    /// Runs `operation` until it gives something else than [`io::ErrorKind::WouldBlock`], and waits in between; of
    /// several tasks that poll in `direction`, the last one is woken.
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let inner = self.inner();
        coop::charged(cx, |cx| {
            loop {
                self.end.check()?;
                match operation(inner.get_ref()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => return Poll::Ready(result),
                }
                self.end.register(direction, cx.waker());
                self.end.check()?;
                ready!(match direction {
                    Direction::Read => inner.poll_readable(cx),
                    Direction::Write => inner.poll_writable(cx),
                })?;
            }
        })
    }

    /// As [`poll_io`](Self::poll_io): async-io tries each operation first anyway, whatever the last one moved.
    pub(crate) fn poll_bytes(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        _: usize,
        operation: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_io(cx, direction, operation)
    }

    /// As [`poll_io`](Self::poll_io), as a future of which there may be any number.
    pub(crate) async fn run<R>(
        &self,
        interest: Interest,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.end.check()?;
        // Asked last, so that who need not wait leaves no waker there.
        let end = async {
            // There is no readiness, so this is the end.
            match self.end.wait(Interest::ERROR, || Ok(false)).await {
                Err(error) => Err(error),
                Ok(_) => Err(gone()),
            }
        };
        if interest.is_writable() {
            coop::cooperative(future::or(self.inner().write_with(operation), end)).await
        } else {
            coop::cooperative(future::or(self.inner().read_with(operation), end)).await
        }
    }

    fn unwatch(&mut self) -> Option<Async<T>> {
        let inner = self.inner.take()?;
        self.reactor.remove(self.token);
        if let Some(watch) = self.watch.get() {
            watch.end(inner.get_ref().as_fd());
        }
        Some(inner)
    }

    #[inline]
    fn watch(&self) -> io::Result<&Watch> {
        match self.watch.get() {
            Some(watch) => Ok(watch),
            None => self.start(),
        }
    }

    #[cold]
    fn start(&self) -> io::Result<&Watch> {
        // One at a time: the second of two would be refused, since the socket is watched already.
        static STARTING: Mutex<()> = Mutex::new(());

        let starting = STARTING.lock();
        let watch = match self.watch.get() {
            Some(watch) => watch,
            None => {
                let interest = Interest::READABLE | Interest::WRITABLE;
                let watch = Watch::start(&self.reactor, self.get().as_fd(), interest, self.said)?;
                self.watch.get_or_init(|| Box::new(watch))
            }
        };
        drop(starting);
        watch.refresh();
        Ok(watch)
    }
}

impl<T: AsFd + Send + Sync> readiness::Readiness for Socket<T> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let watch = self.watch()?;
        let waiting = watch.source().wait(interest, || watch.bind(interest));
        Ok(waiting.await?.ready())
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let (watch, interest) = (self.watch()?, direction.interest());
        let bind = || watch.bind(interest);
        let source = watch.source();
        source
            .poll(cx, direction, interest, bind, observe, |_| false)
            .map_ok(drop)
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.watch()?.attempt(interest, operation)
    }

    async fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let watch = self.watch()?;
        let bind = || watch.bind(interest);
        watch.source().run(interest, bind, |_| operation()).await
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
