//! The simulator of anyrt: a runtime in which one seed is one execution.
//!
//! A distributed program is right if it is right under every order of events. Here the order of tasks, the latencies
//! of the network and its faults come from a seed, time is virtual, and a failing seed replays.
//!
//! ```
//! use anyrt_core::net::TcpListener;
//! use anyrt_core::{Net, Timer};
//! use anyrt_sim::{Sim, SimRuntime};
//! use futures_util::{AsyncReadExt, AsyncWriteExt};
//! use std::time::Duration;
//!
//! for seed in 0..20 {
//!     let sim = Sim::new(seed);
//!     sim.host("server", || async {
//!         let rt = SimRuntime::try_current().unwrap();
//!         let listener = rt.bind_tcp("0.0.0.0:80").await.unwrap();
//!         loop {
//!             let (mut stream, _) = listener.accept().await.unwrap();
//!             rt.sleep(Duration::from_secs(60)).await; // takes no real time
//!             stream.write_all(b"hello").await.unwrap();
//!         }
//!     });
//!     sim.client("client", async {
//!         let rt = SimRuntime::try_current().unwrap();
//!         rt.sleep(Duration::from_millis(10)).await;
//!         let mut stream = rt.connect_tcp("server:80").await.unwrap();
//!         let mut text = String::new();
//!         stream.read_to_string(&mut text).await.unwrap();
//!         assert_eq!(text, "hello");
//!     });
//!     sim.run().unwrap();
//! }
//! ```
//!
//! # How it works
//! - **Scheduler.** One thread runs at a time. Which of the ready tasks is next depends on their numbers and on the
//!   seed ([`Schedule`]), never on the order in which they were woken. Blocking jobs have real threads, in lock step
//!   with all others; a job that calls [`SimRuntime::block_on`] gives its turn back meanwhile.
//! - **Time** is virtual and in nanoseconds. A poll costs 50 to 100 of them and 50 for each operation in it that was
//!   ready, so that a busy task cannot stop the clock. When nothing is ready, time jumps to the next event.
//! - **Random streams** are separate for the schedule, the network, the disks, their faults and the application
//!   ([`SimRuntime::random`]): what draws more from one changes nothing in another.
//! - **Nodes** ([`Sim::host`], [`Sim::client`]) have a name, addresses, ports, a wall clock and tasks of their own. They
//!   are crashed, restarted and paused by [`Node`].
//! - **TCP** is an ordered pipe with the rules of Linux: bounded buffers, a backlog, resets for unread data and for
//!   writing to a closed peer, half-close both ways, errors with their errno. What is lost is repeated later and later.
//!   **UDP** has sizes, bounded buffers and refusals. A test compares both with the real loopback, script by script.
//! - **Unix sockets and pipes** of a node are the kernel's own, with names per node ([`SimRuntime::bind_unix`]). The seed
//!   decides when a waiting task hears of them; no fault of the network reaches them. On Linux only.
//! - **Files**: each node has a disk, of which a power failure leaves what was synced, and of the rest what the seed
//!   chooses; see [`fs`]. Disks fail, fill up and hang by [`DiskFaults`].
//! - **Faults**: latency, loss, duplication, reordering ([`Link`]), [partitions](SimRuntime::partition), also
//!   [one-way](SimRuntime::partition_one_way), [holds](SimRuntime::hold), [crashes](Node::crash),
//!   [power failures](Node::power_off), bad disks, wrong wall clocks, [clocks that drift](Node::set_clock_drift); all
//!   of them by one line: [`Sim::chaos`]. What else may go wrong, a closure decides for
//!   each message and each look-up of a name: [`SimRuntime::rule`].
//! - **The program itself** may misbehave where it allows that ([`SimRuntime::buggify`]), and says what must happen under
//!   some seed ([`SimRuntime::sometimes`]).
//! - **Signals** come from the test: [`Node::signal`].
//! - **Failures.** If all tasks wait for ever, if tasks only keep each other awake, if a job waits for something
//!   outside, or if the main future of a node panics, the simulation ends with a [`Failure`] that names the tasks, where
//!   they were spawned and what they wait for.
//! - **Comparison.** [`Sim::hash`] is a rolling hash of every step; two executions of one seed that differ have left
//!   the simulation somewhere, and [`Sim::steps`] tells where. [`Sim::write_trace`] shows an execution in Perfetto.
//! - **Histories** of what clients have seen are checked for linearizability (feature `history`).
//! - **Tests** under many seeds: `#[anyrt::test(sim)]`, and [`testing`] behind it. Of the faults of a failing seed a report
//!   names those that are needed, and replays it with these alone ([`Builder::only_faults`]).
//!
//! # What it cannot control
//! | what | what happens | remedy |
//! |---|---|---|
//! | `std::time::Instant::now`, `SystemTime::now` | real time comes in | [`Timer::now`](anyrt_core::Timer::now), [`SimRuntime::system_time`]; `anyrt-sim-libc` |
//! | the order of a `std` `HashMap`, `getrandom` | another one in each process; the hashes of two processes differ | a `BTreeMap`, [`SimRuntime::random`]; `anyrt-sim-libc` |
//! | a thread that is not of the simulation | counted by [`Sim::foreign_wakes`]; a report says so | [`spawn_blocking`](anyrt_core::Blocking::spawn_blocking) |
//! | a connection of the operating system | cannot be taken over: an error; of a listener the address is taken | the simulated network |
//! | `std::fs`, also in a blocking job | the real disk | the facade's `fs`, [`SimRuntime::files`] |
//! | access and change times of files, numbers of inodes | those of the real directory that a disk is in | names, modification times |
//! | several simulations in one process | share the statics of the program | compare between processes |
//!
//! # Open simulations
//! A simulation that was built by [`Owner::build`](anyrt_core::runtime::Owner::build), or with [`Builder::open`], lets
//! other threads take part. It passes more cases of the contract than a closed one, but cannot be replayed. It takes the options that
//! all backends have; worker threads have no meaning in it, since tasks run inside `block_on` only.
//!
//! # Not yet
//! - The order in which `tokio::sync::watch` wakes is not seeded; [`Schedule::Random`] and [`Schedule::Pct`] do not
//!   depend on it, [`Schedule::Fifo`] does.
//! - Named pipes: the facade's are errors.
//! - Windows: disks are directories of a Unix system.
//! - Files: bits that flip, locks, a working directory other than the root. Permissions are the system's: to root all is
//!   permitted. A process that is killed leaves its directory in `/dev/shm`, or where temporary files are.
//! - An IPv6 datagram socket that takes IPv4 as well (a listener at `[::]` does), multicast and broadcast, socket options
//!   but for `TCP_NODELAY` and a linger of zero (others are kept and change nothing), buffers of other sizes.
//! - What tasks of a deadlock wait for is told for sockets, not for locks, channels and join handles.
//! - Blocking jobs of a node that crashes run to their end.
//! - 16 of the contract's 435 cases cannot be simulated: 8 need two workers, 8 a socket of the operating system or peers
//!   that outlive the simulation. 34 more run on open simulations only, because a thread runs beside the simulation or
//!   a task or job blocks. `tests/conformance/left_out.rs` has the reason for each.
//! - Nagle's algorithm, keep-alive and window probes. A write of any size that has room is one segment.
#![forbid(unsafe_code)]

mod blocking;
mod builder;
mod chaos;
mod clock;
mod drive;
mod failure;
mod fault;
pub mod fs;
#[cfg(feature = "history")]
pub mod history;
mod injected;
mod local;
mod minimise;
pub mod net;
mod node;
mod perfetto;
mod places;
mod random;
pub mod readiness;
mod ready;
mod rule;
pub mod runtime;
mod scheduler;
pub mod signal;
pub mod system;
mod task;
pub mod testing;
pub mod time;
mod trace;
mod wait;
mod world;

pub use builder::Builder;
pub use chaos::{Chaos, Trouble};
pub use failure::{Failure, FailureKind};
pub use fault::{Hold, Partition};
pub use fs::{DiskFaults, Unsynced};
pub use injected::{FAULTS_VARIABLE, Fault, FaultId, InvalidFaultId};
pub use net::link::{Latency, Link};
pub use node::Node;
pub use ready::Schedule;
pub use rule::{Message, MessageKind, Rule, Verdict};
pub use runtime::{KIND, Sim, SimRuntime};
pub use trace::{Event, Step};
