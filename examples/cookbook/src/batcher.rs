//! Collects items and hands them on in batches: when there are enough, or when the oldest has
//! waited long enough.
//!
//! Use it before anything with a price per call: a telemetry exporter, a database, a disk.
//! What guides miss: a timer that is recreated for each item never fires while items keep coming; a
//! fixed interval sends a batch of one that came just before the tick; the last batch is lost when
//! the program ends.

use std::pin::pin;

use anyrt::sync::mpsc;
use anyrt::time::{Duration, Instant, sleep_until};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let (spans, spans_in) = mpsc::channel(64);
    let (exported, mut batches) = mpsc::channel(64);
    for span in 1..=10 {
        spans.send(span).await?;
    }
    let exporter = anyrt::spawn(export(spans_in, exported, 4, Duration::from_millis(10)));
    assert_eq!(batches.recv().await, Some(vec![1, 2, 3, 4]));
    assert_eq!(batches.recv().await, Some(vec![5, 6, 7, 8]));
    // The batch is not full; the age of its oldest item sends it.
    let mut rest = batches.recv().await.unwrap_or_default();
    while rest.len() < 2 {
        rest.extend(batches.recv().await.unwrap_or_default());
    }
    assert_eq!(rest, [9, 10]);
    // The end sends the rest.
    spans.send(11).await?;
    drop(spans);
    assert_eq!(batches.recv().await, Some(vec![11]));
    assert_eq!(batches.recv().await, None);
    exporter.await?;
    println!("batcher: two full batches, one by age, one at the end");
    Ok(())
}

// ANCHOR: export
async fn export<T>(
    mut items: mpsc::Receiver<T>,
    exported: mpsc::Sender<Vec<T>>,
    size: usize,
    age: Duration,
) {
    let mut batch = Vec::with_capacity(size);
    // One timer for the whole run. It counts only while there is something in the batch.
    let mut flush = pin!(sleep_until(Instant::now()));
    loop {
        let full_or_ended = anyrt::select! {
            // First, so that available items enter the batch before its age is checked.
            biased;
            item = items.recv() => match item {
                Some(item) => {
                    if batch.is_empty() {
                        flush.as_mut().reset(Instant::now() + age);
                    }
                    batch.push(item);
                    batch.len() == size
                }
                None => {
                    if !batch.is_empty() {
                        let _ = exported.send(batch).await;
                    }
                    return;
                }
            },
            () = flush.as_mut(), if !batch.is_empty() => true,
        };
        // While this waits, nothing is received: a slow exporter slows its producers down.
        if full_or_ended
            && exported
                .send(std::mem::replace(&mut batch, Vec::with_capacity(size)))
                .await
                .is_err()
        {
            return;
        }
    }
}
// ANCHOR_END: export
