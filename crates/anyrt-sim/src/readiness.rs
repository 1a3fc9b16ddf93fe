//! Descriptors of the operating system, which a simulated node cannot watch.

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Reactor, Ready, ReadyEvent};

use crate::runtime::SimRuntime;

/// A descriptor that is watched: there is none.
#[derive(Debug)]
pub struct AsyncFd<T> {
    none: Infallible,
    descriptor: PhantomData<T>,
}

/// That a descriptor was ready: none ever is.
#[derive(Debug)]
pub struct NoEvent<'a> {
    none: Infallible,
    descriptor: PhantomData<&'a ()>,
}

impl Reactor for SimRuntime {
    type AsyncFd<T: AsFd> = AsyncFd<T>;

    /// Always fails.
    fn async_fd<T: AsFd>(&self, fd: T, _: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
        let what = "a descriptor of the operating system (AsyncFd, a Unix socket, a pipe, a child process)";
        Err((fd, self.unsupported(what)))
    }
}

impl<T> readiness::AsyncFd<T> for AsyncFd<T> {
    type Event<'a>
        = NoEvent<'a>
    where
        T: 'a;

    fn get_ref(&self) -> &T {
        match self.none {}
    }

    fn get_mut(&mut self) -> &mut T {
        match self.none {}
    }

    fn into_inner(self) -> T {
        match self.none {}
    }

    fn assume(&self, _: Ready) {
        match self.none {}
    }

    fn poll_ready<'a>(
        &'a self,
        _: &mut Context<'_>,
        _: Direction,
    ) -> Poll<io::Result<NoEvent<'a>>> {
        match self.none {}
    }

    async fn ready<'a>(&'a self, _: Interest) -> io::Result<NoEvent<'a>> {
        match self.none {}
    }

    fn try_io<R>(&self, _: Interest, _: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        match self.none {}
    }

    async fn run<R>(&self, _: Interest, _: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        match self.none {}
    }
}

impl ReadyEvent for NoEvent<'_> {
    fn ready(&self) -> Ready {
        match self.none {}
    }

    fn clear(&mut self, _: Ready) {
        match self.none {}
    }
}
