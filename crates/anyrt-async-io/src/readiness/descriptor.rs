//! Descriptors of any kind in async-io.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use anyrt_core::readiness::{self, Interest, Ready};
use anyrt_kit::readiness::{Registration, Source, Waiter};
use async_io::{Async, Timer};

use super::look::look;
use super::watched::unmet;
use crate::reactor::{Reactor, Told};
use crate::runtime::{Handle, Host};

/// A descriptor of any kind that the system can poll, non-blocking, with its readiness.
pub type AsyncFd<T> = anyrt_kit::readiness::AsyncFd<Watch, T>;

impl<H: Host> readiness::Reactor for Handle<H> {
    type AsyncFd<T: AsFd> = AsyncFd<T>;

    fn async_fd<T: AsFd>(&self, fd: T, interest: Interest) -> Result<AsyncFd<T>, (T, io::Error)> {
        match Watch::start(self.reactor(), fd.as_fd(), interest) {
            Ok(watch) => Ok(AsyncFd::new(watch, fd)),
            Err(error) => Err((fd, error)),
        }
    }
}

/// After what time it is looked again for an error or out-of-band data, while there is something else to read: the
/// reactor would tell of that again at once.
const PAUSE: Duration = Duration::from_millis(10);

/// That async-io watches a descriptor.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    told: Arc<Told>,
    interest: Interest,
    asked: Mutex<Asked>,
    /// What the reactor wakes.
    waker: Waker,
}

/// What the reactor was asked and has not told yet.
#[derive(Debug)]
struct Asked {
    /// A duplicate: the reactor wants to own what it watches. `None` after the end.
    fd: Option<Async<OwnedFd>>,
    reading: bool,
    writing: bool,
    again: Option<Timer>,
}

impl Watch {
    fn start(reactor: &Arc<Reactor>, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<Self> {
        let asked = Asked {
            fd: Some(Async::new_nonblocking(fd.try_clone_to_owned()?)?),
            reading: false,
            writing: false,
            again: None,
        };
        let told = Told::enter(reactor, Ready::EMPTY)?;
        let shared = Arc::new_cyclic(|shared| Shared {
            told,
            interest,
            asked: Mutex::new(asked),
            waker: Waker::from(Arc::new(Bell(Weak::clone(shared)))),
        });
        Ok(Self { shared })
    }

    /// Looks what there is, which nobody tells while nobody waits.
    fn look(&self) {
        let asked = self.shared.lock();
        let Some(fd) = &asked.fd else { return };
        let ready = look(fd.get_ref().as_fd(), self.shared.interest);
        drop(asked);
        // What is known already is no event: whoever is about to find that it is not ready may still clear it.
        let watched = self.shared.interest | Interest::ERROR;
        let new = ready - self.source().look(watched).ready();
        if !new.is_empty() {
            self.source().assume(new);
        }
    }
}

impl Registration for Watch {
    const EDGE_TRIGGERED: bool = false;

    #[inline]
    fn source(&self) -> &Source {
        self.shared.told.source()
    }

    fn bind(&self, _: BorrowedFd<'_>, interest: Interest, _: Waiter) -> io::Result<bool> {
        let shared = &*self.shared;
        let mut cx = Context::from_waker(&shared.waker);
        shared.lock().ask(interest, shared.interest, &mut cx)?;
        Ok(false)
    }

    fn refresh(&self, _: BorrowedFd<'_>, interest: Interest, _: Waiter) -> io::Result<()> {
        // Where nothing is known, who asks waits, and is told.
        if !self.source().look(interest).ready().is_empty() {
            self.look();
        }
        Ok(())
    }

    fn before_attempt(&self, interest: Interest) {
        if self.source().look(interest).ready().is_empty() {
            self.look();
        }
    }

    /// The duplicate would keep the descriptor open.
    fn end(&self, _: BorrowedFd<'_>) {
        self.shared.told.leave();
        let fd = self.shared.lock().fd.take();
        drop(fd);
    }
}

impl Asked {
    /// Has the reactor tell of the directions in which `interest` waits, of those that are watched.
    fn ask(
        &mut self,
        interest: Interest,
        watched: Interest,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let Some(fd) = &self.fd else { return Ok(()) };
        // Errors are told always.
        let reading = reads(interest) && (reads(watched) || interest.is_error());
        if reading && !self.reading {
            unmet(|| fd.poll_readable(cx))?;
            self.reading = true;
        }
        let writing = interest.is_writable() && watched.is_writable();
        if writing && !self.writing {
            unmet(|| fd.poll_writable(cx))?;
            self.writing = true;
        }
        Ok(())
    }

    /// In which directions the reactor has told that there is something, which it then does no more.
    fn told(&mut self, cx: &mut Context<'_>) -> Ready {
        let mut told = Ready::EMPTY;
        let Some(fd) = &self.fd else { return told };
        // An error comes from asking again, and comes again to whoever waits next.
        if self.reading && fd.poll_readable(cx).is_ready() {
            self.reading = false;
            told |= Ready::READABLE;
        }
        if self.writing && fd.poll_writable(cx).is_ready() {
            self.writing = false;
            told |= Ready::WRITABLE;
        }
        told
    }

    fn is_time_to_look_again(&mut self, cx: &mut Context<'_>) -> bool {
        let time = match &mut self.again {
            Some(timer) => Pin::new(timer).poll(cx).is_ready(),
            None => false,
        };
        if time {
            self.again = None;
        }
        time
    }
}

/// The reactor, and `poll`, tell of errors and out-of-band data with what can be read.
fn reads(interest: Interest) -> bool {
    interest.is_readable() || interest.is_priority() || interest.is_error()
}

impl Shared {
    /// The reactor has woken: passes on what there is.
    fn tell(&self) {
        let mut cx = Context::from_waker(&self.waker);
        let mut asked = self.lock();
        let told = asked.told(&mut cx);
        let time = asked.is_time_to_look_again(&mut cx);
        let Some(fd) = &asked.fd else { return };
        if told.is_empty() && !time {
            return;
        }
        let mut ready = look(fd.get_ref().as_fd(), self.interest);
        drop(asked);
        // There are descriptors that `poll` cannot look at, such as terminals on macOS.
        for interest in [Interest::READABLE, Interest::WRITABLE] {
            if (ready & interest.mask()).is_empty() {
                ready |= told & interest.mask();
            }
        }
        let source = self.told.source();
        source.tell(ready);
        let awaited = source.awaited();
        if awaited.is_some_and(|interest| interest.is_error() || interest.is_priority()) {
            self.look_again(&mut cx);
        }
    }

    /// For those for whom there was not the right thing to read.
    fn look_again(&self, cx: &mut Context<'_>) {
        let mut asked = self.lock();
        if asked.fd.is_some() && !asked.reading {
            let mut timer = Timer::after(PAUSE);
            let _ = Pin::new(&mut timer).poll(cx);
            asked.again = Some(timer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the reactor keeps must not keep the watch.
struct Bell(Weak<Shared>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.tell();
        }
    }
}
