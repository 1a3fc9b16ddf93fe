//! Channels: order, closing, and the queued values when one side is dropped.

use std::collections::HashMap;
use std::future::poll_fn;

use anyrt_core::channel::{Receiver, Sender, UnboundedSender};
use anyrt_core::error::{SendError, TryRecvError, TrySendError};
use anyrt_core::runtime::Owner;
use anyrt_core::task::yield_now;
use anyrt_core::{Channel, Runtime, Spawner};

use crate::case::cases;
use crate::{Backend, DropFlag, Live, on_thread, panic_message, park_on, poll_once, settle};

cases! {
    async a_capacity_of_zero_panics_and_says_so;
    async values_arrive_in_the_order_in_which_they_were_sent;
    async values_of_each_sender_keep_their_order;
    async a_full_channel_makes_send_wait;
    async a_channel_holds_exactly_its_capacity;
    async try_send_to_a_full_channel_gives_the_value_back;
    async try_send_to_a_closed_channel_gives_the_value_back;
    async send_gives_the_value_back_when_the_receiver_is_gone;
    async a_waiting_send_gives_its_value_back_when_the_receiver_goes;
    async queued_values_are_dropped_at_once_with_the_receiver;
    async queued_values_are_received_after_the_last_sender_is_gone;
    async recv_waits_for_the_last_sender;
    async a_waiting_recv_ends_when_the_last_sender_goes;
    async dropping_recv_loses_no_value;
    async dropping_a_waiting_send_sends_nothing;
    async every_send_that_succeeded_is_received_exactly_once;
    async close_keeps_what_is_queued_and_refuses_the_rest;
    async close_gives_waiting_sends_their_values_back;
    async is_closed_tells_of_the_receiver;
    async try_recv_tells_empty_from_disconnected;
    async poll_recv_wakes_the_task_that_polled_last;
    async clones_send_into_the_same_channel;
    async an_unbounded_channel_never_waits;
    async an_unbounded_send_gives_the_value_back_when_the_receiver_is_gone;
    async queued_values_of_an_unbounded_channel_are_dropped_with_the_receiver;
    async an_unbounded_channel_gives_what_is_queued_then_none;
    async plain_threads_send_and_receive;
    fn    a_channel_joins_two_runtimes;
    fn    a_channel_outlives_its_runtime;
    async the_errors_say_what_happened;
}

async fn a_capacity_of_zero_panics_and_says_so<R: Runtime>(rt: R) {
    let message = panic_message(|| rt.bounded::<()>(0));
    assert!(
        message.contains("capacity") || message.contains("buffer"),
        "{message}"
    );
}

async fn values_arrive_in_the_order_in_which_they_were_sent<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(3);
    let task = rt.spawn(async move {
        for number in 0..1_000 {
            sender.send(number).await.unwrap();
        }
    });
    for number in 0..1_000 {
        assert_eq!(receiver.recv().await, Some(number));
    }
    assert_eq!(receiver.recv().await, None);
    task.await.unwrap();
}

async fn values_of_each_sender_keep_their_order<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(2);
    for from in 0..8 {
        let sender = sender.clone();
        drop(rt.spawn(async move {
            for number in 0..200 {
                sender.send((from, number)).await.unwrap();
            }
        }));
    }
    drop(sender);
    let mut next = HashMap::new();
    while let Some((from, number)) = receiver.recv().await {
        let expected = next.entry(from).or_insert(0);
        assert_eq!(number, *expected, "from sender {from}");
        *expected += 1;
    }
    assert!(next.len() == 8 && next.values().all(|count| *count == 200));
}

async fn a_full_channel_makes_send_wait<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    sender.send(1).await.unwrap();
    let mut second = Box::pin(sender.send(2));
    for _ in 0..10 {
        assert!(poll_once(&mut second).await.is_pending());
        yield_now().await;
    }
    assert_eq!(receiver.recv().await, Some(1));
    second.await.unwrap();
    assert_eq!(receiver.recv().await, Some(2));
}

async fn a_channel_holds_exactly_its_capacity<R: Runtime>(rt: R) {
    for capacity in [1, 2, 3, 10, 1_000] {
        let (sender, _receiver) = rt.bounded(capacity);
        for number in 0..capacity {
            sender.try_send(number).unwrap();
        }
        assert_eq!(sender.try_send(7), Err(TrySendError::Full(7)));
    }
}

async fn try_send_to_a_full_channel_gives_the_value_back<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    sender.try_send("first").unwrap();
    let error = sender.try_send("second").unwrap_err();
    assert_eq!(error, TrySendError::Full("second"));
    assert_eq!(error.into_inner(), "second");
    assert_eq!(receiver.recv().await, Some("first"));
    sender.try_send("third").unwrap();
}

async fn try_send_to_a_closed_channel_gives_the_value_back<R: Runtime>(rt: R) {
    let (sender, receiver) = rt.bounded(1);
    sender.try_send("first").unwrap();
    drop(receiver);
    // Closed takes precedence over full.
    let error = sender.try_send("second");
    assert_eq!(error, Err(TrySendError::Closed("second")));
}

async fn send_gives_the_value_back_when_the_receiver_is_gone<R: Runtime>(rt: R) {
    let (sender, receiver) = rt.bounded(1);
    drop(receiver);
    assert_eq!(sender.send("back").await, Err(SendError("back")));
}

async fn a_waiting_send_gives_its_value_back_when_the_receiver_goes<R: Runtime>(rt: R) {
    let (sender, receiver) = rt.bounded(1);
    sender.send("queued").await.unwrap();
    let waiting = rt.spawn(async move { sender.send("back").await });
    settle(&rt).await;
    drop(receiver);
    assert_eq!(waiting.await.unwrap(), Err(SendError("back")));
}

async fn queued_values_are_dropped_at_once_with_the_receiver<R: Runtime>(rt: R) {
    let live = Live::new();
    let (sender, receiver) = rt.bounded(10);
    for _ in 0..10 {
        sender.send(live.token()).await.unwrap();
    }
    drop(receiver);
    assert_eq!(live.count(), 0, "though a sender is alive");
    assert!(sender.send(live.token()).await.is_err());
    assert_eq!(live.count(), 0);
}

async fn queued_values_are_received_after_the_last_sender_is_gone<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(3);
    for number in 0..3 {
        sender.send(number).await.unwrap();
    }
    drop(sender);
    for number in 0..3 {
        assert_eq!(receiver.recv().await, Some(number));
    }
    for _ in 0..3 {
        assert_eq!(receiver.recv().await, None);
    }
}

async fn recv_waits_for_the_last_sender<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded::<()>(1);
    let clone = sender.clone();
    drop(sender);
    let mut recv = Box::pin(receiver.recv());
    assert!(poll_once(&mut recv).await.is_pending());
    drop(clone);
    assert_eq!(recv.await, None);
}

async fn a_waiting_recv_ends_when_the_last_sender_goes<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded::<()>(1);
    let waiting = rt.spawn(async move { receiver.recv().await });
    settle(&rt).await;
    on_thread(move || drop(sender)).await;
    assert_eq!(waiting.await.unwrap(), None);
}

async fn dropping_recv_loses_no_value<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(8);
    let producer = rt.spawn(async move {
        for number in 0..300 {
            sender.send(number).await.unwrap();
            if number % 3 == 0 {
                yield_now().await;
            }
        }
    });
    let mut next = 0;
    loop {
        // Polled once and dropped, whatever the result.
        let polled = poll_once(&mut Box::pin(receiver.recv())).await;
        match polled {
            std::task::Poll::Ready(Some(number)) => {
                assert_eq!(number, next);
                next += 1;
            }
            std::task::Poll::Ready(None) => break,
            std::task::Poll::Pending => {
                yield_now().await;
                // The producer may be on another thread, which needs a core.
                std::thread::yield_now();
            }
        }
    }
    assert_eq!(next, 300);
    producer.await.unwrap();
}

async fn dropping_a_waiting_send_sends_nothing<R: Runtime>(rt: R) {
    let live = Live::new();
    let (sender, mut receiver) = rt.bounded(1);
    sender.send(live.token()).await.unwrap();
    for _ in 0..100 {
        let mut send = Box::pin(sender.send(live.token()));
        assert!(poll_once(&mut send).await.is_pending());
        assert_eq!(live.count(), 2);
        drop(send);
        assert_eq!(live.count(), 1, "its value is dropped with it");
    }
    drop(receiver.recv().await);
    assert_eq!(receiver.try_recv().unwrap_err(), TryRecvError::Empty);
}

async fn every_send_that_succeeded_is_received_exactly_once<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let sender = sender.clone();
            rt.spawn(async move {
                let mut sent = 0_usize;
                for _ in 0..100 {
                    // Polled once and dropped: the value was sent if, and only if, it reports so.
                    let polled = poll_once(&mut Box::pin(sender.send(()))).await;
                    sent += usize::from(polled.is_ready());
                    yield_now().await;
                }
                sent
            })
        })
        .collect();
    drop(sender);
    let mut received = 0;
    while receiver.recv().await.is_some() {
        received += 1;
    }
    let mut sent = 0;
    for task in senders {
        sent += task.await.unwrap();
    }
    assert_eq!(received, sent);
}

async fn close_keeps_what_is_queued_and_refuses_the_rest<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(3);
    sender.send(1).await.unwrap();
    sender.send(2).await.unwrap();
    receiver.close();
    assert_eq!(sender.send(3).await, Err(SendError(3)));
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert_eq!(receiver.recv().await, Some(1));
    assert_eq!(receiver.recv().await, Some(2));
    assert_eq!(receiver.recv().await, None, "though a sender is alive");
}

async fn close_gives_waiting_sends_their_values_back<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    sender.send("queued").await.unwrap();
    let waiting = rt.spawn(async move { sender.send("back").await });
    settle(&rt).await;
    receiver.close();
    assert_eq!(waiting.await.unwrap(), Err(SendError("back")));
    assert_eq!(receiver.recv().await, Some("queued"));
    assert_eq!(receiver.recv().await, None);
}

async fn is_closed_tells_of_the_receiver<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded::<()>(1);
    assert!(!sender.is_closed());
    receiver.close();
    assert!(sender.is_closed());
    let (sender, receiver) = rt.unbounded::<()>();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
}

async fn try_recv_tells_empty_from_disconnected<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(7).await.unwrap();
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

async fn poll_recv_wakes_the_task_that_polled_last<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    // Polled by this task first, then moved to another one, which must be woken for the value.
    let first = poll_fn(|cx| std::task::Poll::Ready(receiver.poll_recv(cx))).await;
    assert!(first.is_pending());
    let task = rt.spawn(async move { receiver.recv().await });
    settle(&rt).await;
    sender.send(7).await.unwrap();
    assert_eq!(task.await.unwrap(), Some(7));
}

async fn clones_send_into_the_same_channel<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(2);
    let clone = sender.clone();
    sender.send(1).await.unwrap();
    clone.send(2).await.unwrap();
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)), "one room");
    assert_eq!(receiver.recv().await, Some(1));
    assert_eq!(receiver.recv().await, Some(2));
}

async fn an_unbounded_channel_never_waits<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.unbounded();
    for number in 0..100_000 {
        sender.send(number).unwrap();
    }
    for number in 0..100_000 {
        assert_eq!(receiver.recv().await, Some(number));
    }
}

async fn an_unbounded_send_gives_the_value_back_when_the_receiver_is_gone<R: Runtime>(rt: R) {
    let (sender, receiver) = rt.unbounded();
    drop(receiver);
    assert_eq!(sender.send("back"), Err(SendError("back")));
}

async fn queued_values_of_an_unbounded_channel_are_dropped_with_the_receiver<R: Runtime>(rt: R) {
    let (sender, receiver) = rt.unbounded();
    let (flag, dropped) = DropFlag::new();
    sender.send(flag).unwrap();
    drop(receiver);
    assert!(dropped.is_dropped(), "though a sender is alive");
    drop(sender);
}

async fn an_unbounded_channel_gives_what_is_queued_then_none<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.unbounded();
    let clone = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    clone.send(2).unwrap();
    drop(clone);
    assert_eq!(receiver.recv().await, Some(1));
    assert_eq!(receiver.recv().await, Some(2));
    assert_eq!(receiver.recv().await, None);
}

async fn plain_threads_send_and_receive<R: Runtime>(rt: R) {
    let (there, mut from_here) = rt.bounded(2);
    let (back, mut from_there) = rt.bounded(2);
    let thread = on_thread(move || {
        park_on(async {
            while let Some(number) = from_here.recv().await {
                back.send(number + 1).await.unwrap();
            }
        });
    });
    let drive = async {
        for number in 0..1_000 {
            there.send(number).await.unwrap();
            assert_eq!(from_there.recv().await, Some(number + 1));
        }
        drop(there);
    };
    futures_util::future::join(thread, drive).await;
}

fn a_channel_joins_two_runtimes<O: Owner>(backend: &Backend<O>) {
    let (one, other) = (backend.build(), backend.build());
    let (there, mut from_one) = one.handle().bounded(2);
    let (back, mut from_other) = other.handle().bounded(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            other.block_on(async {
                while let Some(number) = from_one.recv().await {
                    back.send(number + 1).await.unwrap();
                }
            });
        });
        one.block_on(async {
            for number in 0..1_000 {
                there.send(number).await.unwrap();
                assert_eq!(from_other.recv().await, Some(number + 1));
            }
            drop(there);
        });
    });
}

fn a_channel_outlives_its_runtime<O: Owner>(backend: &Backend<O>) {
    let owner = backend.build();
    let (sender, mut receiver) = owner.handle().bounded(2);
    let held = sender.clone();
    let task = owner.handle().spawn(async move {
        held.send(1).await.unwrap();
        std::future::pending::<()>().await;
    });
    owner.block_on(async { assert_eq!(receiver.recv().await, Some(1)) });
    drop(owner);
    assert!(park_on(task).is_err());
    park_on(async {
        sender.send(2).await.unwrap();
        drop(sender);
        assert_eq!(receiver.recv().await, Some(2));
        assert_eq!(receiver.recv().await, None, "the task's sender is gone");
    });
}

async fn the_errors_say_what_happened<R: Runtime>(rt: R) {
    let (sender, mut receiver) = rt.bounded(1);
    assert!(
        receiver
            .try_recv()
            .unwrap_err()
            .to_string()
            .contains("empty")
    );
    sender.send(1).await.unwrap();
    let full = sender.try_send(2).unwrap_err();
    assert!(full.to_string().contains("capacity"), "{full}");
    assert_eq!(format!("{full:?}"), "Full(..)", "values need no Debug");
    drop(receiver);
    let closed = sender.send(3).await.unwrap_err();
    assert!(closed.to_string().contains("closed"), "{closed}");
}
