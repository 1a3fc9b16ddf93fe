//! Tasks and blocking jobs of an erased runtime.
//!
//! The task itself returns a boxed value, which its handle unboxes. So the runtime keeps, cancels
//! and drops the result like any other, and a zero-sized value costs nothing.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{BoxFuture, Value};
use crate::blocking::Blocking;
use crate::coop;
use crate::error::JoinError;
use crate::task::{AbortHandle, Id, JoinHandle, LocalSpawner, Spawner};

type LocalValue = Box<dyn Any>;
type LocalBoxFuture<V> = Pin<Box<dyn Future<Output = V>>>;

type Handle = Box<dyn DynJoinHandle<Value> + Send + Sync>;
type LocalHandle = Box<dyn DynJoinHandle<LocalValue>>;

pub(super) trait DynSpawner: Send + Sync {
    fn dyn_spawn(&self, future: BoxFuture<'static, Value>) -> Handle;
    fn dyn_spawn_local(&self, future: LocalBoxFuture<LocalValue>) -> LocalHandle;
    fn dyn_spawn_blocking(&self, job: Box<dyn FnOnce() -> Value + Send>) -> Handle;
}

impl<R: Spawner + LocalSpawner + Blocking> DynSpawner for R {
    fn dyn_spawn(&self, future: BoxFuture<'static, Value>) -> Handle {
        Box::new(self.spawn(future))
    }

    fn dyn_spawn_local(&self, future: LocalBoxFuture<LocalValue>) -> LocalHandle {
        Box::new(self.spawn_local(future))
    }

    fn dyn_spawn_blocking(&self, job: Box<dyn FnOnce() -> Value + Send>) -> Handle {
        Box::new(self.spawn_blocking(job))
    }
}

pub(super) trait DynJoinHandle<V>: fmt::Debug {
    fn dyn_poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<V, JoinError>>;
    fn dyn_poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<V, JoinError>>;
    fn dyn_abort(&self);
    fn dyn_is_finished(&self) -> bool;
    fn dyn_id(&self) -> Id;
    fn dyn_abort_handle(&self) -> ErasedAbortHandle;
}

impl<V, H: JoinHandle<V>> DynJoinHandle<V> for H {
    fn dyn_poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<V, JoinError>> {
        Pin::new(self).poll(cx)
    }

    fn dyn_poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<V, JoinError>> {
        self.poll_unconstrained(cx)
    }

    fn dyn_abort(&self) {
        self.abort();
    }

    fn dyn_is_finished(&self) -> bool {
        self.is_finished()
    }

    fn dyn_id(&self) -> Id {
        self.id()
    }

    fn dyn_abort_handle(&self) -> ErasedAbortHandle {
        ErasedAbortHandle {
            inner: Arc::new(self.abort_handle()),
        }
    }
}

pin_project! {
    /// The future of a task, which returns a boxed value.
    struct Erasing<F: Future, V> {
        #[pin]
        future: coop::Budgeted<F>,
        erase: fn(F::Output) -> V,
    }
}

impl<F: Future, V> Future for Erasing<F, V> {
    type Output = V;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<V> {
        let this = self.project();
        this.future.poll(cx).map(this.erase)
    }
}

/// The future of a task, which is charged its budget and returns a boxed value.
pub(super) fn erase<F>(future: F) -> BoxFuture<'static, Value>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Box::pin(Erasing::<F, Value> {
        future: coop::budgeted(future),
        erase: |value| Box::new(value),
    })
}

/// Like [`erase`], for a local task.
pub(super) fn erase_local<F>(future: F) -> LocalBoxFuture<LocalValue>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Box::pin(Erasing::<F, LocalValue> {
        future: coop::budgeted(future),
        erase: |value| Box::new(value),
    })
}

/// A handle to a task of an [`ErasedRuntime`](super::ErasedRuntime). Dropping it detaches the task.
pub struct ErasedJoinHandle<T> {
    inner: Handle,
    value: PhantomData<fn() -> T>,
}

/// A handle to a local task of an [`ErasedRuntime`](super::ErasedRuntime). Dropping it detaches the task.
pub struct ErasedLocalJoinHandle<T> {
    inner: LocalHandle,
    value: PhantomData<fn() -> T>,
}

impl<T> ErasedJoinHandle<T> {
    pub(super) fn new(inner: Handle) -> Self {
        Self {
            inner,
            value: PhantomData,
        }
    }
}

impl<T> ErasedLocalJoinHandle<T> {
    pub(super) fn new(inner: LocalHandle) -> Self {
        Self {
            inner,
            value: PhantomData,
        }
    }
}

impl<T: 'static> Future for ErasedJoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner
            .dyn_poll(cx)
            .map_ok(|value| open(value.downcast().ok()))
    }
}

impl<T: 'static> Future for ErasedLocalJoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner
            .dyn_poll(cx)
            .map_ok(|value| open(value.downcast().ok()))
    }
}

fn open<T>(value: Option<Box<T>>) -> T {
    match value {
        Some(value) => *value,
        None => unreachable!("the handle was made together with the task, for the same type"),
    }
}

impl<T: 'static> JoinHandle<T> for ErasedJoinHandle<T> {
    type AbortHandle = ErasedAbortHandle;

    fn abort(&self) {
        self.inner.dyn_abort();
    }

    fn is_finished(&self) -> bool {
        self.inner.dyn_is_finished()
    }

    fn id(&self) -> Id {
        self.inner.dyn_id()
    }

    fn abort_handle(&self) -> ErasedAbortHandle {
        self.inner.dyn_abort_handle()
    }

    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        self.inner
            .dyn_poll_unconstrained(cx)
            .map_ok(|value| open(value.downcast().ok()))
    }
}

impl<T: 'static> JoinHandle<T> for ErasedLocalJoinHandle<T> {
    type AbortHandle = ErasedAbortHandle;

    fn abort(&self) {
        self.inner.dyn_abort();
    }

    fn is_finished(&self) -> bool {
        self.inner.dyn_is_finished()
    }

    fn id(&self) -> Id {
        self.inner.dyn_id()
    }

    fn abort_handle(&self) -> ErasedAbortHandle {
        self.inner.dyn_abort_handle()
    }

    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        self.inner
            .dyn_poll_unconstrained(cx)
            .map_ok(|value| open(value.downcast().ok()))
    }
}

impl<T> fmt::Debug for ErasedJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedJoinHandle")
            .field(&self.inner)
            .finish()
    }
}

impl<T> fmt::Debug for ErasedLocalJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedLocalJoinHandle")
            .field(&self.inner)
            .finish()
    }
}

/// A handle that can abort a task of an [`ErasedRuntime`](super::ErasedRuntime).
#[derive(Clone)]
pub struct ErasedAbortHandle {
    inner: Arc<dyn DynAbortHandle>,
}

trait DynAbortHandle: Send + Sync + fmt::Debug {
    fn dyn_abort(&self);
    fn dyn_is_finished(&self) -> bool;
    fn dyn_id(&self) -> Id;
}

impl<A: AbortHandle> DynAbortHandle for A {
    fn dyn_abort(&self) {
        self.abort();
    }

    fn dyn_is_finished(&self) -> bool {
        self.is_finished()
    }

    fn dyn_id(&self) -> Id {
        self.id()
    }
}

impl AbortHandle for ErasedAbortHandle {
    fn abort(&self) {
        self.inner.dyn_abort();
    }

    fn is_finished(&self) -> bool {
        self.inner.dyn_is_finished()
    }

    fn id(&self) -> Id {
        self.inner.dyn_id()
    }
}

impl fmt::Debug for ErasedAbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedAbortHandle")
            .field(&self.inner)
            .finish()
    }
}
