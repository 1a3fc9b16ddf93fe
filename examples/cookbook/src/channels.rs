//! The four channels, and when to use which.
//!
//! `mpsc` for work that one side hands to the other, `oneshot` for one answer, `broadcast` for
//! events that each receiver must see, `watch` for a value of which only the latest counts.
//! What guides miss: an unbounded channel only moves the overload into memory; a slow `broadcast`
//! receiver loses messages and gets an error with their number; `watch` skips values by design; a
//! successful `send` on `mpsc` does not guarantee that the value is received.

use anyrt::sync::{broadcast, mpsc, oneshot, watch};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: mpsc
    // Bounded: when two jobs wait, the third `send` waits too. That is back pressure.
    let (jobs, mut inbox) = mpsc::channel::<u32>(2);
    jobs.try_send(1)?;
    jobs.try_send(2)?;
    assert!(matches!(
        jobs.try_send(3),
        Err(mpsc::error::TrySendError::Full(3))
    ));
    assert_eq!((inbox.recv().await, inbox.recv().await), (Some(1), Some(2)));
    // The channel ends when its last sender is dropped.
    drop(jobs);
    assert_eq!(inbox.recv().await, None);
    // ANCHOR_END: mpsc

    // ANCHOR: oneshot
    // A request carries a channel for its answer.
    let (requests, mut service) = mpsc::channel::<(u32, oneshot::Sender<u32>)>(8);
    let serving = anyrt::spawn(async move {
        while let Some((number, reply)) = service.recv().await {
            // Fails if the caller is gone, which is not an error here.
            let _ = reply.send(number * number);
        }
    });
    let (reply, answer) = oneshot::channel();
    requests.send((12, reply)).await?;
    assert_eq!(answer.await?, 144);
    drop(requests);
    serving.await?;
    // ANCHOR_END: oneshot

    // ANCHOR: broadcast
    // Each receiver gets each event, as far as the buffer reaches back.
    let (events, mut fast) = broadcast::channel(2);
    let mut slow = events.subscribe();
    for event in 1..=4 {
        events.send(event)?;
        assert_eq!(fast.recv().await?, event);
    }
    assert_eq!(
        slow.recv().await,
        Err(broadcast::error::RecvError::Lagged(2))
    );
    assert_eq!((slow.recv().await?, slow.recv().await?), (3, 4));
    // ANCHOR_END: broadcast

    // ANCHOR: watch
    // Only the latest value is kept: right for configuration and state, wrong for events.
    let (config, mut seen) = watch::channel("v1");
    config.send("v2")?;
    config.send("v3")?;
    seen.changed().await?;
    assert_eq!(*seen.borrow_and_update(), "v3");
    assert!(!seen.has_changed()?);
    // ANCHOR_END: watch

    println!("channels: 2 jobs, 1 answer, 2 events missed by the slow receiver, config v3");
    Ok(())
}
