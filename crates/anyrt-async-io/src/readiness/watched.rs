//! A socket watched by async-io, with its known readiness.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use anyrt_core::coop;
use anyrt_core::readiness::{Direction, Interest, Readiness, Ready};
use anyrt_kit::net::System;
use anyrt_kit::readiness::{
    self, Event, READ, Source, Waiter, Watched as _, poll_io, run, unclosed,
};
use async_io::{Async, Timer};
use once_cell::race::OnceBox;
use rustix::fd::AsFd;

use super::look::look;
use crate::reactor::{Reactor, Told};

/// The interest for `poll(2)`, which is what Tokio watches. Errors are always reported.
const WATCHED: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The pause of a wait for errors alone while data can be read. async-io would report that data
/// again at once.
const PAUSE: Duration = Duration::from_millis(10);

/// A socket watched by async-io.
///
/// Its [`Source`] holds the known readiness until an operation finds that it is over. An operation
/// that has to wait leaves its waker there and makes a request to async-io, which wakes the source.
/// async-io never gets a waker of the user, so none remains there when the runtime has ended.
pub struct Watched<T: System> {
    told: Arc<Told>,
    // `None` only while it is being removed.
    inner: Option<Async<T>>,
    /// Passed to async-io for readers.
    readable: Waker,
    /// Created when a writer waits for the first time, which is rare.
    writable: OnceBox<Waker>,
}

impl<T: System> Watched<T> {
    /// Registers a non-blocking socket, which is assumed to be `ready` until an operation finds
    /// that it is not.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor, or if the runtime has ended.
    pub fn new(reactor: &Arc<Reactor>, socket: T, ready: Ready) -> io::Result<Self> {
        let inner = Some(Async::new_nonblocking(socket)?);
        let told = Told::enter(reactor, ready)?;
        Ok(Self {
            readable: Waker::from(Arc::clone(&told)),
            told,
            inner,
            writable: OnceBox::new(),
        })
    }

    #[inline]
    fn inner(&self) -> &Async<T> {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    /// Returns the reactor that watches it.
    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        self.told.reactor()
    }

    fn unwatch(&mut self) -> Option<Async<T>> {
        let inner = self.inner.take()?;
        self.told.leave();
        Some(inner)
    }

    /// Returns the current readiness within `interest`.
    fn find(&self, interest: Interest) -> io::Result<Ready> {
        let ready = look(AsFd::as_fd(self.get_ref()), WATCHED) & interest.mask();
        if ready.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(ready)
    }

    /// Like [`find`](Self::find), and stores the result. `event` is the readiness known before.
    fn find_and_keep(&self, event: Event, interest: Interest) -> io::Result<Ready> {
        let found = self.find(interest)?;
        self.source().clear(event, interest.mask() - found);
        self.keep(found, interest);
        Ok(found)
    }

    /// Returns the known readiness within `interest`, with changes since then: a close is not
    /// reported while some readiness is known.
    fn known(&self, interest: Interest) -> Option<Ready> {
        let known = self.source().look(interest).ready();
        if known.is_empty() {
            return None;
        }
        let now = look(AsFd::as_fd(self.get_ref()), WATCHED) & interest.mask();
        self.keep(now, interest);
        Some(known | now)
    }

    /// Stores new readiness. Known readiness is not a new event: an operation that is about to fail
    /// must still be able to clear it.
    fn keep(&self, ready: Ready, interest: Interest) {
        let new = ready - self.source().look(interest).ready();
        if !new.is_empty() {
            self.source().assume(new);
        }
    }

    /// Waits for an error, or for readiness that is never reported, even while data can be read.
    async fn exceptional(&self, interest: Interest) -> io::Result<Ready> {
        loop {
            self.source().check()?;
            match self.find(interest) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                found => return found,
            }
            // Until the next report of async-io.
            let mut told = false;
            let again = |_| match std::mem::replace(&mut told, true) {
                true => Ok(()),
                false => Err(io::Error::from(io::ErrorKind::WouldBlock)),
            };
            self.source().assume(Ready::READABLE);
            let bind = || self.bind(READ, Waiter::OneOfMany);
            self.source().run(READ, bind, again).uncharged().await?;
            Timer::after(PAUSE).await;
        }
    }
}

/// Repeats the request until it is pending: an earlier report does not count.
pub(super) fn unmet(mut ask: impl FnMut() -> Poll<io::Result<()>>) -> io::Result<()> {
    while let Poll::Ready(result) = ask() {
        result?;
    }
    Ok(())
}

/// The waker for writers. The one for readers is [`Told`] itself.
struct Writable(Arc<Told>);

impl Wake for Writable {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.source().tell(Ready::WRITABLE);
    }
}

impl<T: System> readiness::Watched for Watched<T> {
    type Inner = T;

    // async-io reports a direction once per request.
    const EDGE_TRIGGERED: bool = false;

    #[inline]
    fn get_ref(&self) -> &T {
        self.inner().get_ref()
    }

    fn into_inner(mut self) -> io::Result<T> {
        match self.unwatch() {
            Some(inner) => inner.into_inner(),
            None => unreachable!("the socket leaves only with the handle"),
        }
    }

    #[inline]
    fn source(&self) -> &Source {
        self.told.source()
    }

    /// Requests the directions of `interest` from async-io.
    #[inline]
    fn bind(&self, interest: Interest, _: Waiter) -> io::Result<bool> {
        let inner = self.inner();
        if interest.is_readable() || !interest.is_writable() {
            let mut cx = Context::from_waker(&self.readable);
            unmet(|| inner.poll_readable(&mut cx))?;
        }
        if interest.is_writable() {
            let bell = || Box::new(Waker::from(Arc::new(Writable(Arc::clone(&self.told)))));
            let mut cx = Context::from_waker(self.writable.get_or_init(bell));
            unmet(|| inner.poll_writable(&mut cx))?;
        }
        Ok(false)
    }
}

impl<T: System> Readiness for Watched<T> {
    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.source().check()?;
        if let Some(known) = self.known(interest) {
            return Ok(known);
        }
        if !interest.is_readable() && !interest.is_writable() {
            return self.exceptional(interest).await;
        }
        // So that the first check is made at once.
        self.source().assume(unclosed(interest));
        let bind = || self.bind(interest, Waiter::OneOfMany);
        let find = |event| self.find_and_keep(event, interest);
        self.source().run(interest, bind, find).uncharged().await
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let interest = direction.interest();
        self.source().check()?;
        if self.known(interest).is_some() {
            return coop::charged(cx, |_| Poll::Ready(Ok(())));
        }
        // Ready until an operation finds otherwise, as in Tokio, even if one that found data has
        // left none.
        poll_io(self, cx, direction, |_| self.find(interest))
            .map_ok(|found| self.keep(found, interest))
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        // async-io reports only while a task waits.
        if self.source().look(interest).ready().is_empty() {
            let found = self.find(interest)?;
            self.source().assume(found);
        }
        self.source().attempt(interest, operation)
    }

    fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        run(self, interest, move |_| operation())
    }
}

impl<T: System> Drop for Watched<T> {
    fn drop(&mut self) {
        let _ = self.unwatch();
    }
}

impl<T: System> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.get_ref(), f)
    }
}
