//! Tokio's `LocalSet`, and whether this thread is inside one.
//!
//! It needs no Tokio runtime: it is polled by whatever polls the future that awaits it.

use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::runtime::Id;

use crate::task::{JoinHandle, number_in};

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State { entered: false, polling: false }) };
}

#[derive(Debug, Clone, Copy)]
struct State {
    entered: bool,
    polling: bool,
}

/// Whether this thread is inside a set, so that [`spawn_local`] spawns there.
pub fn is_entered() -> bool {
    STATE.get().entered
}

/// Whether this thread is polling a set: no other thread can take its tasks over.
pub fn is_polling() -> bool {
    STATE.get().polling
}

/// Starts `future` as a task of the set that this thread is inside of.
///
/// # Panics
/// When it is inside none.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    JoinHandle::new(tokio::task::spawn_local(future))
}

/// Tasks that stay on the thread of the set and run while the set is polled; Tokio's own.
#[derive(Debug)]
pub struct LocalSet {
    // `None` only inside `drop`.
    inner: Option<tokio::task::LocalSet>,
}

impl LocalSet {
    /// A set without tasks.
    pub fn new() -> Self {
        Self {
            inner: Some(tokio::task::LocalSet::new()),
        }
    }

    /// Tokio's own.
    pub fn as_inner(&self) -> &tokio::task::LocalSet {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("the set is taken only in drop"),
        }
    }

    /// Names the set among all sets and runtimes of the process.
    pub fn id(&self) -> Id {
        Id::from_raw(number_in(&self.as_inner().id()))
    }

    /// Starts `future` as a task of the set. It runs when the set is polled, not before.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        JoinHandle::new(self.as_inner().spawn_local(future))
    }

    /// Makes [`spawn_local`] spawn here until the guard is dropped.
    pub fn enter(&self) -> LocalEnterGuard {
        LocalEnterGuard {
            _tokio: self.as_inner().enter(),
            _inside: Inside::enter(false),
        }
    }

    /// Runs `future`, and the tasks of the set beside it, until `future` is ready.
    pub async fn run_until<F: Future>(&self, future: F) -> F::Output {
        let mut run = std::pin::pin!(self.as_inner().run_until(future));
        std::future::poll_fn(|cx| {
            let _inside = Inside::enter(true);
            run.as_mut().poll(cx)
        })
        .await
    }
}

/// Runs the tasks until all have ended.
impl Future for LocalSet {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _inside = Inside::enter(true);
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll(cx),
            None => unreachable!("the set is taken only in drop"),
        }
    }
}

impl Default for LocalSet {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        let _inside = Inside::enter(true);
        self.inner.take();
    }
}

/// Restores what was current before [`LocalSet::enter`] when it is dropped.
#[derive(Debug)]
pub struct LocalEnterGuard {
    _tokio: tokio::task::LocalEnterGuard,
    _inside: Inside,
}

#[derive(Debug)]
struct Inside {
    outer: State,
    thread: PhantomData<*const ()>,
}

impl Inside {
    fn enter(polling: bool) -> Self {
        let outer = STATE.get();
        STATE.set(State {
            entered: true,
            polling: polling || outer.polling,
        });
        Self {
            outer,
            thread: PhantomData,
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        STATE.set(self.outer);
    }
}
