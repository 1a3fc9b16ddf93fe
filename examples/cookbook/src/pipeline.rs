//! CSP, second part: a pipeline of stages, each a task, joined by bounded channels.
//!
//! Use it when stages have different work: one parses, one computes, one writes. The slowest stage
//! sets the pace of all.
//! What guides miss: an unbounded channel between stages removes the back pressure that makes it
//! safe; a stage that computes belongs on the blocking pool; results out of order need a number,
//! results in order need `buffered`.

use anyrt::sync::mpsc;
use anyrt::task::spawn_blocking;
use futures_util::{StreamExt, stream};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: stages
    // The end propagates: a stage whose input ends returns and drops its output.
    let lines = source((1..=100).map(|n| n.to_string()).chain(["x".into()]));
    let numbers = stage(
        lines,
        |line: String| async move { line.parse::<u64>().ok() },
    );
    let squares = stage(numbers, |n| async move { Some(n * n) });
    let mut texts = stage(squares, |n| async move { Some(format!("{n};")) });
    let mut all = String::new();
    while let Some(text) = texts.recv().await {
        all += &text;
    }
    assert!(all.starts_with("1;4;9;16;") && all.ends_with("9801;10000;"));
    // ANCHOR_END: stages

    // ANCHOR: buffered
    // One stage with four computations at a time, results in the order of the input.
    let digests: Vec<u64> = stream::iter(0..16_u64)
        .map(|seed| async move { spawn_blocking(move || digest(seed)).await })
        .buffered(4)
        .map(|result| result.expect("digest does not panic"))
        .collect()
        .await;
    assert_eq!(digests, (0..16).map(digest).collect::<Vec<_>>());
    // ANCHOR_END: buffered

    println!(
        "pipeline: {} bytes through four stages, {} digests in order",
        all.len(),
        digests.len()
    );
    Ok(())
}

// ANCHOR: stage
fn source<T: Send + 'static>(
    items: impl IntoIterator<Item = T, IntoIter: Send> + Send + 'static,
) -> mpsc::Receiver<T> {
    let (output, receiver) = mpsc::channel(8);
    anyrt::spawn(async move {
        for item in items {
            // Fails if the next stage has ended, so the rest is not needed.
            if output.send(item).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// Passes on the result of `work` for each item, and drops items for which it returns `None`.
fn stage<T, U, F>(
    mut input: mpsc::Receiver<T>,
    work: impl Fn(T) -> F + Send + 'static,
) -> mpsc::Receiver<U>
where
    T: Send + 'static,
    U: Send + 'static,
    F: Future<Output = Option<U>> + Send + 'static,
{
    let (output, receiver) = mpsc::channel(8);
    anyrt::spawn(async move {
        while let Some(item) = input.recv().await {
            if let Some(made) = work(item).await
                && output.send(made).await.is_err()
            {
                return;
            }
        }
    });
    receiver
}
// ANCHOR_END: stage

fn digest(seed: u64) -> u64 {
    (0..1_000).fold(seed, |hash, n| (hash ^ n).wrapping_mul(0x0100_0000_01b3))
}
