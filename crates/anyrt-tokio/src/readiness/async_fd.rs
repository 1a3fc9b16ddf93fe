//! Descriptors of any kind, as Tokio's `AsyncFd` with the trait of the core.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use anyrt_core::readiness::{self, Direction, Interest, Ready, ReadyEvent};
use tokio::io::unix::{AsyncFd as Inner, AsyncFdReadyGuard};
use tokio::task::coop::consume_budget;

use super::{from_tokio, ready_to_tokio, to_tokio};
use crate::runtime::TokioRuntime;

/// The content of Tokio's `AsyncFd`, which requires `AsRawFd`.
#[derive(Debug)]
struct Fd<T>(T);

impl<T: AsFd> AsRawFd for Fd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A descriptor in non-blocking mode that Tokio's reactor can watch, with its readiness.
pub struct AsyncFd<T: AsFd> {
    fd: Inner<Fd<T>>,
    /// The assumed readiness until Tokio has an event.
    assumed: AtomicU8,
}

impl readiness::Reactor for TokioRuntime {
    type AsyncFd<U: AsFd> = AsyncFd<U>;

    fn async_fd<U: AsFd>(&self, fd: U, interest: Interest) -> Result<AsyncFd<U>, (U, io::Error)> {
        let _entered = self.as_inner().enter();
        #[allow(
            deprecated,
            reason = "deprecated because a number may be of a closed descriptor; `AsFd` rules that out"
        )]
        let registered = Inner::try_with_interest(Fd(fd), to_tokio(interest));
        let assumed = AtomicU8::new(0);
        registered
            .map(|fd| AsyncFd { fd, assumed })
            .map_err(|error| {
                let (fd, error) = error.into_parts();
                (fd.0, error)
            })
    }
}

impl<T: AsFd> AsyncFd<T> {
    #[inline]
    fn assumed(&self, interest: Interest) -> Ready {
        Ready::from_bits(self.assumed.load(Ordering::Relaxed)) & interest.mask()
    }

    fn forget(&self, ready: Ready) {
        // Tokio's own state is not changed, so no event is lost.
        self.assumed.fetch_and(!ready.bits(), Ordering::Relaxed);
    }

    /// Tokio's readiness, or the assumed one until Tokio has an event.
    #[inline]
    fn known_or_assumed<'a>(
        &'a self,
        cx: &mut Context<'_>,
        interest: Interest,
        known: Poll<io::Result<AsyncFdReadyGuard<'a, Fd<T>>>>,
    ) -> Poll<io::Result<Event<'a, T>>> {
        let assumed = self.assumed(interest);
        if assumed.is_empty() {
            return known.map_ok(|guard| Event(Said::ByTokio(guard)));
        }
        if known.is_ready() {
            self.forget(interest.mask());
            return known.map_ok(|guard| Event(Said::ByTokio(guard)));
        }
        // An operation that never waits must charge the budget as well.
        ready!(pin!(consume_budget()).poll(cx));
        Poll::Ready(Ok(Event(Said::ByUs(self, assumed))))
    }
}

/// An event: the descriptor was ready.
pub struct Event<'a, T: AsFd>(Said<'a, T>);

enum Said<'a, T: AsFd> {
    ByTokio(AsyncFdReadyGuard<'a, Fd<T>>),
    ByUs(&'a AsyncFd<T>, Ready),
}

impl<T: AsFd> ReadyEvent for Event<'_, T> {
    fn ready(&self) -> Ready {
        match &self.0 {
            Said::ByTokio(guard) => from_tokio(guard.ready()),
            Said::ByUs(_, ready) => *ready,
        }
    }

    fn clear(&mut self, ready: Ready) {
        let all = (self.ready() - ready).is_empty();
        match &mut self.0 {
            Said::ByTokio(guard) if all => guard.clear_ready(),
            Said::ByTokio(guard) => guard.clear_ready_matching(ready_to_tokio(ready)),
            Said::ByUs(fd, assumed) => {
                fd.forget(ready);
                *assumed = *assumed - ready;
            }
        }
    }
}

impl<T: AsFd> readiness::AsyncFd<T> for AsyncFd<T> {
    type Event<'a>
        = Event<'a, T>
    where
        T: 'a;

    fn get_ref(&self) -> &T {
        &self.fd.get_ref().0
    }

    fn get_mut(&mut self) -> &mut T {
        &mut self.fd.get_mut().0
    }

    fn into_inner(self) -> T {
        self.fd.into_inner().0
    }

    fn assume(&self, ready: Ready) {
        self.assumed.fetch_or(ready.bits(), Ordering::Relaxed);
    }

    #[inline]
    fn poll_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<Event<'a, T>>> {
        let known = match direction {
            Direction::Read => self.fd.poll_read_ready(cx),
            Direction::Write => self.fd.poll_write_ready(cx),
        };
        self.known_or_assumed(cx, direction.interest(), known)
    }

    async fn ready<'a>(&'a self, interest: Interest) -> io::Result<Event<'a, T>> {
        let mut known = pin!(self.fd.ready(to_tokio(interest)));
        poll_fn(|cx| {
            let known = known.as_mut().poll(cx);
            self.known_or_assumed(cx, interest, known)
        })
        .await
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut operation = Some(operation);
        let mut attempt = |fd: &Fd<T>| match operation.take() {
            Some(operation) => operation(&fd.0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        };
        let result = self.fd.try_io(to_tokio(interest), &mut attempt);
        if self.assumed(interest).is_empty() || !would_block(&result) {
            return result;
        }
        let result = attempt(self.fd.get_ref());
        if would_block(&result) {
            self.forget(interest.mask());
        }
        result
    }

    fn try_now<R>(
        &self,
        interest: Interest,
        _: impl FnOnce(&T) -> Ready,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.try_io(interest, operation)
    }

    async fn run<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        while !self.assumed(interest).is_empty() {
            let mut event = self.ready(interest).await?;
            match operation(&self.fd.get_ref().0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => event.clear(Ready::ALL),
                result => return result,
            }
        }
        self.fd
            .async_io(to_tokio(interest), move |fd| operation(&fd.0))
            .await
    }
}

fn would_block<R>(result: &io::Result<R>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncFd")
            .field(&self.fd.get_ref().0)
            .finish()
    }
}

impl<T: AsFd> fmt::Debug for Event<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.ready()).finish()
    }
}
