//! Three servers under many seeds: they crash and lose power, their network is cut, and clients
//! check the results.

use std::time::Duration;

use anyrt_quorum::{Client, Config, serve};
use tokio::net::TcpListener;
use tokio::sim::{Chaos, Latency, Link, current};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// An operation of a client on the one value that all of them share, together with the answer: the
/// value at that time.
struct Done {
    /// The appended text; empty for a read.
    token: Option<String>,
    value: String,
    /// By the clock of the simulation: those of the nodes are wrong.
    began: Duration,
    ended: Duration,
}

// ANCHOR: program
async fn program() {
    let sim = current();
    let mut link = Link::default();
    link.latency = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(10));
    sim.set_link(link);
    sim.chaos(Chaos::swarm().until(Duration::from_secs(20)));

    let addresses: Vec<_> = (0..3).map(|server| format!("server-{server}:80")).collect();
    for me in 0..3 {
        let config = Config {
            me,
            addresses: addresses.clone(),
            directory: "/data".into(),
        };
        sim.host(&format!("server-{me}"), move || run(config.clone()));
    }

    let (tell, mut told) = mpsc::unbounded_channel();
    for client in 0..3 {
        let name = format!("client-{client}");
        let client = Client::new(&name, &addresses);
        sim.client(&name.clone(), use_it(name, client, tell.clone()));
    }
    drop(tell);
    let mut history = Vec::new();
    while let Some(done) = told.recv().await {
        history.push(done);
    }
    let last = Client::new("last", &addresses).get("key").await;
    check(&history, &last);
}

/// A server whose disk has failed is started again, as by a supervisor.
async fn run(config: Config) {
    loop {
        let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
        let error = serve(config.clone(), listener).await.unwrap_err();
        println!("server {}: {error}", config.me);
        sleep(Duration::from_millis(500)).await;
    }
}
// ANCHOR_END: program

async fn use_it(name: String, mut client: Client, tell: mpsc::UnboundedSender<Done>) {
    for number in 0..8 {
        let token = (number % 2 == 0).then(|| format!("{name}.{number} "));
        let began = current().elapsed();
        let value = match &token {
            Some(token) => client.append("key", token).await,
            None => client.get("key").await,
        };
        let ended = current().elapsed();
        let done = Done {
            token,
            value,
            began,
            ended,
        };
        tell.send(done).unwrap_or_else(|_| panic!("nobody checks"));
        sleep(Duration::from_millis(current().random() % 2_000)).await;
    }
}

// ANCHOR: check
/// Checks that one order of all operations explains each answer. Since texts are only appended, the
/// last value is that order.
fn check(history: &[Done], last: &str) {
    let end_of = |token: &str| last.find(token).map(|start| start + token.len());
    for done in history {
        let Done { token, value, .. } = done;
        assert!(
            last.starts_with(value),
            "{value:?} was told, and lost: {last:?}"
        );
        if let Some(token) = token {
            assert_eq!(last.matches(token).count(), 1, "{token:?} in {last:?}");
            assert_eq!(end_of(token), Some(value.len()), "{token:?} and {value:?}");
        }
        // An operation that begins after this has ended must see at least as much.
        for later in history.iter().filter(|later| later.began > done.ended) {
            let told = &later.value;
            assert!(
                told.len() >= value.len(),
                "{told:?} was told after {value:?}"
            );
        }
    }
}
// ANCHOR_END: check

#[tokio::test(sim, seeds = 100, check = 2, time_limit = "2m")]
#[cfg_attr(
    any(
        feature = "bug-missing-sync",
        feature = "bug-stale-read",
        feature = "bug-forgotten-clients"
    ),
    should_panic(expected = "failed with seed")
)]
async fn what_was_told_once_stays_true() {
    program().await;
}
