//! A replicated key-value store: several servers keep the same data, which survives as long as a
//! majority of them does.
//!
//! The algorithm is Raft (Ongaro and Ousterhout, "In search of an understandable consensus
//! algorithm", 2014): one server is elected leader, orders all commands in a log, and executes the
//! commands that a majority has on disk. The code is plain Tokio. The tests run it in a simulation;
//! the guide is `docs/en/simulation.md`.
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
