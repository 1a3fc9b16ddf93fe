//! Simulations: one seed, one execution, with faults (feature `sim`).
//!
//! Inside a simulation this crate works as on any other backend: [`spawn`](crate::spawn), timers,
//! sockets, `select!`, [`sync`](crate::sync), blocking jobs. The seed determines the order of
//! tasks, the network and its faults; time is virtual, and a failing seed replays. [`anyrt_sim`]
//! describes how this works and what it cannot control.
//!
//! ```
//! use anyrt::io::{AsyncReadExt, AsyncWriteExt};
//! use anyrt::net::{TcpListener, TcpStream};
//! use anyrt::sim::Sim;
//! use std::time::Duration;
//!
//! for seed in 0..20 {
//!     let sim = Sim::new(seed);
//!     sim.host("server", || async {
//!         let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
//!         loop {
//!             let (mut stream, _) = listener.accept().await.unwrap();
//!             anyrt::time::sleep(Duration::from_secs(60)).await; // takes no real time
//!             stream.write_all(b"hello").await.unwrap();
//!         }
//!     });
//!     sim.client("client", async {
//!         anyrt::time::sleep(Duration::from_millis(10)).await;
//!         let mut stream = TcpStream::connect("server:80").await.unwrap();
//!         let mut text = String::new();
//!         stream.read_to_string(&mut text).await.unwrap();
//!         assert_eq!(text, "hello");
//!     });
//!     sim.run().unwrap();
//! }
//! ```
//!
//! # Tests
//! `#[anyrt::test(sim, seeds = 100)]` runs a test under many seeds; see the attribute
//! [`test`](macro@crate::test). A failure prints the command that replays it, with the faults that
//! it needs.
//!
//! ```
//! use anyrt::net::{TcpListener, TcpStream};
//! use anyrt::sim::current;
//!
//! #[anyrt::test(sim, seeds = 200, check = 2)]
//! async fn the_server_answers() {
//!     current().host("server", || async {
//!         let listener = TcpListener::bind("0.0.0.0:80").await.unwrap();
//!         while listener.accept().await.is_ok() {}
//!     });
//!     while TcpStream::connect("server:80").await.is_err() {}
//! }
//! ```
//!
//! # Histories
//! With the feature `sim-history`, the module `history` checks what clients have seen for
//! linearizability.
//!
//! # Limits of a simulated node
//! Child processes, named pipes, and [`AsyncFd`](crate::io::unix::AsyncFd) of anything but a Unix
//! socket or a pipe of the node return an error of kind
//! [`Unsupported`](std::io::ErrorKind::Unsupported) that names the node and the operation.
//! [Files](fs) are on the node's own disk; `std::fs`, also in a blocking job, reaches the real one.
//! Signals come from [`Node::signal`]. Socket options are accepted, but only `TCP_NODELAY` and a
//! linger of zero have an effect.
//!
//! # Together with another runtime
//! A simulation may run in a program with other backends. A runtime that is built without naming a
//! backend is never a simulation.

use std::future::Future;

use crate::testing::Outcome;

#[doc(inline)]
pub use anyrt_sim::fs;
#[cfg(feature = "sim-history")]
#[doc(inline)]
pub use anyrt_sim::history;
#[doc(hidden)]
pub use anyrt_sim::testing::Test as Simulation;
#[doc(inline)]
pub use anyrt_sim::{
    Builder, Chaos, DiskFaults, Event, Failure, FailureKind, Fault, FaultId, Hold, InvalidFaultId,
    Latency, Link, Message, MessageKind, Node, Partition, Rule, Schedule, Sim, SimRuntime, Step,
    Trouble, Unsynced, Verdict,
};

/// Returns the current node of the simulation, which gives access to its faults, its random numbers
/// and further nodes.
///
/// # Panics
/// Panics outside of a simulation.
#[track_caller]
pub fn current() -> SimRuntime {
    match try_current() {
        Some(node) => node,
        None => panic!(
            "no simulation is current: call it inside of `Sim::run`, a host, a client or `#[anyrt::test(sim)]`"
        ),
    }
}

/// As [`current`]; `None` outside of a simulation.
pub fn try_current() -> Option<SimRuntime> {
    crate::backend::if_sim::node()
}

/// Returns the number of the branch that a `select!` polls first.
#[doc(hidden)]
pub fn __first_branch(branches: u32) -> u32 {
    match try_current() {
        Some(node) => node.first_branch(branches),
        None => crate::macros::support::thread_rng_n(branches),
    }
}

/// Returns `true` if the program should misbehave at that place.
#[doc(hidden)]
pub fn __buggify(place: &'static str) -> bool {
    try_current().is_some_and(|node| node.buggify(place))
}

/// Records whether the event happened.
#[doc(hidden)]
pub fn __sometimes(name: &'static str, happened: impl FnOnce() -> bool) {
    if let Some(node) = try_current() {
        node.sometimes(name, happened());
    }
}

/// Runs a test; `#[anyrt::test(sim)]` expands to a call.
#[doc(hidden)]
#[track_caller]
pub fn simulate<F>(test: Simulation, make: fn() -> F)
where
    F: Future + Send + 'static,
    F::Output: Outcome,
{
    anyrt_sim::testing::run(test, move || {
        Box::pin(async move { make().await.failure() })
    });
}
