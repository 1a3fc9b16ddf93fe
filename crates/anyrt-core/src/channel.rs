//! Channels between tasks, with many senders and one receiver.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use crate::error::{SendError, TryRecvError, TrySendError};

/// Creates multi-producer, single-consumer channels: the runtime's own where it has suitable ones.
///
/// - Values of one sender arrive in the order in which they were sent.
/// - When the receiver is dropped, queued values are dropped at once and `send` returns its value.
/// - When the last sender is dropped, queued values can still be received, then `None`.
///
/// Channels work without a runtime: their ends may be moved to another runtime or to a plain
/// thread.
///
/// # Examples
/// ```
/// use anyrt_core::channel::{Receiver, Sender};
/// use anyrt_core::{JoinHandle, Runtime};
///
/// async fn sum<R: Runtime>(rt: R) -> u32 {
///     let (sender, mut numbers) = rt.bounded(16);
///     rt.spawn(async move {
///         for n in 1..=3 {
///             if sender.send(n).await.is_err() {
///                 break; // the receiver is gone
///             }
///         }
///     })
///     .detach();
///     let mut sum = 0;
///     while let Some(n) = numbers.recv().await {
///         sum += n;
///     }
///     sum
/// }
/// ```
pub trait Channel: Clone + Send + Sync + 'static {
    /// The sending end.
    type Sender<T: Send + 'static>: Sender<T>;
    /// The receiving end.
    type Receiver<T: Send + 'static>: Receiver<T>;
    /// The sending end of an unbounded channel.
    type UnboundedSender<T: Send + 'static>: UnboundedSender<T>;
    /// The receiving end of an unbounded channel.
    type UnboundedReceiver<T: Send + 'static>: Receiver<T>;

    /// Creates a channel that holds up to `capacity` values. Senders wait while it is full.
    ///
    /// # Panics
    /// Panics if `capacity` is 0.
    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    /// Creates an unbounded channel. Senders never wait, so it may use all memory.
    fn unbounded<T: Send + 'static>(
        &self,
    ) -> (Self::UnboundedSender<T>, Self::UnboundedReceiver<T>);
}

/// The sending end of a bounded channel. Clones send into the same channel.
pub trait Sender<T: Send + 'static>: Clone + Send + Sync + fmt::Debug + 'static {
    /// Sends `value`. Waits while the channel is full.
    ///
    /// # Errors
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Cancel safety
    /// If the future is dropped, nothing was sent, and its value is dropped.
    fn send(&self, value: T) -> impl Future<Output = Result<(), SendError<T>>> + Send;

    /// Sends `value` without waiting.
    ///
    /// # Errors
    /// Returns the value if the channel is full or the receiver was dropped or closed.
    fn try_send(&self, value: T) -> Result<(), TrySendError<T>>;

    /// Returns `true` if the receiver was dropped or closed.
    fn is_closed(&self) -> bool;
}

/// The sending end of an unbounded channel. Clones send into the same channel.
pub trait UnboundedSender<T: Send + 'static>: Clone + Send + Sync + fmt::Debug + 'static {
    /// Sends `value`. Never waits.
    ///
    /// # Errors
    /// Returns the value if the receiver was dropped or closed.
    fn send(&self, value: T) -> Result<(), SendError<T>>;

    /// Returns `true` if the receiver was dropped or closed.
    fn is_closed(&self) -> bool;
}

/// The receiving end of a channel.
pub trait Receiver<T: Send + 'static>: Send + fmt::Debug + 'static {
    /// Receives the next value. Returns `None` if nothing is queued and all senders were dropped.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no value is lost.
    fn recv(&mut self) -> impl Future<Output = Option<T>> + Send {
        std::future::poll_fn(|cx| self.poll_recv(cx))
    }

    /// Polls for the next value. Only the task that polled last is woken.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>>;

    /// Receives a queued value without waiting.
    ///
    /// # Errors
    /// Returns [`TryRecvError::Empty`] if nothing is queued, or [`TryRecvError::Disconnected`] if
    /// all senders were dropped as well.
    fn try_recv(&mut self) -> Result<T, TryRecvError>;

    /// Closes the channel: `send` returns its value, and queued values can still be received.
    fn close(&mut self);
}
