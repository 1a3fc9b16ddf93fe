//! The reactor of one runtime: an edge-triggered epoll in which its workers wait themselves.
//!
//! # Why not in async-io
//! async-io waits in one epoll for the whole process. Each wait takes five system calls there, each time that a socket
//! has nothing to read two more, and workers that want to wait at once take turns, which is a switch of threads per
//! event. Here a wait is one system call and a socket is registered once. async-io still drives what is its own
//! (`smol::net`, `async_io::Timer`, …) on a thread of its own, and a reactor that no worker turns.
//!
//! # Who waits
//! ```text
//! a worker without work --- nobody leads ------> leads: waits in the epoll for all
//!                       --- somebody leads ----> follows: parks until it is woken
//! the leader has events, or is woken ----------> keeps the tasks that they wake, and goes to run them
//! no worker is left ---------------------------> async-io watches the epoll
//! ```
//! Who is woken by the events of a leader is queued with it, so a lone request wakes no second thread. While the leader
//! runs tasks nobody waits in the epoll, as on Tokio, unless there is more than one task: then another worker is woken.
//! A worker that leaves for good wakes a follower.
//!
//! # Why no event is lost
//! See [`anyrt_kit::readiness::Source`]. A wake-up of a thread that leads writes to the doorbell, which is never read,
//! since every write is a new edge; so does a timer that is earlier than the alarm that the leader has set.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use anyrt_core::readiness::{Interest, Ready};
use anyrt_kit::readiness::{Source, Sources};
use anyrt_kit::time::timers::Timers;
use async_io::Async;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::park::{self, Parker};
use crate::time::now;

mod timers;

pub use crate::park::{TURNS, block_on};
pub(crate) use timers::{Sleep, sleep_until};
pub use timers::{alarm, turn};

/// Events taken at once.
const BATCH: usize = 256;

const DOORBELL: u64 = u64::MAX;
const ALARM: u64 = u64::MAX - 1;

/// Which descriptors are ready, which timers are due, and who waits for it.
pub struct Reactor {
    epoll: Arc<OwnedFd>,
    /// Wakes the leader; never read, since every write is a new edge.
    doorbell: OwnedFd,
    /// Fires at the deadline of the earliest timer.
    alarm: OwnedFd,
    sources: Mutex<Sources>,
    timers: Timers,
    /// Held by the thread that waits in the epoll.
    lead: Mutex<Lead>,
    /// Whether that thread waits and has to be told of an earlier timer.
    waiting: AtomicBool,
    /// Workers that wait beside the leader.
    followers: Mutex<Vec<Arc<Parker>>>,
    /// How many workers there are.
    workers: AtomicUsize,
    /// Where the epoll is watched while there are none.
    outside: OnceLock<Outside>,
}

/// What the leader remembers.
struct Lead {
    /// When the alarm will go off.
    alarm: Option<Instant>,
}

impl Reactor {
    /// A reactor that nobody turns yet.
    ///
    /// # Errors
    /// As the system gives no descriptors.
    pub fn new() -> io::Result<Arc<Self>> {
        let reactor = Self {
            epoll: Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?),
            doorbell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            alarm: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            sources: Mutex::default(),
            timers: Timers::default(),
            lead: Mutex::new(Lead { alarm: None }),
            waiting: AtomicBool::new(false),
            followers: Mutex::default(),
            workers: AtomicUsize::new(0),
            outside: OnceLock::new(),
        };
        for (fd, token) in [(&reactor.doorbell, DOORBELL), (&reactor.alarm, ALARM)] {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&reactor.epoll, fd, epoll::EventData::new_u64(token), flags)?;
        }
        Ok(Arc::new(reactor))
    }

    /// Begins to watch `fd`. Gives the token to stop it with.
    pub(crate) fn add(
        self: &Arc<Self>,
        fd: BorrowedFd<'_>,
        interest: Interest,
        source: &Arc<Source>,
    ) -> io::Result<u64> {
        let token = lock(&self.sources).add(source, |token| {
            let flags = epoll::EventFlags::from_bits_retain(interest.epoll_flags());
            epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), flags)?;
            Ok(())
        })?;
        // Looked at after the source is there; who leaves does the opposite, so one of the two sees the other.
        if self.workers.load(Ordering::SeqCst) == 0 {
            self.watch_outside();
        }
        Ok(token)
    }

    /// Stops watching. Before the descriptor is closed: a duplicate of it somewhere would keep it in the epoll.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>, token: u64) {
        // Fails only if the descriptor is not in there, which is what is wanted.
        let _ = epoll::delete(&self.epoll, fd);
        let source = lock(&self.sources).remove(token);
        drop(source);
    }

    /// The timers, which follow the system's clock.
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Makes the leader look at the timers anew.
    pub(crate) fn look_again(&self) {
        if self.waiting.swap(false, Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Makes the leader come back.
    pub(crate) fn ring(&self) {
        // Full only after 2^64 rings that were never heard.
        let _ = rustix::io::write(&self.doorbell, &1u64.to_ne_bytes());
    }

    /// The runtime has ended: whoever waits for a timer or a descriptor is told so.
    pub fn end(&self) {
        self.timers.close();
        let mut wakers = Vec::new();
        lock(&self.sources).end(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }

    /// A worker comes.
    pub(crate) fn enter(&self) {
        self.workers.fetch_add(1, Ordering::SeqCst);
    }

    /// A worker leaves.
    pub(crate) fn leave(self: &Arc<Self>) {
        let was_last = self.workers.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last {
            if !lock(&self.sources).is_empty() {
                self.watch_outside();
            }
        } else {
            self.wake_follower();
        }
    }

    /// After the lead was let go without a wait: a worker that came meanwhile may lead.
    fn wake_follower(&self) {
        let follower = lock(&self.followers).pop();
        if let Some(follower) = follower {
            follower.wake();
        }
    }

    /// Takes what is there without waiting; see [`park::gather`].
    pub(crate) fn glance(&self) {
        if let Some(mut lead) = self.try_lead() {
            park::gather(|wakers| self.turn(&mut lead, false, wakers));
            drop(lead);
            self.wake_follower();
        }
    }

    /// Waits for an event, or until `parker` is woken.
    pub(crate) fn wait(&self, parker: &Arc<Parker>) {
        if let Some(lead) = self.try_lead() {
            return self.lead(lead, parker);
        }
        lock(&self.followers).push(Arc::clone(parker));
        // The leader may have left before it could see this one.
        match self.try_lead() {
            Some(lead) => self.lead(lead, parker),
            None => parker.park(),
        }
        lock(&self.followers).retain(|other| !Arc::ptr_eq(other, parker));
    }

    fn lead(&self, mut lead: MutexGuard<'_, Lead>, parker: &Parker) {
        while parker.begin_to_lead() {
            self.waiting.store(true, Ordering::SeqCst);
            let wait = self.set_alarm(&mut lead);
            let gathered = park::gather(|wakers| self.turn(&mut lead, wait, wakers));
            self.waiting.store(false, Ordering::SeqCst);
            if parker.take_wake() || gathered {
                return;
            }
        }
    }

    /// Sets the alarm for the earliest timer. `false` if that is due.
    fn set_alarm(&self, lead: &mut Lead) -> bool {
        let Some(at) = self.timers.earliest() else {
            return true;
        };
        // An alarm that goes off too early costs one turn; to set it anew for every deadline would cost a system call
        // each.
        if lead.alarm.is_some_and(|set| set <= at) {
            return true;
        }
        let delay = at.saturating_duration_since(now());
        if delay.is_zero() {
            return false;
        }
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(delay).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            }),
        };
        let set = timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &spec);
        lead.alarm = set.is_ok().then_some(at);
        set.is_ok()
    }

    /// Takes the events that are there, or waits for the first one, and gathers who waits for them and for the timers
    /// that are due.
    fn turn(&self, lead: &mut Lead, wait: bool, wakers: &mut Vec<Waker>) {
        const NOW: Timespec = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut buffer = [const { MaybeUninit::<epoll::Event>::uninit() }; BATCH];
        let mut timeout = (!wait).then_some(&NOW);
        // It fails on a signal only; then the next turn sees the events.
        while let Ok((events, _)) = epoll::wait(&self.epoll, &mut buffer, timeout) {
            let sources = lock(&self.sources);
            for event in &*events {
                let (token, flags) = (event.data.u64(), event.flags);
                match token {
                    DOORBELL => {}
                    ALARM => lead.alarm = None,
                    token => {
                        if let Some(source) = sources.get(token) {
                            source.set(Ready::from_epoll(flags.bits()), wakers);
                        }
                    }
                }
            }
            if events.len() < BATCH {
                break;
            }
            timeout = Some(&NOW);
        }
        if self.timers.earliest().is_some() {
            self.timers.fire(now(), wakers);
        }
    }

    fn try_lead(&self) -> Option<MutexGuard<'_, Lead>> {
        match self.lead.try_lock() {
            Ok(lead) => Some(lead),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[cold]
    fn watch_outside(self: &Arc<Self>) {
        if self.outside.get().is_none() {
            // An epoll is never read, so it need not be non-blocking.
            let Ok(watched) = Async::new_nonblocking(Arc::clone(&self.epoll)) else {
                return;
            };
            let waker = Waker::from(Arc::new(Look(Arc::downgrade(self))));
            // Another thread may have been faster.
            let _ = self.outside.set(Outside { watched, waker });
        }
        self.look_outside();
    }

    /// Takes the events that are there while there are no workers, and asks to be told of the next ones.
    fn look_outside(&self) {
        let Some(outside) = self.outside.get() else {
            return;
        };
        let mut cx = Context::from_waker(&outside.waker);
        let mut wakers = Vec::new();
        // A worker that came takes over, and arranges for this again when it leaves.
        while self.workers.load(Ordering::SeqCst) == 0 {
            if let Some(mut lead) = self.try_lead() {
                self.turn(&mut lead, false, &mut wakers);
                drop(lead);
                self.wake_follower();
            }
            for waker in wakers.drain(..) {
                waker.wake();
            }
            if outside.watched.poll_readable(&mut cx).is_pending() {
                return;
            }
        }
    }
}

/// The epoll as async-io watches it.
struct Outside {
    watched: Async<Arc<OwnedFd>>,
    /// A [`Look`], always the same, since async-io wakes one waker when another one comes.
    waker: Waker,
}

/// Turns the reactor from async-io's thread. It keeps nothing alive, since async-io keeps it until there is an event.
struct Look(Weak<Reactor>);

impl Wake for Look {
    fn wake(self: Arc<Self>) {
        if let Some(reactor) = self.0.upgrade() {
            reactor.look_outside();
        }
    }
}

impl AsFd for Reactor {
    /// The epoll, readable when there are events.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("sources", &lock(&self.sources).len())
            .field("timers", &self.timers)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
