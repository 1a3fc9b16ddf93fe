//! Channels of an erased runtime: the runtime's own, of boxed values.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{BoxFuture, Value};
use crate::channel::{Channel, Receiver, Sender, UnboundedSender};
use crate::error::{SendError, TryRecvError, TrySendError};

pub(super) trait DynChannel: Send + Sync {
    fn dyn_bounded(&self, capacity: usize) -> (Arc<dyn DynSender>, Box<dyn DynReceiver>);
    fn dyn_unbounded(&self) -> (Arc<dyn DynUnboundedSender>, Box<dyn DynReceiver>);
}

impl<R: Channel> DynChannel for R {
    fn dyn_bounded(&self, capacity: usize) -> (Arc<dyn DynSender>, Box<dyn DynReceiver>) {
        let (sender, receiver) = self.bounded::<Value>(capacity);
        (Arc::new(sender), Box::new(receiver))
    }

    fn dyn_unbounded(&self) -> (Arc<dyn DynUnboundedSender>, Box<dyn DynReceiver>) {
        let (sender, receiver) = self.unbounded::<Value>();
        (Arc::new(sender), Box::new(receiver))
    }
}

pub(super) trait DynSender: Send + Sync + fmt::Debug {
    fn dyn_send(&self, value: Value) -> BoxFuture<'_, Result<(), SendError<Value>>>;
    fn dyn_try_send(&self, value: Value) -> Result<(), TrySendError<Value>>;
    fn dyn_is_closed(&self) -> bool;
}

impl<S: Sender<Value>> DynSender for S {
    fn dyn_send(&self, value: Value) -> BoxFuture<'_, Result<(), SendError<Value>>> {
        Box::pin(self.send(value))
    }

    fn dyn_try_send(&self, value: Value) -> Result<(), TrySendError<Value>> {
        self.try_send(value)
    }

    fn dyn_is_closed(&self) -> bool {
        self.is_closed()
    }
}

pub(super) trait DynUnboundedSender: Send + Sync + fmt::Debug {
    fn dyn_send(&self, value: Value) -> Result<(), SendError<Value>>;
    fn dyn_is_closed(&self) -> bool;
}

impl<S: UnboundedSender<Value>> DynUnboundedSender for S {
    fn dyn_send(&self, value: Value) -> Result<(), SendError<Value>> {
        self.send(value)
    }

    fn dyn_is_closed(&self) -> bool {
        self.is_closed()
    }
}

pub(super) trait DynReceiver: Send + fmt::Debug {
    fn dyn_poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Value>>;
    fn dyn_try_recv(&mut self) -> Result<Value, TryRecvError>;
    fn dyn_close(&mut self);
}

impl<R: Receiver<Value>> DynReceiver for R {
    fn dyn_poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Value>> {
        self.poll_recv(cx)
    }

    fn dyn_try_recv(&mut self) -> Result<Value, TryRecvError> {
        self.try_recv()
    }

    fn dyn_close(&mut self) {
        self.close();
    }
}

fn open<T: 'static>(value: Value) -> T {
    match value.downcast() {
        Ok(value) => *value,
        Err(_) => unreachable!("both ends were made together, for the same type"),
    }
}

/// The sending end of a bounded channel of an [`ErasedRuntime`](super::ErasedRuntime).
pub struct ErasedSender<T> {
    inner: Arc<dyn DynSender>,
    value: PhantomData<fn(T)>,
}

/// The sending end of an unbounded channel of an [`ErasedRuntime`](super::ErasedRuntime).
pub struct ErasedUnboundedSender<T> {
    inner: Arc<dyn DynUnboundedSender>,
    value: PhantomData<fn(T)>,
}

/// The receiving end of a channel of an [`ErasedRuntime`](super::ErasedRuntime).
pub struct ErasedReceiver<T> {
    inner: Box<dyn DynReceiver>,
    value: PhantomData<fn() -> T>,
}

impl<T> ErasedSender<T> {
    pub(super) fn new(inner: Arc<dyn DynSender>) -> Self {
        Self {
            inner,
            value: PhantomData,
        }
    }
}

impl<T> ErasedUnboundedSender<T> {
    pub(super) fn new(inner: Arc<dyn DynUnboundedSender>) -> Self {
        Self {
            inner,
            value: PhantomData,
        }
    }
}

impl<T> ErasedReceiver<T> {
    pub(super) fn new(inner: Box<dyn DynReceiver>) -> Self {
        Self {
            inner,
            value: PhantomData,
        }
    }
}

impl<T: Send + 'static> Sender<T> for ErasedSender<T> {
    async fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.inner
            .dyn_send(Box::new(value))
            .await
            .map_err(|SendError(value)| SendError(open(value)))
    }

    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.inner
            .dyn_try_send(Box::new(value))
            .map_err(|error| match error {
                TrySendError::Full(value) => TrySendError::Full(open(value)),
                TrySendError::Closed(value) => TrySendError::Closed(open(value)),
            })
    }

    fn is_closed(&self) -> bool {
        self.inner.dyn_is_closed()
    }
}

impl<T: Send + 'static> UnboundedSender<T> for ErasedUnboundedSender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.inner
            .dyn_send(Box::new(value))
            .map_err(|SendError(value)| SendError(open(value)))
    }

    fn is_closed(&self) -> bool {
        self.inner.dyn_is_closed()
    }
}

impl<T: Send + 'static> Receiver<T> for ErasedReceiver<T> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.inner.dyn_poll_recv(cx).map(|value| value.map(open))
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.inner.dyn_try_recv().map(open)
    }

    fn close(&mut self) {
        self.inner.dyn_close();
    }
}

// Not derived, because the values need not be `Clone` or `Debug`. All clones share one sender of
// the runtime, so that cloning does not allocate; dropping the last clone still closes the channel.
impl<T> Clone for ErasedSender<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            value: PhantomData,
        }
    }
}

impl<T> Clone for ErasedUnboundedSender<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for ErasedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedSender").field(&self.inner).finish()
    }
}

impl<T> fmt::Debug for ErasedUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedUnboundedSender")
            .field(&self.inner)
            .finish()
    }
}

impl<T> fmt::Debug for ErasedReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedReceiver").field(&self.inner).finish()
    }
}
