//! For runtime authors: channels over `async-channel`, with the semantics of
//! [`Channel`](anyrt_core::Channel).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::coop;
use anyrt_core::error::{SendError, TryRecvError, TrySendError};
use futures_core::Stream;

/// For runtime authors: the items of [`Channel`](anyrt_core::Channel) for a runtime with these
/// channels.
#[macro_export]
macro_rules! queue_channels {
    () => {
        type Sender<T: ::std::marker::Send + 'static> = $crate::queue::Sender<T>;
        type Receiver<T: ::std::marker::Send + 'static> = $crate::queue::Receiver<T>;
        type UnboundedSender<T: ::std::marker::Send + 'static> = $crate::queue::UnboundedSender<T>;
        type UnboundedReceiver<T: ::std::marker::Send + 'static> = $crate::queue::Receiver<T>;

        fn bounded<T: ::std::marker::Send + 'static>(
            &self,
            capacity: usize,
        ) -> (Self::Sender<T>, Self::Receiver<T>) {
            $crate::queue::bounded(capacity)
        }

        fn unbounded<T: ::std::marker::Send + 'static>(
            &self,
        ) -> (Self::UnboundedSender<T>, Self::UnboundedReceiver<T>) {
            $crate::queue::unbounded()
        }
    };
}

/// Creates a channel that holds up to `capacity` values.
///
/// # Panics
/// Panics if `capacity` is 0.
pub fn bounded<T: Send + 'static>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel needs a capacity of at least 1");
    let (sender, receiver) = async_channel::bounded(capacity);
    (Sender { sender }, Receiver::new(receiver))
}

/// Creates an unbounded channel.
pub fn unbounded<T: Send + 'static>() -> (UnboundedSender<T>, Receiver<T>) {
    let (sender, receiver) = async_channel::unbounded();
    (UnboundedSender { sender }, Receiver::new(receiver))
}

/// The sending end of [`bounded`].
pub struct Sender<T> {
    sender: async_channel::Sender<T>,
}

/// The sending end of [`unbounded`].
pub struct UnboundedSender<T> {
    sender: async_channel::Sender<T>,
}

/// The receiving end of [`bounded`] and [`unbounded`].
pub struct Receiver<T> {
    // Boxed because it is pinned in a list of waiters. One allocation per channel.
    receiver: Pin<Box<async_channel::Receiver<T>>>,
}

impl<T> Receiver<T> {
    fn new(receiver: async_channel::Receiver<T>) -> Self {
        Self {
            receiver: Box::pin(receiver),
        }
    }
}

impl<T: Send + 'static> anyrt_core::channel::Sender<T> for Sender<T> {
    async fn send(&self, value: T) -> Result<(), SendError<T>> {
        coop::cooperative(self.sender.send(value))
            .await
            .map_err(|error| SendError(error.into_inner()))
    }

    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.sender.try_send(value).map_err(|error| match error {
            async_channel::TrySendError::Full(value) => TrySendError::Full(value),
            async_channel::TrySendError::Closed(value) => TrySendError::Closed(value),
        })
    }

    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<T: Send + 'static> anyrt_core::channel::UnboundedSender<T> for UnboundedSender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.sender
            .try_send(value)
            .map_err(|error| SendError(error.into_inner()))
    }

    fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<T: Send + 'static> anyrt_core::channel::Receiver<T> for Receiver<T> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        coop::charged(cx, |cx| self.receiver.as_mut().poll_next(cx))
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.try_recv().map_err(|error| match error {
            async_channel::TryRecvError::Empty => TryRecvError::Empty,
            async_channel::TryRecvError::Closed => TryRecvError::Disconnected,
        })
    }

    fn close(&mut self) {
        self.receiver.close();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // async-channel keeps queued values until the last sender is dropped. After `close` nothing
        // is added, and "closed" is reported only once everything was taken, including a send in
        // progress.
        self.receiver.close();
        while !matches!(
            self.receiver.try_recv(),
            Err(async_channel::TryRecvError::Closed)
        ) {}
    }
}

// Not derived, because the values need not be `Clone` or `Debug`.
impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
        }
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
        }
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
