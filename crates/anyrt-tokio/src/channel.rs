//! Channels, which are Tokio's `mpsc`.

use std::fmt;
use std::task::{Context, Poll};

use anyrt_core::Channel;
use anyrt_core::error::{SendError, TryRecvError, TrySendError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error;

use crate::runtime::TokioRuntime;

impl Channel for TokioRuntime {
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;
    type UnboundedSender<T: Send + 'static> = UnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static> = UnboundedReceiver<T>;

    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Sender<T>, Receiver<T>) {
        assert!(capacity > 0, "a channel needs a capacity of at least 1");
        let (sender, receiver) = mpsc::channel(capacity);
        (Sender(sender), Receiver(receiver))
    }

    fn unbounded<T: Send + 'static>(&self) -> (UnboundedSender<T>, UnboundedReceiver<T>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (UnboundedSender(sender), UnboundedReceiver(receiver))
    }
}

/// The sending end of a bounded channel.
pub struct Sender<T>(mpsc::Sender<T>);

/// The sending end of an unbounded channel.
pub struct UnboundedSender<T>(mpsc::UnboundedSender<T>);

/// The receiving end of a bounded channel.
pub struct Receiver<T>(mpsc::Receiver<T>);

/// The receiving end of an unbounded channel.
pub struct UnboundedReceiver<T>(mpsc::UnboundedReceiver<T>);

impl<T: Send + 'static> anyrt_core::channel::Sender<T> for Sender<T> {
    async fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0
            .send(value)
            .await
            .map_err(|error::SendError(value)| SendError(value))
    }

    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(value).map_err(|error| match error {
            error::TrySendError::Full(value) => TrySendError::Full(value),
            error::TrySendError::Closed(value) => TrySendError::Closed(value),
        })
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T: Send + 'static> anyrt_core::channel::UnboundedSender<T> for UnboundedSender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0
            .send(value)
            .map_err(|error::SendError(value)| SendError(value))
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T: Send + 'static> anyrt_core::channel::Receiver<T> for Receiver<T> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.try_recv().map_err(try_recv_error)
    }

    fn close(&mut self) {
        self.0.close();
    }
}

impl<T: Send + 'static> anyrt_core::channel::Receiver<T> for UnboundedReceiver<T> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_recv(cx)
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.try_recv().map_err(try_recv_error)
    }

    fn close(&mut self) {
        self.0.close();
    }
}

fn try_recv_error(error: error::TryRecvError) -> TryRecvError {
    match error {
        error::TryRecvError::Empty => TryRecvError::Empty,
        error::TryRecvError::Disconnected => TryRecvError::Disconnected,
    }
}

// Not derived, because the values need not be `Clone` or `Debug`.
impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnboundedSender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for UnboundedReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnboundedReceiver").finish_non_exhaustive()
    }
}
