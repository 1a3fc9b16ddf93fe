//! Sockets.

use std::fmt;
use std::io;
use std::sync::Mutex;
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Ready, observe};
use async_io::Async;
use once_cell::race::OnceBox;
use rustix::fd::AsFd;

use super::watch::Watch;

/// A socket of async-io that tells its readiness to those who ask.
///
/// Reads and writes wait in async-io as ever; its readiness is watched from the first question on.
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
                let watch = Watch::start(self.get().get_ref().as_fd(), interest, self.said)?;
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
