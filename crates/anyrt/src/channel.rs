//! The channels of [`Handle`], which are those of its backend. Applications use
//! [`sync`](crate::sync).

use std::task::{Context, Poll};

use anyrt_core::Channel;
use anyrt_core::channel;
use anyrt_core::error::{SendError, TryRecvError, TrySendError};

use crate::runtime::Handle;

/// The sending end of a bounded channel.
pub struct Sender<T>(one_of!(T; channel::Sender<T>));

/// The receiving end of a bounded channel.
pub struct Receiver<T>(one_of!(T; channel::Receiver<T>));

/// The sending end of an unbounded channel.
pub struct UnboundedSender<T>(one_of!(T; channel::UnboundedSender<T>));

/// The receiving end of an unbounded channel.
pub struct UnboundedReceiver<T>(one_of!(T; channel::UnboundedReceiver<T>));

impl Channel for Handle {
    type Sender<T: Send + 'static> = Sender<T>;
    type Receiver<T: Send + 'static> = Receiver<T>;
    type UnboundedSender<T: Send + 'static> = UnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static> = UnboundedReceiver<T>;

    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = pair_each!(&self.inner, rt => rt.bounded(capacity));
        (Sender(sender), Receiver(receiver))
    }

    fn unbounded<T: Send + 'static>(&self) -> (UnboundedSender<T>, UnboundedReceiver<T>) {
        let (sender, receiver) = pair_each!(&self.inner, rt => rt.unbounded());
        (UnboundedSender(sender), UnboundedReceiver(receiver))
    }
}

impl<T: Send + 'static> channel::Sender<T> for Sender<T> {
    async fn send(&self, value: T) -> Result<(), SendError<T>> {
        each!(&self.0, sender => sender.send(value).await)
    }

    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        each!(&self.0, sender => sender.try_send(value))
    }

    fn is_closed(&self) -> bool {
        each!(&self.0, sender => sender.is_closed())
    }
}

impl<T: Send + 'static> channel::UnboundedSender<T> for UnboundedSender<T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        each!(&self.0, sender => sender.send(value))
    }

    fn is_closed(&self) -> bool {
        each!(&self.0, sender => sender.is_closed())
    }
}

macro_rules! receiver {
    ($($receiver:ident)*) => {$(
        impl<T: Send + 'static> channel::Receiver<T> for $receiver<T> {
            fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
                each!(&mut self.0, receiver => receiver.poll_recv(cx))
            }

            fn try_recv(&mut self) -> Result<T, TryRecvError> {
                each!(&mut self.0, receiver => receiver.try_recv())
            }

            fn close(&mut self) {
                each!(&mut self.0, receiver => receiver.close());
            }
        }
    )*};
}
receiver!(Receiver UnboundedReceiver);

// Not derived, because the values need not be `Clone` or `Debug`.
macro_rules! sender_clone {
    ($($sender:ident)*) => {$(
        impl<T> Clone for $sender<T> {
            fn clone(&self) -> Self {
                Self(map_each!(&self.0, sender => sender.clone()))
            }
        }
    )*};
}
sender_clone!(Sender UnboundedSender);

opaque_debug!(; T: Sender, Receiver, UnboundedSender, UnboundedReceiver);
