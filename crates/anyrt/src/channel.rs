//! The channels of [`Handle`]: Tokio's on Tokio, else the kit's. (Applications use [`sync`](crate::sync).)

use std::fmt;
use std::task::{Context, Poll};

use anyrt_core::Channel;
use anyrt_core::channel;
use anyrt_core::error::{SendError, TryRecvError, TrySendError};

use crate::backend::{Each, queue, tokio};
use crate::runtime::Handle;

enum End<T, C> {
    Tokio(T),
    Core(C),
}

macro_rules! either {
    ($end:expr, $inner:ident => $result:expr) => {
        match $end {
            End::Tokio($inner) => $result,
            End::Core($inner) => $result,
        }
    };
}

/// The sending end of a bounded channel.
pub struct Sender<T>(End<tokio::channel::Sender<T>, queue::Sender<T>>);

/// The receiving end of a bounded channel.
pub struct Receiver<T>(End<tokio::channel::Receiver<T>, queue::Receiver<T>>);

/// The sending end of a channel without a limit.
pub struct UnboundedSender<T>(End<tokio::channel::UnboundedSender<T>, queue::UnboundedSender<T>>);

/// The receiving end of a channel without a limit.
pub struct UnboundedReceiver<T>(End<tokio::channel::UnboundedReceiver<T>, queue::Receiver<T>>);

impl Channel for Handle {
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;
    type UnboundedSender<T: Send + 'static> = UnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static> = UnboundedReceiver<T>;

    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Sender<T>, Receiver<T>) {
        match &self.inner {
            Each::Tokio(rt) => {
                let (sender, receiver) = rt.bounded(capacity);
                (Sender(End::Tokio(sender)), Receiver(End::Tokio(receiver)))
            }
            _ => {
                let (sender, receiver) = queue::bounded(capacity);
                (Sender(End::Core(sender)), Receiver(End::Core(receiver)))
            }
        }
    }

    fn unbounded<T: Send + 'static>(&self) -> (UnboundedSender<T>, UnboundedReceiver<T>) {
        match &self.inner {
            Each::Tokio(rt) => {
                let (sender, receiver) = rt.unbounded();
                (
                    UnboundedSender(End::Tokio(sender)),
                    UnboundedReceiver(End::Tokio(receiver)),
                )
            }
            _ => {
                let (sender, receiver) = queue::unbounded();
                (
                    UnboundedSender(End::Core(sender)),
                    UnboundedReceiver(End::Core(receiver)),
                )
            }
        }
    }
}

impl<T: Send + 'static> channel::Sender<T> for Sender<T> {
    async fn send(&self, value: T) -> Result<(), SendError<T>> {
        either!(&self.0, sender => sender.send(value).await)
    }

    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        either!(&self.0, sender => sender.try_send(value))
    }

    fn is_closed(&self) -> bool {
        either!(&self.0, sender => sender.is_closed())
    }
}

impl<T: Send + 'static> channel::UnboundedSender<T> for UnboundedSender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        either!(&self.0, sender => sender.send(value))
    }

    fn is_closed(&self) -> bool {
        either!(&self.0, sender => sender.is_closed())
    }
}

macro_rules! receiver {
    ($($receiver:ident)*) => {$(
        impl<T: Send + 'static> channel::Receiver<T> for $receiver<T> {
            fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
                either!(&mut self.0, receiver => receiver.poll_recv(cx))
            }

            fn try_recv(&mut self) -> Result<T, TryRecvError> {
                either!(&mut self.0, receiver => receiver.try_recv())
            }

            fn close(&mut self) {
                either!(&mut self.0, receiver => receiver.close());
            }
        }
    )*};
}
receiver!(Receiver UnboundedReceiver);

// By hand, since the values need not be `Clone` or `Debug`.
macro_rules! sender_clone {
    ($($sender:ident)*) => {$(
        impl<T> Clone for $sender<T> {
            fn clone(&self) -> Self {
                Self(match &self.0 {
                    End::Tokio(sender) => End::Tokio(sender.clone()),
                    End::Core(sender) => End::Core(sender.clone()),
                })
            }
        }
    )*};
}
sender_clone!(Sender UnboundedSender);

macro_rules! debug {
    ($($end:ident)*) => {$(
        impl<T> fmt::Debug for $end<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($end)).finish_non_exhaustive()
            }
        }
    )*};
}
debug!(Sender Receiver UnboundedSender UnboundedReceiver);
