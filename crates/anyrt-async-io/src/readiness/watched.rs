//! A socket in async-io, with what is known of its readiness.

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

/// What `poll(2)` is asked, as what Tokio watches: an error is told always.
const WATCHED: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// How long a wait for an error alone pauses while there is something to read: async-io would tell of that again at once.
const PAUSE: Duration = Duration::from_millis(10);

/// A socket in async-io.
///
/// Its [`Source`] holds what is known of its readiness, until an operation finds that it is over. Whoever found nothing to
/// do leaves a waker there and asks async-io, which wakes the source: a waker of the user never gets into async-io, so
/// none stays there when the runtime has ended.
pub struct Watched<T: System> {
    told: Arc<Told>,
    // `None` only while it is taken out.
    inner: Option<Async<T>>,
    /// Made when a writer waits for the first time, which few do.
    writable: OnceBox<Waker>,
}

impl<T: System> Watched<T> {
    /// A non-blocking socket, which is taken for `ready` until someone finds that it is not.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor, or if the runtime has ended.
    pub fn new(reactor: &Arc<Reactor>, socket: T, ready: Ready) -> io::Result<Self> {
        let inner = Some(Async::new_nonblocking(socket)?);
        Ok(Self {
            told: Told::enter(reactor, ready)?,
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

    /// The reactor that watches it.
    pub(crate) fn reactor(&self) -> &Arc<Reactor> {
        self.told.reactor()
    }

    fn unwatch(&mut self) -> Option<Async<T>> {
        let inner = self.inner.take()?;
        self.told.leave();
        Some(inner)
    }

    /// What it is ready for of `interest` at this moment.
    fn find(&self, interest: Interest) -> io::Result<Ready> {
        let ready = look(AsFd::as_fd(self.get_ref()), WATCHED) & interest.mask();
        if ready.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(ready)
    }

    /// As [`find`](Self::find), and remembers it. `event` is what was known before.
    fn find_and_keep(&self, event: Event, interest: Interest) -> io::Result<Ready> {
        let found = self.find(interest)?;
        self.source().clear(event, interest.mask() - found);
        self.keep(found, interest);
        Ok(found)
    }

    /// What is known of `interest`, with what came since then: the socket may have been closed, which nobody would tell
    /// while something is known.
    fn known(&self, interest: Interest) -> Option<Ready> {
        let known = self.source().look(interest).ready();
        if known.is_empty() {
            return None;
        }
        let now = look(AsFd::as_fd(self.get_ref()), WATCHED) & interest.mask();
        self.keep(now, interest);
        Some(known | now)
    }

    /// What is known already is no event: whoever is about to find that it is over may still clear it.
    fn keep(&self, ready: Ready, interest: Interest) {
        let new = ready - self.source().look(interest).ready();
        if !new.is_empty() {
            self.source().assume(new);
        }
    }

    /// Waits for an error, or for what is never told, beside anything that may be there to read.
    async fn exceptional(&self, interest: Interest) -> io::Result<Ready> {
        loop {
            self.source().check()?;
            match self.find(interest) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                found => return found,
            }
            // Until async-io has told of something once more.
            let mut told = false;
            let again = |_| match std::mem::replace(&mut told, true) {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
            self.source().assume(Ready::READABLE);
            let bind = || self.bind(READ, Waiter::OneOfMany);
            self.source().run(READ, bind, again).uncharged().await?;
            Timer::after(PAUSE).await;
        }
    }
}

/// Asks until the answer is still to come: what was told before the question does not count.
pub(super) fn unmet(mut ask: impl FnMut() -> Poll<io::Result<()>>) -> io::Result<()> {
    while let Poll::Ready(result) = ask() {
        result?;
    }
    Ok(())
}

/// What async-io wakes for writers; for readers it is [`Told`] itself.
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

    // async-io tells of a direction once, when it is asked.
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

    /// Asks async-io to tell of the directions of `interest`.
    fn bind(&self, interest: Interest, _: Waiter) -> io::Result<bool> {
        let inner = self.inner();
        if interest.is_readable() || !interest.is_writable() {
            let waker = Waker::from(Arc::clone(&self.told));
            let mut cx = Context::from_waker(&waker);
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
        // To look at once.
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
        poll_io(self, cx, direction, |_| self.find(interest)).map_ok(drop)
    }

    fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        // Unless somebody waits, nobody tells.
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
