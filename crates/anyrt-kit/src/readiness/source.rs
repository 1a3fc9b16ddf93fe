//! What a descriptor shares with an edge-triggered poller.
//!
//! # Why no readiness is lost
//! - The state holds what is ready and a tick that each event advances. Who finds a descriptor not ready clears it
//!   only if the tick is still the one that he saw *before* the system call; an event in between keeps it.
//! - Who waits leaves the waker first and looks at the state again afterwards; the poller sets the state first and
//!   takes the wakers afterwards. Both are sequentially consistent, so one of the two sees the other.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use anyrt_core::coop;
use anyrt_core::error::RuntimeEnded;
use anyrt_core::readiness::{Direction, Interest, Ready, ReadyEvent};
use anyrt_core::waiters::wake_all;

use crate::sync::{AtomicBool, AtomicU32, AtomicWaker, Mutex, MutexGuard, Ordering, PoisonError};

/// The poller has ended: nobody will ever report readiness again.
const GONE: u32 = 1 << 8;
const TICK: u32 = 1 << 9;

/// For runtime authors: the readiness of one descriptor, and who waits for it.
#[derive(Debug)]
pub struct Source {
    state: AtomicU32,
    /// One per direction for the functions that poll: who polled last.
    reader: AtomicWaker,
    writer: AtomicWaker,
    /// The futures of operations through `&self`, of which any number may wait.
    waiting: Mutex<Waiting>,
    has_waiting: AtomicBool,
}

/// The futures that wait, the first to come first.
///
/// Any number may wait for one source (workers that all receive from one socket), and each event wakes all of them, so
/// each step must be cheap: an entry is found by its number, and one that leaves stays as a gap until half are gaps. A
/// vector keeps its memory, so a single future that waits again and again allocates nothing.
#[derive(Debug, Default)]
struct Waiting {
    next_id: u64,
    /// In the order of their numbers.
    entries: Vec<WaitingFuture>,
    gaps: usize,
}

#[derive(Debug)]
struct WaitingFuture {
    id: u64,
    interest: Interest,
    /// `None` once the future has left.
    waker: Option<Waker>,
}

impl Waiting {
    /// Memory for more entries than these is given back once nobody waits.
    const KEPT: usize = 64;

    /// Leaves the waker of the future with this number, or of one that has none yet and is given one. Returns the waker
    /// to drop.
    fn enter(&mut self, id: &mut Option<u64>, interest: Interest, waker: Waker) -> Option<Waker> {
        if let Some(at) = id.and_then(|id| self.position(id)) {
            return self.entries[at].waker.replace(waker);
        }
        self.next_id += 1;
        *id = Some(self.next_id);
        self.entries.push(WaitingFuture {
            id: self.next_id,
            interest,
            waker: Some(waker),
        });
        None
    }

    /// Takes the future with this number out. Returns the waker to drop.
    fn leave(&mut self, id: u64) -> Option<Waker> {
        let waker = self
            .position(id)
            .and_then(|at| self.entries[at].waker.take());
        if waker.is_some() {
            self.gaps += 1;
            if self.gaps * 2 > self.entries.len() {
                self.entries.retain(|entry| entry.waker.is_some());
                self.gaps = 0;
            }
        }
        if self.entries.is_empty() && self.entries.capacity() > Self::KEPT {
            self.entries = Vec::new();
        }
        waker
    }

    /// Takes out those whom an event concerns, the first to come first.
    fn take(&mut self, concerns: impl Fn(Interest) -> bool, wakers: &mut Vec<Waker>) {
        self.entries.retain_mut(|entry| {
            if concerns(entry.interest) {
                wakers.extend(entry.waker.take());
            }
            entry.waker.is_some()
        });
        self.gaps = 0;
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&id, |e| e.id).ok()
    }
}

/// What was seen of a [`Source`] at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    seen: u32,
    interest: Interest,
}

impl Event {
    /// What it was ready for, of what was asked.
    pub fn ready(self) -> Ready {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low byte is what is meant"
        )]
        let seen = Ready::from_bits(self.seen as u8);
        seen & self.interest.mask()
    }

    fn is_gone(self) -> bool {
        self.seen & GONE != 0
    }
}

impl Source {
    /// A source that is taken to be ready for `ready`.
    pub fn new(ready: Ready) -> Self {
        Self {
            state: AtomicU32::new(ready.bits().into()),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            waiting: Mutex::default(),
            has_waiting: AtomicBool::new(false),
        }
    }

    /// An event: the descriptor is ready for `ready`, too. Gathers those who waited for it.
    pub fn set(&self, ready: Ready, wakers: &mut Vec<Waker>) {
        let (pollers, waiting) = self.update(ready, ready.bits().into());
        wakers.extend(pollers.into_iter().flatten());
        wakers.extend(waiting);
    }

    /// As [`set`](Self::set), and wakes them.
    pub fn tell(&self, ready: Ready) {
        let (pollers, waiting) = self.update(ready, ready.bits().into());
        wake_all(pollers.into_iter().flatten());
        wake_all(waiting);
    }

    /// The poller ends: whoever waits is told so, and whoever comes later, also where there is something to read, as on
    /// Tokio.
    pub fn end(&self, wakers: &mut Vec<Waker>) {
        let all = u32::from(Ready::ALL.bits());
        let (pollers, waiting) = self.update(Ready::ALL, GONE | all);
        wakers.extend(pollers.into_iter().flatten());
        wakers.extend(waiting);
    }

    fn update(&self, ready: Ready, bits: u32) -> ([Option<Waker>; 2], Vec<Waker>) {
        let update = |old: u32| Some(old.wrapping_add(TICK) | bits);
        let _ = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
        let concerns = |interest: Interest| !(ready & interest.mask()).is_empty();
        let reads = concerns(Interest::READABLE | Interest::PRIORITY | Interest::ERROR);
        let writes = concerns(Interest::WRITABLE | Interest::ERROR);
        let pollers = [
            reads.then(|| self.reader.take()).flatten(),
            writes.then(|| self.writer.take()).flatten(),
        ];
        let mut woken = Vec::new();
        if self.has_waiting.load(Ordering::SeqCst) {
            let mut waiting = self.lock_waiting();
            waiting.take(concerns, &mut woken);
            self.has_waiting
                .store(!waiting.entries.is_empty(), Ordering::SeqCst);
        }
        (pollers, woken)
    }

    /// Whether the poller is still there, for what waits in another way as well.
    ///
    /// # Errors
    /// One of kind `Other` when it has ended.
    pub fn check(&self) -> io::Result<()> {
        match self.look(Interest::ERROR).is_gone() {
            true => Err(gone()),
            false => Ok(()),
        }
    }

    /// Leaves the waker of who polls in `direction`, to be woken by the next event; to be followed by another look.
    pub fn register(&self, direction: Direction, waker: &Waker) {
        match direction {
            Direction::Read => self.reader.register(waker),
            Direction::Write => self.writer.register(waker),
        }
    }

    /// What those futures wait for whom no event concerned yet, for a poller that must be asked each time.
    pub fn awaited(&self) -> Option<Interest> {
        let waiting = self.lock_waiting();
        let present = waiting.entries.iter().filter(|e| e.waker.is_some());
        present.map(|entry| entry.interest).reduce(Interest::add)
    }

    /// Takes the descriptor to be ready for `ready`, although no event said so.
    pub fn assume(&self, ready: Ready) {
        let bits = u32::from(ready.bits());
        let update = |old: u32| Some(old.wrapping_add(TICK) | bits);
        let _ = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
    }

    /// What is known now.
    #[inline]
    pub fn look(&self, interest: Interest) -> Event {
        Event {
            seen: self.state.load(Ordering::SeqCst),
            interest,
        }
    }

    /// Clears `ready`, unless something happened after `event`.
    #[inline]
    pub fn clear(&self, event: Event, ready: Ready) {
        let update = |now: u32| {
            let nothing_came = (now ^ event.seen) < GONE;
            nothing_came.then_some(now & !u32::from(ready.bits()))
        };
        let _ = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update);
    }

    /// Runs `operation` if the descriptor is known to be ready, and takes note when it was not.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when it is not; those of `operation`.
    pub fn attempt<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let event = self.look(interest);
        if event.ready().is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = operation();
        if would_block(&result) {
            self.clear(event, unclosed(interest));
        }
        result
    }

    /// Runs `operation` whenever the descriptor is ready, until it gives something else than
    /// [`io::ErrorKind::WouldBlock`]; of several tasks that poll in `direction`, the last one is woken.
    ///
    /// `bind` is asked when the waker is in place and before anything is waited for: it sees to it that a poller reports
    /// to this source, and gives whether that is a new one. `exhausted` says of a result that the next attempt would be in vain.
    ///
    /// # Errors
    /// Those of `operation` and of `bind`; one of kind `Other` when the poller has ended.
    #[inline]
    pub fn poll<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        interest: Interest,
        bind: impl FnMut() -> io::Result<bool>,
        operation: impl FnMut(Event) -> io::Result<R>,
        exhausted: impl FnOnce(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let charge = ready!(coop::poll_proceed(cx));
        let result = self.poll_with(cx, interest, bind, operation, exhausted, |waker| {
            self.register(direction, waker);
        });
        if result.is_ready() {
            charge.made_progress();
        }
        result
    }

    /// As [`poll`](Self::poll), as a future of which there may be any number.
    pub fn run<R, B, F>(&self, interest: Interest, bind: B, operation: F) -> Run<'_, B, F>
    where
        B: FnMut() -> io::Result<bool>,
        F: FnMut(Event) -> io::Result<R>,
    {
        Run {
            source: self,
            interest,
            bind,
            operation,
            charged: true,
            id: None,
        }
    }

    /// Waits for readiness and does nothing. It charges no budget, as Tokio's does not: what makes use of the readiness
    /// may have to ask often.
    pub fn wait<B>(
        &self,
        interest: Interest,
        bind: B,
    ) -> Run<'_, B, impl FnMut(Event) -> io::Result<Event>>
    where
        B: FnMut() -> io::Result<bool>,
    {
        self.run(interest, bind, observe).uncharged()
    }

    #[inline]
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        mut bind: impl FnMut() -> io::Result<bool>,
        mut operation: impl FnMut(Event) -> io::Result<R>,
        exhausted: impl FnOnce(&R) -> bool,
        mut register: impl FnMut(&Waker),
    ) -> Poll<io::Result<R>> {
        let mut registered = false;
        loop {
            let event = self.look(interest);
            if event.is_gone() {
                return Poll::Ready(Err(gone()));
            }
            if event.ready().is_empty() {
                if registered {
                    return Poll::Pending;
                }
                register(cx.waker());
                registered = true;
                if bind()? {
                    // Newly registered there: try once more, or an edge of the former place may be missed.
                    self.assume(unclosed(interest));
                }
                continue;
            }
            match operation(event) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A closed direction, too: whoever would block there has to wait for an event.
                    self.clear(event, interest.mask());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(value) => {
                    if exhausted(&value) {
                        self.clear(event, unclosed(interest));
                    }
                    return Poll::Ready(Ok(value));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For runtime authors: the [`ReadyEvent`] of a descriptor that has a [`Source`].
#[derive(Debug)]
pub struct Seen<'a> {
    source: &'a Source,
    event: Event,
    cleared: Ready,
}

impl<'a> Seen<'a> {
    /// What `source` gave.
    pub fn new(source: &'a Source, event: Event) -> Self {
        Self {
            source,
            event,
            cleared: Ready::EMPTY,
        }
    }
}

impl ReadyEvent for Seen<'_> {
    fn ready(&self) -> Ready {
        self.event.ready() - self.cleared
    }

    fn clear(&mut self, ready: Ready) {
        let ready = ready & self.ready();
        let closed = Ready::READ_CLOSED | Ready::WRITE_CLOSED;
        self.source.clear(self.event, ready - closed);
        self.cleared |= ready;
    }
}

/// For runtime authors: an operation that only looks, for [`Source::poll`] and [`Source::run`].
///
/// # Errors
/// None; the signature is that of every operation.
pub fn observe(event: Event) -> io::Result<Event> {
    Ok(event)
}

/// For runtime authors: what an interest clears; that a direction is closed stays.
pub fn unclosed(interest: Interest) -> Ready {
    interest.mask() - Ready::READ_CLOSED - Ready::WRITE_CLOSED
}

fn would_block<R>(result: &io::Result<R>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// For runtime authors: the error of a descriptor whose poller has ended.
pub fn gone() -> io::Error {
    io::Error::other(RuntimeEnded::new())
}

/// The future of [`Source::run`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Run<'a, B, F> {
    source: &'a Source,
    interest: Interest,
    bind: B,
    operation: F,
    charged: bool,
    /// Our place among the waiting.
    id: Option<u64>,
}

impl<B, F> Run<'_, B, F> {
    /// Charges no budget.
    pub fn uncharged(mut self) -> Self {
        self.charged = false;
        self
    }
}

impl<B, F> Unpin for Run<'_, B, F> {}

impl<R, B, F> Future for Run<'_, B, F>
where
    B: FnMut() -> io::Result<bool>,
    F: FnMut(Event) -> io::Result<R>,
{
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = &mut *self;
        let (source, interest, id) = (this.source, this.interest, &mut this.id);
        let register = |waker: &Waker| {
            let waker = waker.clone();
            let mut waiting = source.lock_waiting();
            let former = waiting.enter(id, interest, waker);
            source.has_waiting.store(true, Ordering::SeqCst);
            // The former waker goes outside the lock: its destructor may do anything.
            drop(waiting);
            drop(former);
        };
        let charge = match this.charged {
            true => Some(ready!(coop::poll_proceed(cx))),
            false => None,
        };
        let result = source.poll_with(
            cx,
            interest,
            &mut this.bind,
            &mut this.operation,
            |_| false,
            register,
        );
        if let (true, Some(charge)) = (result.is_ready(), charge) {
            charge.made_progress();
        }
        result
    }
}

impl<B, F> Drop for Run<'_, B, F> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let waker = self.source.lock_waiting().leave(id);
            // Outside the lock, as above.
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::Mutex;
    use std::task::Wake;

    use super::*;

    /// Notes who was woken.
    struct Named(usize, Arc<Mutex<Vec<usize>>>);

    impl Wake for Named {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn crowd(waiting: &mut Waiting, count: usize) -> (Vec<u64>, Arc<Mutex<Vec<usize>>>) {
        let woken = Arc::<Mutex<Vec<usize>>>::default();
        let ids = (0..count).map(|number| {
            let waker = Waker::from(Arc::new(Named(number, Arc::clone(&woken))));
            let mut id = None;
            assert!(waiting.enter(&mut id, Interest::READABLE, waker).is_none());
            id.unwrap()
        });
        (ids.collect(), woken)
    }

    #[test]
    fn those_who_wait_are_woken_in_the_order_in_which_they_came() {
        let mut waiting = Waiting::default();
        let (ids, woken) = crowd(&mut waiting, 10);
        for at in [7, 2, 3] {
            assert!(waiting.leave(ids[at]).is_some());
            assert!(waiting.leave(ids[at]).is_none(), "it has left already");
        }
        let mut wakers = Vec::new();
        waiting.take(|interest| interest.is_writable(), &mut wakers);
        assert!(wakers.is_empty(), "nobody waits for that");
        waiting.take(|interest| interest.is_readable(), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        assert_eq!(*woken.lock().unwrap(), [0, 1, 4, 5, 6, 8, 9]);
        assert!(waiting.entries.is_empty());
    }

    #[test]
    fn a_crowd_that_leaves_in_any_order_leaves_no_memory_behind() {
        let mut waiting = Waiting::default();
        let (ids, _woken) = crowd(&mut waiting, 20_000);
        let mut moved = 0;
        for step in 0..ids.len() {
            let before = waiting.entries.len();
            // 7919 is prime to 20,000: each once, in an order of its own.
            waiting.leave(ids[step * 7919 % ids.len()]);
            if waiting.entries.len() < before {
                moved += before;
            }
        }
        assert!(waiting.entries.capacity() <= Waiting::KEPT);
        assert!(moved < 4 * ids.len(), "gaps were closed {moved} times");
    }
}
