//! CSP, first part: producers and a consumer that share nothing but a channel.
//!
//! Use it when the rates differ: the channel's capacity is how far the fast side may run ahead.
//! What guides miss: the original `Sender` must be dropped, or the consumer waits forever;
//! producers notice a consumer that stops early by the error of `send`.

use anyrt::sync::mpsc;
use anyrt::task::JoinSet;

const PRODUCERS: u64 = 4;
const EACH: u64 = 250;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: all
    let (sender, mut receiver) = mpsc::channel(16);
    let mut producers = JoinSet::new();
    for producer in 0..PRODUCERS {
        let sender = sender.clone();
        producers.spawn(async move {
            for number in 0..EACH {
                sender
                    .send((producer, number))
                    .await
                    .expect("the consumer takes all");
            }
        });
    }
    // Without this the channel never ends, because `sender` itself still exists.
    drop(sender);

    let mut next = [0; PRODUCERS as usize];
    let mut taken = 0;
    while let Some((producer, number)) = receiver.recv().await {
        // FIFO per producer; between producers there is no order.
        assert_eq!(number, next[producer as usize]);
        next[producer as usize] += 1;
        taken += 1;
    }
    assert_eq!(taken, PRODUCERS * EACH);
    // ANCHOR_END: all
    producers.join_all().await;

    // ANCHOR: early
    // A consumer that needs no more drops its end. `send` then fails and returns the value to the
    // producer.
    let (sender, mut receiver) = mpsc::channel(1);
    let producer = anyrt::spawn(async move {
        for number in 0_u64.. {
            if let Err(refused) = sender.send(number).await {
                return refused.0;
            }
        }
        unreachable!("the consumer stops")
    });
    let mut sum = 0;
    while sum < 10 {
        sum += receiver.recv().await.expect("the producer goes on");
    }
    drop(receiver);
    assert!(producer.await? >= 5);
    // ANCHOR_END: early

    println!("producer_consumer: {taken} items in order, and a producer that stopped when told");
    Ok(())
}
