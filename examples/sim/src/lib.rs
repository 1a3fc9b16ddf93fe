//! A replicated key-value store: several servers keep the same data, and it survives as long as
//! most of them do.
//!
//! The algorithm is Raft (Ongaro and Ousterhout, "In search of an understandable consensus
//! algorithm", 2014): one server is elected leader, orders all commands in a log, and carries out
//! what most servers have on their disks. The code is plain Tokio. The tests run it in a
//! simulation; the guide is `docs/en/simulation.md`.
//!
//! ```text
//!   client --Command--> server (leader) --Append, Install, Vote--> other servers
//!                         node: the rules           disk: promise, log, snapshot
//! ```

mod client;
mod disk;
mod message;
mod node;
mod server;

pub use client::Client;
pub use server::{Config, serve};
