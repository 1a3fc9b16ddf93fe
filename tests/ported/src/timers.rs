//! Sleeps, intervals and timeouts: their order and number, never their duration.

use std::time::Duration;

use tokio::time::{
    Instant, MissedTickBehavior, interval, interval_at, sleep, sleep_until, timeout, timeout_at,
};

use crate::Outcome;

const SHORT: Duration = Duration::from_millis(20);

pub async fn run() -> Outcome {
    println!("== timers");
    order().await?;
    intervals().await;
    timeouts().await;
    resets().await;
    Ok(())
}

/// Timers fire in the order of their deadlines, not in that of their creation.
async fn order() -> Outcome {
    let start = Instant::now();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for number in [5, 1, 4, 2, 3] {
        let sender = sender.clone();
        tokio::spawn(async move {
            sleep_until(start + SHORT * 2 * number).await;
            let _ = sender.send((number, start.elapsed() >= SHORT * 2 * number));
        });
    }
    drop(sender);
    let mut order = Vec::new();
    while let Some(one) = receiver.recv().await {
        order.push(one);
    }
    println!("{order:?}");
    Ok(())
}

async fn intervals() {
    let start = Instant::now();
    let mut ticks = interval_at(start, SHORT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut due = Vec::new();
    for _ in 0..4 {
        due.push((ticks.tick().await - start).as_millis());
    }
    println!("ticks were due at {due:?}, period {:?}", ticks.period());
    let mut ticks = interval(SHORT);
    println!(
        "{:?} until it is told otherwise",
        ticks.missed_tick_behavior()
    );
    let first = ticks.tick().await;
    ticks.reset();
    println!("a period later: {}", ticks.tick().await - first >= SHORT);
}

async fn timeouts() {
    println!("in time: {:?}", timeout(SHORT, async { 7 }).await);
    println!("at once: {:?}", timeout(Duration::ZERO, async { 7 }).await);
    match timeout(SHORT, std::future::pending::<()>()).await {
        Ok(()) => println!("never comes"),
        Err(elapsed) => {
            println!("{elapsed:?}: {elapsed}");
            println!("{:?}", std::io::Error::from(elapsed).kind());
        }
    }
    let past = Instant::now();
    println!("past: {}", timeout_at(past, sleep(SHORT)).await.is_err());
    println!(
        "endless: {:?}",
        timeout(Duration::MAX, async { "done" }).await
    );
}

async fn resets() {
    let mut later = Box::pin(sleep(Duration::from_secs(3600)));
    let before = later.deadline();
    later.as_mut().reset(Instant::now() + SHORT);
    println!(
        "nearer: {}, over: {}",
        later.deadline() < before,
        later.is_elapsed()
    );
    later.as_mut().await;
    println!("over: {}", later.is_elapsed());
}
