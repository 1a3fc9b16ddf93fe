//! CSP, third part: one task waits for several channels at once.
//!
//! Use it for a task that serves more than one source: commands, data, a clock, the end.
//! What guides miss: a closed channel is always ready, so a branch without a pattern spins; without
//! `biased` the order is random, with it a busy first branch starves the others; work in a branch's
//! body keeps all others waiting.

use anyrt::sync::{mpsc, watch};
use anyrt::time::{Duration, interval};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let (data, data_in) = mpsc::channel(4);
    let (urgent, urgent_in) = mpsc::channel(4);
    let (stop, stopped) = watch::channel(false);
    let (first_tick, ticked) = anyrt::sync::oneshot::channel();
    let serving = anyrt::spawn(serve(data_in, urgent_in, stopped, first_tick));

    ticked.await?;
    for number in 1..=10 {
        data.send(number).await?;
    }
    urgent.send("flush").await?;
    // One source ends, the others continue.
    drained(&data).await;
    drop(data);
    urgent.send("rotate").await?;
    // `serve` returns as soon as it sees the stop, and drops messages that are still queued.
    drained(&urgent).await;
    stop.send(true)?;
    let seen = serving.await?;
    assert_eq!(
        (seen.sum, seen.urgent.as_slice()),
        (55, &["flush", "rotate"][..])
    );
    assert!(seen.ticks >= 1);
    println!(
        "multiplexing: the data add up to {}, urgent were {:?}",
        seen.sum, seen.urgent
    );
    Ok(())
}

#[derive(Default)]
struct Seen {
    sum: u32,
    urgent: Vec<&'static str>,
    ticks: u32,
}

// ANCHOR: serve
async fn serve(
    mut data: mpsc::Receiver<u32>,
    mut urgent: mpsc::Receiver<&'static str>,
    mut stopped: watch::Receiver<bool>,
    first_tick: anyrt::sync::oneshot::Sender<()>,
) -> Seen {
    let mut seen = Seen::default();
    let mut first_tick = Some(first_tick);
    let mut ticks = interval(Duration::from_millis(1));
    loop {
        anyrt::select! {
            // A pattern that does not match disables its branch for this round: a closed channel
            // costs one check per round instead of a busy loop.
            Some(number) = data.recv() => seen.sum += number,
            Some(command) = urgent.recv() => seen.urgent.push(command),
            _ = ticks.tick() => {
                seen.ticks += 1;
                first_tick.take().map(|told| told.send(()));
            }
            // `wait_for` is true at once if the value is already there, so no `send` can be missed.
            _ = stopped.wait_for(|stop| *stop) => return seen,
        }
    }
}
// ANCHOR_END: serve

/// Waits until the receiver has taken all messages.
async fn drained<T>(sender: &mpsc::Sender<T>) {
    // A message holds its permit until it is received, so all of them are free only then.
    drop(sender.reserve_many(sender.max_capacity()).await);
}
