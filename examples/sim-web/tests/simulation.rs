//! The shop under many seeds: a slow network, partitions, pauses, crashes, power failures and bad
//! disks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyrt_sim_web::customer::Customer;
use anyrt_sim_web::shop;
use anyrt_sim_web::stock::Stock;
use tokio::net::TcpListener;
use tokio::sim::{Chaos, Latency, Link, current};
use tokio::time::sleep;

/// The number of pieces, and the number that each customer orders, one after another.
const PIECES: u32 = 12;
const CUSTOMERS: u64 = 3;
const ORDERS: u64 = 4;
/// Leaves time for faults in between.
const PAUSE: Duration = Duration::from_secs(1);

// ANCHOR: program
async fn program() {
    let sim = current();
    let mut link = Link::default();
    link.latency = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(20));
    sim.set_link(link);
    sim.chaos(Chaos::swarm().until(Duration::from_secs(10)));

    sim.host("stock", || async {
        // As a supervisor would, until the disk can be read.
        let stock = loop {
            match Stock::open(Path::new("/data"), PIECES).await {
                Ok(stock) => break stock,
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        };
        let listener = TcpListener::bind("0.0.0.0:50051").await.unwrap();
        stock.serve(listener).await.unwrap();
    });
    sim.host("shop", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        shop::serve(listener, "http://stock:50051").await.unwrap();
    });

    let sold = Arc::new(AtomicU32::new(0));
    for number in 0..CUSTOMERS {
        let sold = Arc::clone(&sold);
        sim.client(&format!("customer-{number}"), async move {
            let customer = Customer::new("http://shop").unwrap();
            for order in 0..ORDERS {
                let (pieces, attempts) = customer.order(number * ORDERS + order, 2).await;
                tokio::sometimes!(attempts > 1, "an order is repeated");
                let all = sold.fetch_add(pieces, Ordering::Relaxed) + pieces;
                assert!(all <= PIECES, "{all} pieces of {PIECES} are sold");
                sleep(PAUSE).await;
            }
        });
    }
}

#[tokio::test(sim, seeds = 100, check = 2)]
async fn no_more_is_sold_than_there_is() {
    program().await;
}
// ANCHOR_END: program
