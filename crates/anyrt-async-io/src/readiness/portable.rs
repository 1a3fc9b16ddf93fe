//! The reactor of async-io alone, for every system that it knows.
//!
//! It tells of a direction once each time that it is asked, whether what is there is new or not. So it is asked when
//! somebody waits; what the descriptor is ready for is then looked up with `poll`, which tells errors, closed directions
//! and out-of-band data apart. Who knows of no readiness and does not wait looks there, too.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use anyrt_core::readiness::{Interest, Ready};
use anyrt_kit::readiness::Source;
use async_io::{Async, Timer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::reactor::Reactor;

/// After what time it is looked again for an error or out-of-band data, while there is something else to read: the
/// reactor would tell of that again at once.
const PAUSE: Duration = Duration::from_millis(10);

/// That a descriptor is watched.
pub(super) struct Watch {
    reactor: Arc<Reactor>,
    shared: Arc<Shared>,
    token: u64,
}

struct Shared {
    source: Arc<Source>,
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
        let shared = Arc::new_cyclic(|shared| Shared {
            source: Arc::new(Source::new(assumed)),
            interest,
            asked: Mutex::new(asked),
            waker: Waker::from(Arc::new(Bell(Weak::clone(shared)))),
        });
        let token = reactor.add(&shared.source)?;
        Ok(Self {
            reactor: Arc::clone(reactor),
            shared,
            token,
        })
    }

    #[inline]
    pub(super) fn source(&self) -> &Source {
        &self.shared.source
    }

    /// Asks the reactor to tell of what `interest` waits for.
    pub(super) fn bind(&self, interest: Interest) -> io::Result<bool> {
        let shared = &*self.shared;
        let mut cx = Context::from_waker(&shared.waker);
        shared.lock().ask(interest, shared.interest, &mut cx)?;
        Ok(false)
    }

    /// Sees to it that what is ready is known.
    pub(super) fn refresh(&self) {
        let asked = self.shared.lock();
        let Some(fd) = &asked.fd else { return };
        let ready = look(fd.get_ref().as_fd(), self.shared.interest);
        drop(asked);
        self.source().assume(ready);
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
    pub(super) fn end(&self, _: BorrowedFd<'_>) {
        self.reactor.remove(self.token);
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

/// Asks until the answer is still to come: what was told before the question does not count.
fn unmet(mut ask: impl FnMut() -> Poll<io::Result<()>>) -> io::Result<()> {
    while let Poll::Ready(result) = ask() {
        result?;
    }
    Ok(())
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
        let mut wakers = Vec::new();
        self.source.set(ready, &mut wakers);
        // Outside the lock, since a waker may do anything.
        for waker in wakers {
            waker.wake();
        }
        let awaited = self.source.awaited();
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

/// What `fd` is ready for at this moment, of what is watched.
fn look(fd: BorrowedFd<'_>, watched: Interest) -> Ready {
    const NOW: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut reading = PollFlags::empty();
    if watched.is_readable() {
        reading |= PollFlags::IN | HALF_CLOSED;
    }
    if watched.is_priority() && cfg!(unix) {
        reading |= PollFlags::PRI;
    }
    let mut writing = PollFlags::empty();
    if watched.is_writable() {
        writing |= PollFlags::OUT;
    }
    // One question for each direction: most systems tell of a hang-up in the direction that was asked for.
    let mut answers = [reading, writing].map(|flags| PollFd::from_borrowed_fd(fd, flags));
    if !matches!(poll(&mut answers, Some(&NOW)), Ok(1..)) {
        return Ready::EMPTY;
    }
    let [read, written] = answers.map(|answer| answer.revents());
    // Windows hangs up when the other side sends no more, although it may still read.
    let written = match cfg!(windows) {
        true => written - PollFlags::HUP,
        false => written,
    };
    let written = from_poll(written) & (Interest::WRITABLE | Interest::ERROR).mask();
    let of_reading = Interest::READABLE | Interest::PRIORITY | Interest::ERROR;
    (from_poll(read) & of_reading.mask()) | written
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos"
))]
const HALF_CLOSED: PollFlags = PollFlags::RDHUP;
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "illumos"
)))]
const HALF_CLOSED: PollFlags = PollFlags::empty();

/// The numbers differ from system to system.
fn from_poll(flags: PollFlags) -> Ready {
    const LINUX: [(PollFlags, u32); 6] = [
        (PollFlags::IN, 0x1),
        (PollFlags::PRI, 0x2),
        (PollFlags::OUT, 0x4),
        (PollFlags::ERR, 0x8),
        (PollFlags::HUP, 0x10),
        (HALF_CLOSED, 0x2000),
    ];
    let there = LINUX.iter().filter(|(flag, _)| flags.intersects(*flag));
    Ready::from_epoll(there.fold(0, |sum, (_, number)| sum | number))
}
