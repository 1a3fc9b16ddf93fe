//! Streams: values over time, with adapters; and `FuturesUnordered`, a set of futures in one task.
//!
//! Use a stream where a function would return an iterator if it were not async. Use
//! `buffer_unordered` for "at most n at a time", `FuturesUnordered` when futures are added as
//! others finish.
//! What guides miss: these run in ONE task, so they overlap waiting, not computing: spawn for that;
//! while the loop's body awaits something else, the futures in the set are not polled.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyrt::sync::mpsc;
use anyrt::task::yield_now;
use futures_util::stream::{FuturesUnordered, Stream};
use futures_util::{StreamExt, TryStreamExt, stream};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: adapters
    let (sender, receiver) = mpsc::channel(4);
    anyrt::spawn(async move {
        for page in 1..=5_u32 {
            let _ = sender.send(vec![page; 3]).await;
        }
    });
    let items: Vec<u32> = from_receiver(receiver)
        .flat_map(stream::iter)
        .filter(|item| std::future::ready(item % 2 == 1))
        .take(7)
        .collect()
        .await;
    assert_eq!(items, [1, 1, 1, 3, 3, 3, 5]);
    // ANCHOR_END: adapters

    // ANCHOR: limit
    // At most three requests at a time, results as they come; the first error ends it.
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let total: u64 = stream::iter(1..=20_u64)
        .map(|id| {
            let (inside, most) = (&inside, &most);
            async move {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let answer = fetch(id).await;
                inside.fetch_sub(1, Ordering::SeqCst);
                answer
            }
        })
        .buffer_unordered(3)
        .try_fold(0, |sum, answer| async move { Ok(sum + answer) })
        .await?;
    assert_eq!((total, most.load(Ordering::SeqCst)), (2100, 3));
    // ANCHOR_END: limit

    // ANCHOR: unordered
    // A crawler: each page that arrives adds the pages that it links to.
    let fetched = Arc::new(AtomicUsize::new(0));
    let mut crawling = FuturesUnordered::new();
    crawling.push(crawl(1, Arc::clone(&fetched)));
    while let Some(links) = crawling.next().await {
        crawling.extend(
            links
                .into_iter()
                .map(|link| crawl(link, Arc::clone(&fetched))),
        );
    }
    assert_eq!(fetched.load(Ordering::Relaxed), 15);
    // ANCHOR_END: unordered

    println!("streams: {items:?}, a total of {total}, 15 pages crawled");
    Ok(())
}

// ANCHOR: from_receiver
/// A receiver as a stream. Nothing is lost if the stream is dropped between items.
fn from_receiver<T>(receiver: mpsc::Receiver<T>) -> impl Stream<Item = T> {
    stream::unfold(receiver, |mut receiver| async move {
        let item = receiver.recv().await?;
        Some((item, receiver))
    })
}
// ANCHOR_END: from_receiver

async fn fetch(id: u64) -> anyhow::Result<u64> {
    yield_now().await;
    Ok(id * 10)
}

async fn crawl(page: u32, fetched: Arc<AtomicUsize>) -> Vec<u32> {
    yield_now().await;
    fetched.fetch_add(1, Ordering::Relaxed);
    [2 * page, 2 * page + 1]
        .into_iter()
        .filter(|link| *link < 16)
        .collect()
}
