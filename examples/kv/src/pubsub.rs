//! The subscriptions of clients to channels.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::glob;

/// The maximum number of queued messages of a subscriber. A slower subscriber is disconnected, so
/// that it neither blocks the others nor fills the server's memory.
pub const QUEUE: usize = 1024;

/// A message for a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The pattern, if the subscription is to one.
    pub pattern: Option<Bytes>,
    pub channel: Bytes,
    pub payload: Bytes,
}

/// Whether a subscription is to a channel, or to all whose names match a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Channel,
    Pattern,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub struct Hub {
    topics: Mutex<Topics>,
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct Topics {
    channels: Topic,
    patterns: Topic,
}

/// The subscribers by id, by name.
type Topic = HashMap<Bytes, HashMap<u64, Arc<Outbox>>>;

/// The hub's end of a subscriber.
#[derive(Debug)]
struct Outbox {
    queue: mpsc::Sender<Message>,
    overflowed: Notify,
}

impl Hub {
    /// Sends to all subscribers of `channel`. Returns their number.
    pub fn publish(&self, channel: &[u8], payload: &[u8]) -> usize {
        let message = Message {
            pattern: None,
            channel: Bytes::copy_from_slice(channel),
            payload: Bytes::copy_from_slice(payload),
        };
        let mut topics = self.topics();
        let mut receivers = match topics.channels.get_mut(channel) {
            Some(subscribers) => deliver(subscribers, &message),
            None => 0,
        };
        for (pattern, subscribers) in &mut topics.patterns {
            if glob::matches(pattern, channel) {
                let pattern = Some(pattern.clone());
                receivers += deliver(
                    subscribers,
                    &Message {
                        pattern,
                        ..message.clone()
                    },
                );
            }
        }
        receivers
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topics {
    fn of(&mut self, kind: Kind) -> &mut Topic {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }
}

fn deliver(subscribers: &mut HashMap<u64, Arc<Outbox>>, message: &Message) -> usize {
    subscribers.retain(|_, outbox| match outbox.queue.try_send(message.clone()) {
        Ok(()) => true,
        Err(TrySendError::Full(_)) => {
            outbox.overflowed.notify_one();
            false
        }
        Err(TrySendError::Closed(_)) => false,
    });
    subscribers.len()
}

/// The subscriptions of one client. They end when it is dropped.
#[derive(Debug)]
pub struct Subscriber {
    hub: Arc<Hub>,
    id: u64,
    outbox: Arc<Outbox>,
    inbox: mpsc::Receiver<Message>,
    channels: HashSet<Bytes>,
    patterns: HashSet<Bytes>,
}

impl Subscriber {
    pub fn new(hub: Arc<Hub>) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        Self {
            id: hub.next_id.fetch_add(1, Ordering::Relaxed),
            hub,
            outbox: Arc::new(Outbox {
                queue,
                overflowed: Notify::new(),
            }),
            inbox,
            channels: HashSet::new(),
            patterns: HashSet::new(),
        }
    }

    pub fn subscribe(&mut self, kind: Kind, name: &[u8]) {
        let name = Bytes::copy_from_slice(name);
        if self.names_mut(kind).insert(name.clone()) {
            let outbox = Arc::clone(&self.outbox);
            let mut topics = self.hub.topics();
            topics
                .of(kind)
                .entry(name)
                .or_default()
                .insert(self.id, outbox);
        }
    }

    pub fn unsubscribe(&mut self, kind: Kind, name: &[u8]) {
        if self.names_mut(kind).remove(name) {
            remove(self.hub.topics().of(kind), name, self.id);
        }
    }

    /// Returns the names of the client's channels or patterns.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &Bytes> {
        match kind {
            Kind::Channel => self.channels.iter(),
            Kind::Pattern => self.patterns.iter(),
        }
    }

    /// Returns the number of the client's channels and patterns.
    pub fn count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// Returns the next message, or `None` if the client is too slow. Cancel-safe.
    pub async fn next(&mut self) -> Option<Message> {
        tokio::select! {
            biased;
            () = self.outbox.overflowed.notified() => None,
            message = self.inbox.recv() => message,
        }
    }

    /// Returns a queued message, if any.
    pub fn try_next(&mut self) -> Option<Message> {
        self.inbox.try_recv().ok()
    }

    /// Waits until the client is too slow. Its queue is then incomplete.
    pub async fn overflowed(&self) {
        self.outbox.overflowed.notified().await;
    }

    fn names_mut(&mut self, kind: Kind) -> &mut HashSet<Bytes> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut topics = self.hub.topics();
        for kind in [Kind::Channel, Kind::Pattern] {
            for name in self.names(kind) {
                remove(topics.of(kind), name, self.id);
            }
        }
    }
}

fn remove(topic: &mut Topic, name: &[u8], id: u64) {
    if let Some(subscribers) = topic.get_mut(name) {
        subscribers.remove(&id);
        if subscribers.is_empty() {
            topic.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_heard_once_for_each_subscription_to_it() {
        let hub = Arc::new(Hub::default());
        let (mut one, mut two) = (Subscriber::new(hub.clone()), Subscriber::new(hub.clone()));
        one.subscribe(Kind::Channel, b"news");
        one.subscribe(Kind::Channel, b"news");
        one.subscribe(Kind::Pattern, b"n*");
        two.subscribe(Kind::Channel, b"other");
        assert_eq!((one.count(), two.count()), (2, 1));
        assert_eq!(hub.publish(b"news", b"1"), 2);
        assert_eq!(hub.publish(b"nobody", b"2"), 1);
        assert_eq!(hub.publish(b"silence", b"3"), 0);
        let mut heard = Vec::new();
        while let Some(message) = one.try_next() {
            heard.push((message.pattern, message.payload));
        }
        let pattern = Some(Bytes::from("n*"));
        assert_eq!(
            heard,
            [
                (None, Bytes::from("1")),
                (pattern.clone(), Bytes::from("1")),
                (pattern, Bytes::from("2")),
            ]
        );
        assert_eq!(two.try_next(), None);

        one.unsubscribe(Kind::Channel, b"news");
        assert_eq!(hub.publish(b"news", b"4"), 1);
        drop(one);
        assert_eq!(hub.publish(b"news", b"5"), 0);
        drop(two);
        let topics = hub.topics();
        assert!(topics.channels.is_empty() && topics.patterns.is_empty());
    }

    #[tokio::test]
    async fn a_subscriber_that_falls_behind_is_dropped_and_the_others_hear_all() {
        let hub = Arc::new(Hub::default());
        let (slow, mut quick) = (Subscriber::new(hub.clone()), Subscriber::new(hub.clone()));
        let mut slow = slow;
        for subscriber in [&mut slow, &mut quick] {
            subscriber.subscribe(Kind::Channel, b"news");
        }
        for n in 0..=QUEUE {
            let receivers = hub.publish(b"news", n.to_string().as_bytes());
            assert_eq!(receivers, if n < QUEUE { 2 } else { 1 });
            assert_eq!(quick.next().await.unwrap().payload, n.to_string());
        }
        slow.overflowed().await;
    }
}
