//! Tokio's `LocalSet`, and whether this thread is inside one.
//!
//! It needs no Tokio runtime: any executor can poll it.

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

/// Returns `true` if this thread is inside a set, so that [`spawn_local`] spawns there.
pub fn is_entered() -> bool {
    STATE.get().entered
}

/// Returns `true` if this thread is polling a set. No other thread can take over its tasks.
pub fn is_polling() -> bool {
    STATE.get().polling
}

/// Spawns `future` as a task of the set that this thread is inside.
///
/// # Panics
/// Panics if the thread is not inside a set.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    JoinHandle::new(tokio::task::spawn_local(future))
}

/// A set of tasks that stay on its thread and run while the set is polled. It is Tokio's own.
#[derive(Debug)]
pub struct LocalSet {
    // `None` only inside `drop`.
    inner: Option<tokio::task::LocalSet>,
}

impl LocalSet {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self {
            inner: Some(tokio::task::LocalSet::new()),
        }
    }

    /// Returns Tokio's own type.
    pub fn as_inner(&self) -> &tokio::task::LocalSet {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("the set is taken only in drop"),
        }
    }

    /// Returns the id of the set, unique among all sets and runtimes of the process.
    pub fn id(&self) -> Id {
        Id::from_raw(number_in(&self.as_inner().id()))
    }

    /// Spawns `future` as a task of the set. It runs when the set is polled.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        JoinHandle::new(self.as_inner().spawn_local(future))
    }

    /// Makes [`spawn_local`] spawn into this set until the guard is dropped.
    pub fn enter(&self) -> LocalEnterGuard {
        LocalEnterGuard {
            _tokio: self.as_inner().enter(),
            _inside: Inside::enter(false),
        }
    }

    /// Runs `future` and the tasks of the set until `future` completes.
    ///
    /// # Cancel safety
    /// If the future is dropped, `future` is dropped and the tasks stay in the set.
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

/// Restores the state before [`LocalSet::enter`] on drop.
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
