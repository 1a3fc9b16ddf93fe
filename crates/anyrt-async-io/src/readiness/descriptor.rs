//! Descriptors of any kind, watched by async-io.

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

/// A non-blocking descriptor of any kind that the system can poll, with its readiness.
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

/// The pause between two checks for an error or out-of-band data while other data can be read. The
/// reactor would report that data again at once.
const PAUSE: Duration = Duration::from_millis(10);

/// The registration of a descriptor with async-io.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    told: Arc<Told>,
    interest: Interest,
    asked: Mutex<Asked>,
    /// Passed to the reactor.
    waker: Waker,
}

/// The requests to the reactor that it has not answered.
#[derive(Debug)]
struct Asked {
    /// A duplicate, because the reactor owns the descriptors it watches. `None` after the end.
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

    /// Looks up the readiness, which is not reported while no task waits.
    fn look(&self) {
        let asked = self.shared.lock();
        let Some(fd) = &asked.fd else { return };
        let ready = look(fd.get_ref().as_fd(), self.shared.interest);
        drop(asked);
        // Known readiness is not a new event: an operation that is about to fail must still be able
        // to clear it.
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
        // Without known readiness the caller waits, and the reactor reports.
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

    // The duplicate would keep the descriptor open.
    fn end(&self, _: BorrowedFd<'_>) {
        self.shared.told.leave();
        let fd = self.shared.lock().fd.take();
        drop(fd);
    }
}

impl Asked {
    /// Requests the directions of `interest` that are watched.
    fn ask(
        &mut self,
        interest: Interest,
        watched: Interest,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let Some(fd) = &self.fd else { return Ok(()) };
        // Errors are always reported.
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

    /// Returns the directions that the reactor has reported. Each needs a new request to be
    /// reported again.
    fn told(&mut self, cx: &mut Context<'_>) -> Ready {
        let mut told = Ready::EMPTY;
        let Some(fd) = &self.fd else { return told };
        // An error comes from the renewed request, and the next waiter gets it as well.
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

/// Returns `true` if the interest needs the reading direction, with which the reactor and `poll`
/// report errors and out-of-band data.
fn reads(interest: Interest) -> bool {
    interest.is_readable() || interest.is_priority() || interest.is_error()
}

impl Shared {
    /// Passes the readiness on after the reactor has woken.
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
        // `poll` does not support every descriptor, for example terminals on macOS.
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

    /// Schedules another check for tasks that wait for an error or out-of-band data and got
    /// neither.
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

/// The waker for the reactor. It is weak because the reactor must not keep the registration alive.
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
