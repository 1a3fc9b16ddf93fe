//! Descriptors of any kind.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Ready};
use anyrt_kit::readiness::{Seen, observe};

use super::descriptor::Watch;
use crate::reactor::Reactor;
use crate::runtime::{Handle, Host};

/// A descriptor of any kind that the system can poll, non-blocking, with its readiness.
///
/// It can be used on every thread. What waits when its runtime ends, or later, fails.
pub struct AsyncFd<T: AsFd> {
    watch: Watch,
    // `None` only while it is taken out.
    fd: Option<T>,
}

impl<T: AsFd> AsyncFd<T> {
    /// Watches `fd`, which must be non-blocking, for what `interest` says.
    ///
    /// # Errors
    /// The descriptor and the system's error, such as `EPERM` for a regular file.
    pub fn new(reactor: &Arc<Reactor>, fd: T, interest: Interest) -> Result<Self, (T, io::Error)> {
        match Watch::start(reactor, fd.as_fd(), interest, Ready::EMPTY) {
            Ok(watch) => Ok(Self {
                watch,
                fd: Some(fd),
            }),
            Err(error) => Err((fd, error)),
        }
    }

    fn unwatch(&mut self) -> Option<T> {
        let fd = self.fd.take()?;
        self.watch.end();
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
        self.watch.source().assume(ready);
    }

    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Seen<'a>>> {
        let interest = direction.interest();
        let source = self.watch.source();
        self.watch.freshen(interest);
        let bind = || self.watch.bind(interest);
        source
            .poll(cx, direction, interest, bind, observe, |_| false)
            .map_ok(|event| Seen::new(source, event))
    }

    async fn ready<'a>(&'a self, interest: Interest) -> io::Result<Seen<'a>> {
        let source = self.watch.source();
        self.watch.freshen(interest);
        let event = source.wait(interest, || self.watch.bind(interest)).await?;
        Ok(Seen::new(source, event))
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.watch.attempt(interest, || operation(self.get_ref()))
    }

    fn run<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        let bind = move || self.watch.bind(interest);
        let source = self.watch.source();
        source.run(interest, bind, move |_| operation(self.get_ref()))
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
        AsyncFd::new(self.reactor(), fd, interest)
    }
}
