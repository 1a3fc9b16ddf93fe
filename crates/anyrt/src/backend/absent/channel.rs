//! Channels.

use std::task::{Context, Poll};

use anyrt_core::Channel;
use anyrt_core::channel;
use anyrt_core::error::{SendError, TryRecvError, TrySendError};

use super::{Handle, never};

// Either end of either channel.
absent!(End<T>);

pub(crate) use End as Sender;
pub(crate) use End as Receiver;
pub(crate) use End as UnboundedSender;
pub(crate) use End as UnboundedReceiver;

pub(crate) fn bounded<T>(_: usize) -> (End<T>, End<T>) {
    never()
}

pub(crate) fn unbounded<T>() -> (End<T>, End<T>) {
    never()
}

impl Channel for Handle {
    type Sender<T: Send + 'static> = End<T>;
    type Receiver<T: Send + 'static> = End<T>;
    type UnboundedSender<T: Send + 'static> = End<T>;
    type UnboundedReceiver<T: Send + 'static> = End<T>;

    fn bounded<T: Send + 'static>(&self, _: usize) -> (End<T>, End<T>) {
        never()
    }

    fn unbounded<T: Send + 'static>(&self) -> (End<T>, End<T>) {
        never()
    }
}

impl<T: Send + 'static> channel::Sender<T> for End<T> {
    async fn send(&self, _: T) -> Result<(), SendError<T>> {
        never()
    }

    fn try_send(&self, _: T) -> Result<(), TrySendError<T>> {
        never()
    }

    fn is_closed(&self) -> bool {
        never()
    }
}

impl<T: Send + 'static> channel::UnboundedSender<T> for End<T> {
    fn send(&self, _: T) -> Result<(), SendError<T>> {
        never()
    }

    fn is_closed(&self) -> bool {
        never()
    }
}

impl<T: Send + 'static> channel::Receiver<T> for End<T> {
    fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Option<T>> {
        never()
    }

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        never()
    }

    fn close(&mut self) {
        never()
    }
}
