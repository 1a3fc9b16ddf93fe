//! A Redis-protocol server, written as ordinary Tokio code.
//!
//! ```text
//! ANYRT_BACKEND=smol cargo run --release -p anyrt-kv -- 127.0.0.1:6379
//! redis-cli SET greeting hello EX 60
//! redis-benchmark -q -P 16 -c 50 -t set,get,incr,ping
//! ```
//!
//! Nothing in these files names anyrt: `tokio` is its name in `Cargo.toml`. The package
//! `anyrt-kv-on-tokio` builds the same files with Tokio itself.
//!
//! - [`server`] accepts connections and ends them when asked to stop
//! - [`shared`] is the state that all connections have in common
//! - [`connection`] reads requests, writes replies, and delivers published messages
//! - [`resp`] is the protocol: bytes to requests, replies to bytes
//! - [`command`] executes the commands
//! - [`store`] holds the keys and drops the expired ones
//! - [`pubsub`] holds the subscriptions
#![forbid(unsafe_code)]

mod command;
mod connection;
mod glob;
mod pubsub;
mod resp;
mod server;
mod shared;
mod store;

use tokio::net::TcpListener;
use tokio::signal;

const DEFAULT_ADDRESS: &str = "127.0.0.1:6379";

// ANCHOR: main
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or(DEFAULT_ADDRESS)).await?;
    println!("listening on {}", listener.local_addr()?);
    server::run(listener, async {
        if let Err(error) = signal::ctrl_c().await {
            eprintln!("Ctrl-C cannot be heard: {error}");
            std::future::pending::<()>().await;
        }
    })
    .await;
    println!("bye");
    Ok(())
}
// ANCHOR_END: main
