//! The server in a simulation: clients count together, keys expire, Ctrl-C lets everybody finish.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sim::{Latency, Link, current};
use tokio::sync::mpsc;
use tokio::time::sleep;

#[path = "../src/command.rs"]
mod command;
#[path = "../src/connection.rs"]
mod connection;
#[path = "../src/glob.rs"]
mod glob;
#[path = "../src/pubsub.rs"]
mod pubsub;
#[path = "../src/resp.rs"]
mod resp;
#[path = "../src/server.rs"]
mod server;
#[path = "../src/shared.rs"]
mod shared;
#[path = "../src/store.rs"]
mod store;

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect() -> Self {
        loop {
            // The server may not listen yet.
            if let Ok(stream) = TcpStream::connect("server:6379").await {
                return Self(BufReader::new(stream));
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends a command; gives the first line of the reply.
    async fn ask(&mut self, command: &str) -> String {
        let line = format!("{command}\r\n");
        self.0.write_all(line.as_bytes()).await.unwrap();
        self.line().await
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }
}

const CLIENTS: u64 = 4;
const COUNTS: u64 = 10;

#[tokio::test(sim, seeds = 50)]
async fn clients_count_together_and_keys_expire() {
    let sim = current();
    let mut link = Link::default();
    link.latency = Latency::Uniform(Duration::from_micros(100), Duration::from_millis(20));
    link.loss = 0.05;
    sim.set_link(link);
    let server = sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:6379").await.unwrap();
        server::run(listener, async { tokio::signal::ctrl_c().await.unwrap() }).await;
    });

    let (done, mut all_done) = mpsc::channel::<()>(1);
    for number in 0..CLIENTS {
        let done = done.clone();
        sim.client(&format!("client-{number}"), async move {
            let mut client = Client::connect().await;
            let mut last = 0;
            for _ in 0..COUNTS {
                let reply = client.ask("INCR counter").await;
                let count = reply.strip_prefix(':').unwrap().parse().unwrap();
                assert!(count > last, "{count} after {last}");
                last = count;
            }
            drop(done);
        });
    }
    drop(done);
    assert_eq!(all_done.recv().await, None);

    let mut client = Client::connect().await;
    assert_eq!(client.ask("GET counter").await, "$2");
    assert_eq!(client.line().await, (CLIENTS * COUNTS).to_string());
    assert_eq!(client.ask("SET key value EX 60").await, "+OK");
    sleep(Duration::from_secs(55)).await;
    assert_eq!(client.ask("GET key").await, "$5");
    assert_eq!(client.line().await, "value");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(client.ask("GET key").await, "$-1");

    server.signal(2);
    assert_eq!(client.line().await, "", "the server closes the connection");
    while server.is_up() {
        sleep(Duration::from_millis(10)).await;
    }
}
