//! Descriptors that are waited for.

use std::io;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Reactor, Ready, ReadyEvent};

use super::{Handle, Infallible, never};

#[derive(Debug)]
pub(crate) struct AsyncFd<T>(Infallible, PhantomData<T>);

#[derive(Debug)]
pub(crate) struct Event<'a>(Infallible, PhantomData<&'a ()>);

impl Reactor for Handle {
    type AsyncFd<T: AsFd> = AsyncFd<T>;

    fn async_fd<T: AsFd>(&self, _: T, _: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
        never()
    }
}

impl<T> readiness::AsyncFd<T> for AsyncFd<T> {
    type Event<'a>
        = Event<'a>
    where
        T: 'a;

    fn get_ref(&self) -> &T {
        never()
    }

    fn get_mut(&mut self) -> &mut T {
        never()
    }

    fn into_inner(self) -> T {
        never()
    }

    fn assume(&self, _: Ready) {
        never()
    }

    fn poll_ready<'a>(&'a self, _: &mut Context<'_>, _: Direction) -> Poll<io::Result<Event<'a>>> {
        never()
    }

    async fn ready<'a>(&'a self, _: Interest) -> io::Result<Event<'a>> {
        never()
    }

    fn try_io<R>(&self, _: Interest, _: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        never()
    }

    async fn run<R>(&self, _: Interest, _: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        never()
    }
}

impl ReadyEvent for Event<'_> {
    fn ready(&self) -> Ready {
        never()
    }

    fn clear(&mut self, _: Ready) {
        never()
    }
}
