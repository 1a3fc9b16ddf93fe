//! The lock service under many seeds: three workers, a slow network, partitions and pauses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyrt_leases::{Client, Counts, serve};
use tokio::net::TcpListener;
use tokio::sim::{Chaos, Latency, Link, Trouble, current};
use tokio::time::sleep;

// ANCHOR: program
/// Workers that share a lease. `last` is what it protects: it must never be used under an older
/// lease than before.
async fn program(counts: Counts) {
    let sim = current();
    let mut link = Link::default();
    link.latency = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(20));
    sim.set_link(link);
    // The server keeps what it has granted in memory, so it must not crash.
    let chaos = Chaos::swarm().without(&[Trouble::Crash, Trouble::PowerOff]);
    sim.chaos(chaos.until(Duration::from_secs(5)));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        serve(listener).await.unwrap();
    });
    sleep(Duration::from_millis(1)).await;

    let last = Arc::new(AtomicU64::new(0));
    for worker in 1..=3 {
        let last = Arc::clone(&last);
        sim.client(&format!("worker-{worker}"), async move {
            let mut client = Client::connect("server:80", counts).await.unwrap();
            for _ in 0..5 {
                let lease = client.take().await.unwrap();
                let steps = current().random() % 80;
                for _ in 0..steps {
                    if !lease.is_valid() {
                        break;
                    }
                    let before = last.fetch_max(lease.number, Ordering::Relaxed);
                    assert!(
                        before <= lease.number,
                        "lease {} is used after lease {before}",
                        lease.number
                    );
                    sleep(Duration::from_millis(4)).await;
                }
                client.give(lease).await.unwrap();
            }
        });
    }
}
// ANCHOR_END: program

// ANCHOR: test
#[tokio::test(sim, seeds = 200, check = 2)]
async fn a_lease_is_never_used_after_a_newer_one() {
    program(Counts::FromQuestion).await;
}
// ANCHOR_END: test

// ANCHOR: planted
/// The same with the bug: some seed of the 200 finds it.
#[tokio::test(sim, seeds = 200)]
#[should_panic(expected = "is used after lease")]
async fn a_term_that_is_counted_from_the_answer_is_found() {
    program(Counts::FromAnswer).await;
}
// ANCHOR_END: planted
