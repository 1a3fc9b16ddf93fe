//! Descriptors of any kind: Tokio's `AsyncFd`, with the trait of the core.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll};

use anyrt_core::readiness::{self, Direction, Interest, Ready, ReadyEvent};
use tokio::io::unix::{AsyncFd as Inner, AsyncFdReadyGuard};

use super::{from_tokio, ready_to_tokio, to_tokio};
use crate::runtime::TokioRuntime;

/// What is inside Tokio's `AsyncFd`, which asks for a number.
#[derive(Debug)]
struct Fd<T>(T);

impl<T: AsFd> AsRawFd for Fd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A descriptor of any kind that Tokio's reactor can watch, non-blocking, with its readiness.
pub struct AsyncFd<T: AsFd>(Inner<Fd<T>>);

impl readiness::Reactor for TokioRuntime {
    type AsyncFd<U: AsFd> = AsyncFd<U>;

    fn async_fd<U: AsFd>(&self, fd: U, interest: Interest) -> Result<AsyncFd<U>, (U, io::Error)> {
        let _entered = self.as_inner().enter();
        #[allow(
            deprecated,
            reason = "deprecated because a number may be of a closed descriptor; `AsFd` rules that out"
        )]
        let registered = Inner::try_with_interest(Fd(fd), to_tokio(interest));
        registered.map(AsyncFd).map_err(|error| {
            let (fd, error) = error.into_parts();
            (fd.0, error)
        })
    }
}

/// That the descriptor was ready.
pub struct Event<'a, T: AsFd>(AsyncFdReadyGuard<'a, Fd<T>>);

impl<T: AsFd> ReadyEvent for Event<'_, T> {
    fn ready(&self) -> Ready {
        from_tokio(self.0.ready())
    }

    fn clear(&mut self, ready: Ready) {
        if (self.ready() - ready).is_empty() {
            self.0.clear_ready();
        } else {
            self.0.clear_ready_matching(ready_to_tokio(ready));
        }
    }
}

impl<T: AsFd> readiness::AsyncFd<T> for AsyncFd<T> {
    type Event<'a>
        = Event<'a, T>
    where
        T: 'a;

    fn get_ref(&self) -> &T {
        &self.0.get_ref().0
    }

    fn get_mut(&mut self) -> &mut T {
        &mut self.0.get_mut().0
    }

    fn into_inner(self) -> T {
        self.0.into_inner().0
    }

    #[inline]
    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Event<'a, T>>> {
        match direction {
            Direction::Read => self.0.poll_read_ready(cx),
            Direction::Write => self.0.poll_write_ready(cx),
        }
        .map_ok(Event)
    }

    async fn ready<'a>(&'a self, interest: Interest) -> io::Result<Event<'a, T>> {
        self.0.ready(to_tokio(interest)).await.map(Event)
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.0.try_io(to_tokio(interest), |fd| operation(&fd.0))
    }

    fn run<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        self.0
            .async_io(to_tokio(interest), move |fd| operation(&fd.0))
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd").field(&self.0.get_ref().0).finish()
    }
}

impl<T: AsFd> fmt::Debug for Event<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.0.ready()).finish()
    }
}
