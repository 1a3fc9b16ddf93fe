//! How a thread waits: a worker in its [`Reactor`], any other thread by itself.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use anyrt_kit::executor::{Role, Turns};

use crate::reactor::Reactor;

/// A thread that wakes itself this often has its reactor looked at, although nobody asked for it.
const WAKES: u32 = 8;

thread_local! {
    static HERE: Here = const {
        Here {
            gathered: RefCell::new(Vec::new()),
            turn_due: Cell::new(false),
            parker: RefCell::new(None),
            seated: RefCell::new(None),
        }
    };
}

struct Here {
    /// Who is to be woken for what this thread has seen in the reactor.
    gathered: RefCell<Vec<Waker>>,
    /// Whether the reactor is to have its turn before anything is run again.
    turn_due: Cell<bool>,
    /// Kept for the next `block_on`, to spare allocations.
    parker: RefCell<Option<Arc<Parker>>>,
    /// The one of the innermost `block_on`.
    seated: RefCell<Option<Arc<Parker>>>,
}

/// What a worker tells a reactor that it turns itself.
pub const TURNS: Turns = Turns {
    begin: wake_gathered,
    over: || HERE.with(|here| here.turn_due.set(true)),
    is_woken,
};

/// Runs `future` on this thread.
pub fn block_on<F: Future>(reactor: &Arc<Reactor>, role: Role, future: F) -> F::Output {
    let seat = Seat::take(reactor, role);
    let waker = Waker::from(Arc::clone(&seat.parker));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let mut wakes = 0;
    loop {
        forget_gathered(&waker);
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        // Where no worker was polled, as when the clock's driver waits for something else.
        wake_gathered();
        if role == Role::Caller {
            seat.parker.park();
        } else if !seat.parker.take_wake() {
            wakes = 0;
            reactor.wait(&seat.parker);
        } else {
            wakes += 1;
            let turn_due = HERE.with(|here| here.turn_due.take());
            if turn_due || wakes == WAKES {
                wakes = 0;
                reactor.glance();
            }
        }
    }
}

/// Lets `turn` gather whom to wake; they are woken when this thread looks for tasks. Gives whether there are any.
pub(crate) fn gather(turn: impl FnOnce(&mut Vec<Waker>)) -> bool {
    HERE.with(|here| {
        let gathered = &mut *here.gathered.borrow_mut();
        turn(gathered);
        !gathered.is_empty()
    })
}

/// Takes out who would wake this thread, which is about to poll anyway. Else it would poll twice for each event.
fn forget_gathered(own: &Waker) {
    HERE.with(|here| {
        here.gathered
            .borrow_mut()
            .retain(|waker| !waker.will_wake(own))
    });
}

fn is_woken(waker: &Waker) -> bool {
    HERE.with(|here| {
        let seated = here.seated.borrow();
        let own = seated
            .as_ref()
            .filter(|parker| waker.data() == Arc::as_ptr(parker).cast());
        own.is_some_and(|parker| parker.state.load(Ordering::SeqCst) == WOKEN)
    })
}

fn wake_gathered() {
    HERE.with(|here| {
        if here.gathered.borrow().is_empty() {
            return;
        }
        // Taken out, since a waker may do anything.
        let mut gathered = here.gathered.take();
        for waker in gathered.drain(..) {
            waker.wake();
        }
        here.gathered.replace(gathered);
    });
}

/// A thread that is inside [`block_on`].
struct Seat<'a> {
    reactor: &'a Arc<Reactor>,
    role: Role,
    parker: Arc<Parker>,
    /// The one of the `block_on` around this one.
    outer: Option<Arc<Parker>>,
}

impl<'a> Seat<'a> {
    fn take(reactor: &'a Arc<Reactor>, role: Role) -> Self {
        let kept = HERE.with(|here| here.parker.take());
        let parker = kept
            .filter(|parker| parker.reactor.as_ptr() == Arc::as_ptr(reactor))
            .unwrap_or_else(|| Parker::new(reactor));
        if role == Role::Worker {
            reactor.enter();
        }
        let outer = HERE.with(|here| here.seated.replace(Some(Arc::clone(&parker))));
        Self {
            reactor,
            role,
            parker,
            outer,
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // What was seen and not told yet is told by nobody else.
        wake_gathered();
        if self.role == Role::Worker {
            self.reactor.leave();
        }
        // A late wake-up from this call is none for the next one, which polls first anyway.
        self.parker.take_wake();
        HERE.with(|here| {
            let parker = here.seated.replace(self.outer.take());
            here.parker.replace(parker)
        });
    }
}

/// Is running.
const RUNNING: u8 = 0;
/// Was woken.
const WOKEN: u8 = 1;
/// Sleeps by itself.
const PARKED: u8 = 2;
/// Waits in the epoll.
const LEADS: u8 = 3;

/// What wakes one thread.
pub(crate) struct Parker {
    state: AtomicU8,
    thread: Thread,
    /// Not kept alive by a thread that once ran it.
    reactor: Weak<Reactor>,
}

impl Parker {
    fn new(reactor: &Arc<Reactor>) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicU8::new(RUNNING),
            thread: thread::current(),
            reactor: Arc::downgrade(reactor),
        })
    }

    /// Whether the thread was woken since it asked last. It runs from now on.
    pub(crate) fn take_wake(&self) -> bool {
        self.state.swap(RUNNING, Ordering::SeqCst) == WOKEN
    }

    /// Sleeps until the thread is woken.
    pub(crate) fn park(&self) {
        if self.become_(PARKED) {
            // The state, since others may use the thread's own token, the future itself for one.
            while self.state.load(Ordering::SeqCst) == PARKED {
                thread::park();
            }
        }
        self.take_wake();
    }

    /// From now on a wake-up rings the reactor's doorbell. `false` if the thread was woken already.
    pub(crate) fn begin_to_lead(&self) -> bool {
        let leads = self.become_(LEADS);
        if !leads {
            self.take_wake();
        }
        leads
    }

    fn become_(&self, state: u8) -> bool {
        self.state
            .compare_exchange(RUNNING, state, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match self.state.swap(WOKEN, Ordering::SeqCst) {
            PARKED => self.thread.unpark(),
            LEADS => {
                if let Some(reactor) = self.reactor.upgrade() {
                    reactor.ring();
                }
            }
            _ => {}
        }
    }
}
