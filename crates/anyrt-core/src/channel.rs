//! Queues between tasks: many senders, one receiver.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use crate::error::{SendError, TryRecvError, TrySendError};

/// Makes multi-producer, single-consumer channels, the runtime's own where it has good ones.
///
/// - Values of one sender arrive in the order in which they were sent.
/// - When the receiver is dropped, queued values are dropped at once and `send` gives its value back.
/// - When the last sender is dropped, queued values are still received, then `None`.
///
/// They need no runtime to work: ends may be moved to another runtime or to a plain thread.
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
    /// The sending end of a channel without a limit.
    type UnboundedSender<T: Send + 'static>: UnboundedSender<T>;
    /// The receiving end of a channel without a limit.
    type UnboundedReceiver<T: Send + 'static>: Receiver<T>;

    /// A channel that holds up to `capacity` values; senders wait while it is full.
    ///
    /// # Panics
    /// When `capacity` is 0.
    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    /// A channel that never makes a sender wait, and so may use all memory.
    fn unbounded<T: Send + 'static>(
        &self,
    ) -> (Self::UnboundedSender<T>, Self::UnboundedReceiver<T>);
}

/// The sending end of a bounded channel. Clones send into the same channel.
pub trait Sender<T: Send + 'static>: Clone + Send + Sync + fmt::Debug + 'static {
    /// Sends `value`, waiting for room.
    ///
    /// # Errors
    /// The value, when the receiver is gone.
    ///
    /// # Cancel safety
    /// A dropped future has sent nothing; its value is dropped with it.
    fn send(&self, value: T) -> impl Future<Output = Result<(), SendError<T>>> + Send;

    /// Sends `value` if there is room now.
    ///
    /// # Errors
    /// The value, when the channel is full or the receiver is gone.
    fn try_send(&self, value: T) -> Result<(), TrySendError<T>>;

    /// Whether the receiver is gone.
    fn is_closed(&self) -> bool;
}

/// The sending end of a channel without a limit. Clones send into the same channel.
pub trait UnboundedSender<T: Send + 'static>: Clone + Send + Sync + fmt::Debug + 'static {
    /// Sends `value` at once.
    ///
    /// # Errors
    /// The value, when the receiver is gone.
    fn send(&self, value: T) -> Result<(), SendError<T>>;

    /// Whether the receiver is gone.
    fn is_closed(&self) -> bool;
}

/// The receiving end of a channel.
pub trait Receiver<T: Send + 'static>: Send + fmt::Debug + 'static {
    /// Receives the next value, or `None` when nothing is queued and all senders are gone.
    ///
    /// # Cancel safety
    /// A dropped future has taken nothing out of the channel.
    fn recv(&mut self) -> impl Future<Output = Option<T>> + Send {
        std::future::poll_fn(|cx| self.poll_recv(cx))
    }

    /// Polls for the next value; the task that polled last is woken.
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>>;

    /// Receives a value if one is queued now.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`], or [`TryRecvError::Disconnected`] when none will ever come.
    fn try_recv(&mut self) -> Result<T, TryRecvError>;

    /// Closes the channel: senders get their values back, and what is queued can still be received.
    fn close(&mut self);
}
