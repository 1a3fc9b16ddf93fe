//! A descriptor of any kind that async-io watches, with what is known of its readiness.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use anyrt_core::readiness::{Interest, Ready};
use anyrt_kit::readiness::Source;
use async_io::{Async, Timer};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use super::look::look;
use super::socket::unmet;
use crate::reactor::{Reactor, Told};

/// After what time it is looked again for an error or out-of-band data, while there is something else to read: the
/// reactor would tell of that again at once.
const PAUSE: Duration = Duration::from_millis(10);

/// That a descriptor is watched.
pub(super) struct Watch {
    shared: Arc<Shared>,
}

struct Shared {
    told: Arc<Told>,
    interest: Interest,
    asked: Mutex<Asked>,
    /// What the reactor wakes.
    waker: Waker,
}

/// What the reactor was asked and has not told yet.
struct Asked {
    /// A duplicate: the reactor wants to own what it watches. `None` after the end.
    fd: Option<Async<OwnedFd>>,
    reading: bool,
    writing: bool,
    again: Option<Timer>,
}

impl Watch {
    pub(super) fn start(
        reactor: &Arc<Reactor>,
        fd: BorrowedFd<'_>,
        interest: Interest,
        assumed: Ready,
    ) -> io::Result<Self> {
        let asked = Asked {
            fd: Some(Async::new_nonblocking(fd.try_clone_to_owned()?)?),
            reading: false,
            writing: false,
            again: None,
        };
        let told = Told::enter(reactor, assumed)?;
        let shared = Arc::new_cyclic(|shared| Shared {
            told,
            interest,
            asked: Mutex::new(asked),
            waker: Waker::from(Arc::new(Bell(Weak::clone(shared)))),
        });
        Ok(Self { shared })
    }

    /// What is known of its readiness.
    #[inline]
    pub(super) fn source(&self) -> &Source {
        self.shared.told.source()
    }

    /// Asks the reactor to tell of what `interest` waits for.
    pub(super) fn bind(&self, interest: Interest) -> io::Result<bool> {
        let shared = &*self.shared;
        let mut cx = Context::from_waker(&shared.waker);
        shared.lock().ask(interest, shared.interest, &mut cx)?;
        Ok(false)
    }

    /// Looks what came since readiness was told last, for whoever would be told of that alone and not wait.
    pub(super) fn freshen(&self, interest: Interest) {
        if !self.source().look(interest).ready().is_empty() {
            self.refresh();
        }
    }

    fn refresh(&self) {
        let asked = self.shared.lock();
        let Some(fd) = &asked.fd else { return };
        let ready = look(fd.get_ref().as_fd(), self.shared.interest);
        drop(asked);
        // What is known already is no event: whoever is about to find that it is not ready may still clear it.
        let new = ready
            - self
                .source()
                .look(self.shared.interest | Interest::ERROR)
                .ready();
        if !new.is_empty() {
            self.source().assume(new);
        }
    }

    /// See [`Source::attempt`]; unless somebody waits, nobody tells of readiness, so it is looked for.
    pub(super) fn attempt<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        if self.source().look(interest).ready().is_empty() {
            self.refresh();
        }
        self.source().attempt(interest, operation)
    }

    /// Before the descriptor is closed: the duplicate would keep it open.
    pub(super) fn end(&self) {
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
