//! The simulator of anyrt: a runtime in which one seed is one execution.
//!
//! A distributed program is correct only if it is correct under every order of events. In a
//! simulation a seed determines the order of tasks, the latencies of the network and its faults.
//! Time is virtual, and a failing seed can be replayed.
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
//! - **Scheduler.** One thread runs at a time. The next ready task depends on the task numbers and
//!   on the seed ([`Schedule`]), never on the order of wake-ups. Blocking jobs have real threads,
//!   in lock step with all others; a job that calls [`SimRuntime::block_on`] gives up its turn
//!   meanwhile.
//! - **Time** is virtual, in nanoseconds. A poll costs 50 to 100 ns plus 50 ns for each ready
//!   operation in it, so a busy task cannot stop the clock. When nothing is ready, time jumps to
//!   the next event.
//! - **Random streams** are separate for the schedule, the network, the disks, their faults and the
//!   application ([`SimRuntime::random`]): drawing more numbers from one stream does not change
//!   another.
//! - **Nodes** ([`Sim::host`], [`Sim::client`]) have a name, addresses, ports, a wall clock and
//!   tasks of their own. [`Node`] crashes, restarts and pauses them.
//! - **TCP** is an ordered pipe with the rules of Linux: bounded buffers, a backlog, resets for
//!   unread data and for writing to a closed peer, half-close both ways, errors with their errno.
//!   Lost segments are retransmitted at growing intervals. **UDP** has size limits, bounded buffers
//!   and refusals. A test compares both with the real loopback, script by script.
//! - **Unix sockets and pipes** of a node are the kernel's own, with names per node
//!   ([`SimRuntime::bind_unix`]). The seed determines when a waiting task is woken for them;
//!   network faults do not affect them. Linux only.
//! - **Files**: each node has a disk. A power failure keeps everything that was synced; the seed
//!   chooses which unsynced changes survive; see [`fs`]. [`DiskFaults`] makes disks fail, fill up
//!   and hang.
//! - **Faults**: latency, loss, duplication, reordering ([`Link`]),
//!   [partitions](SimRuntime::partition), also [one-way](SimRuntime::partition_one_way),
//!   [holds](SimRuntime::hold), [crashes](Node::crash), [power failures](Node::power_off), bad
//!   disks, wrong wall clocks, [clocks that drift](Node::set_clock_drift). [`Sim::chaos`] causes
//!   all of them. For any other fault, a closure decides about each message and each name look-up:
//!   [`SimRuntime::rule`].
//! - **The program itself** may misbehave in places that it marks ([`SimRuntime::buggify`]), and
//!   states which events must happen under some seed ([`SimRuntime::sometimes`]).
//! - **Signals** come from the test: [`Node::signal`].
//! - **Failures.** The simulation ends with a [`Failure`] if all tasks are deadlocked, if tasks
//!   only wake each other, if a job waits for something outside of the simulation, or if the main
//!   future of a node panics. The failure names the tasks, where they were spawned, what they wait
//!   for and at which `.await`. To find that, the simulator polls each task twice more after a
//!   deadlock, so its program must bear spurious polls, as every future must.
//! - **Comparison.** [`Sim::hash`] is a rolling hash of every step. If two executions of one seed
//!   differ, something outside of the simulation influenced them; [`Sim::steps`] shows the first
//!   step that differs. [`Sim::write_trace`] writes an execution for Perfetto.
//! - **Histories** of clients are checked for linearizability (feature `history`).
//! - **Tests** run under many seeds: `#[anyrt::test(sim)]`, implemented by [`testing`]. The report
//!   of a failing seed names the faults that are needed and replays the seed with only these
//!   ([`Builder::only_faults`]).
//!
//! # Limits
//! | source | effect | remedy |
//! |---|---|---|
//! | `std::time::Instant::now`, `SystemTime::now` | read real time | [`Timer::now`](anyrt_core::Timer::now), [`SimRuntime::system_time`]; `anyrt-sim-libc` |
//! | the order of a `std` `HashMap`, `getrandom` | differ in each process, and so do the hashes | a `BTreeMap`, [`SimRuntime::random`]; `anyrt-sim-libc` |
//! | a thread that is not part of the simulation | counted by [`Sim::foreign_wakes`]; a report says so | [`spawn_blocking`](anyrt_core::Blocking::spawn_blocking) |
//! | a connection of the operating system | cannot be adopted: an error; a listener is replaced by a simulated one at its address | the simulated network |
//! | `std::fs`, also in a blocking job | uses the real disk | the facade's `fs`, [`SimRuntime::files`] |
//! | access and change times of files, inode numbers | come from the real directory that stores the disk | names, modification times |
//! | several simulations in one process | share the statics of the program | compare between processes |
//!
//! # Open simulations
//! A simulation built by [`Owner::build`](anyrt_core::runtime::Owner::build), or with
//! [`Builder::open`], accepts wake-ups and polls from other threads. It passes more cases of the
//! contract than a closed one, but cannot be replayed. It takes the options that all backends have;
//! the number of worker threads has no effect, because tasks run only inside `block_on`.
//!
//! # Not yet supported
//! - The order in which `tokio::sync::watch` wakes is not seeded; [`Schedule::Random`] and
//!   [`Schedule::Pct`] do not depend on it, [`Schedule::Fifo`] does.
//! - Named pipes: the facade's return errors.
//! - Windows: disks are directories of a Unix system.
//! - Files: bit flips, locks, a working directory other than the root. The system checks
//!   permissions, so root may do everything. A process that is killed leaves its directory in
//!   `/dev/shm` or the directory for temporary files.
//! - An IPv6 datagram socket that also receives IPv4 (a listener at `[::]` does), multicast and
//!   broadcast, socket options other than `TCP_NODELAY` and a linger of zero (others are stored
//!   without effect), and other buffer sizes.
//! - The report of a deadlock names one `.await` of a task that waits for several things at once,
//!   and none of a task that another thread must poll: a `block_on` or a local task outside of the
//!   `block_on` in which the deadlock was found. Source lines need debug information. A lost wake-up
//!   is recognised if the task then ends, or does something that others can see.
//! - Blocking jobs of a node that crashes run to their end.
//! - 16 of the contract's 435 cases cannot be simulated: 8 need two workers, 8 a socket of the
//!   operating system or peers that outlive the simulation. 34 more run on open simulations only,
//!   because a thread runs in parallel with the simulation or a task or job blocks.
//!   `tests/conformance/left_out.rs` has the reason for each.
//! - Nagle's algorithm, keep-alive and window probes. A write of any size that has room is one
//!   segment.
#![forbid(unsafe_code)]

mod blocking;
mod builder;
mod chaos;
mod clock;
mod drive;
mod explain;
mod failure;
mod fault;
pub mod fs;
#[cfg(test)]
mod growth;
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
mod seat;
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
