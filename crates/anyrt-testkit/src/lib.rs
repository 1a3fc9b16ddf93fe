//! The contract of anyrt as tests, for every backend.
//!
//! Each sentence of the contract in the traits of `anyrt-core` is a *case*, named as that sentence:
//! `task::dropping_the_handle_detaches_the_task`. A runtime that passes all of them is a backend of
//! anyrt.
//!
//! # For runtime authors
//! Add a test target without the standard harness (`harness = false`) and register your backend in
//! it. A registration covers the whole contract; there is no way to register for a part. A
//! simulated runtime registers with [`Suite::simulated`]: each case runs under many seeds, with its
//! peers on a second node. The cases that cannot be simulated are listed with reasons; all others
//! must pass.
//!
//! ```no_run
//! # use anyrt_core::runtime::Owner;
//! # use anyrt_testkit::Sockets;
//! use anyrt_testkit::{Suite, current_thread};
//!
//! # fn conformance<MyRuntime: Owner<Handle: Sockets>>() -> std::process::ExitCode {
//! // fn main() -> std::process::ExitCode {
//! Suite::new()
//!     .backend::<MyRuntime>()
//!     .flavor::<MyRuntime>("current_thread", current_thread)
//!     .erased::<MyRuntime>()
//!     .run()
//! # }
//! ```
//!
//! It prints `test mine::task::dropping_the_handle_detaches_the_task ... ok`, accepts the arguments
//! of `cargo test` (a filter, `--exact`, `--list`, `--skip`) and works with nextest. A case that
//! hangs fails after 30 s (`ANYRT_TESTKIT_TIMEOUT_SECS`), and the others continue.
//!
//! # How to write a case
//! Add a function to `src/cases/<topic>.rs`, where the topic is the file of `anyrt-core` with the
//! documented behaviour, and a line to the list at the top of that file. A function that is not in
//! the list does not compile.
//!
//! ```ignore
//! cases! {
//!     async a_task_gives_its_value;
//!     fn    dropping_the_owner_drops_sleeping_tasks;
//! }
//!
//! /// `async`: runs inside `block_on` of a fresh runtime, which is dropped afterwards.
//! async fn a_task_gives_its_value<R: Runtime>(rt: R) {
//!     assert_eq!(rt.spawn(async { 7 }).await.unwrap(), 7);
//! }
//!
//! /// `fn`: builds runtimes itself, on a plain thread.
//! fn dropping_the_owner_drops_sleeping_tasks<O: Owner>(backend: &Backend<O>) {
//!     let owner = backend.build();
//!     // …
//! }
//! ```
//!
//! - *Wait for events, never for time.* [`Gate`] waits in a task or on a thread, [`DropFlag`]
//!   reports whether and where a value was dropped, [`settle`] lets everything run that can run.
//!   Compare times as lower bounds only.
//! - *A case also runs on a current-thread runtime.* Block only in [`on_thread`] or
//!   `spawn_blocking`. [`Backend::needs_workers`] skips a case and prints the reason.
//! - *The other side of a network case is a peer* (`cases/peer.rs`), written once as async code. On
//!   a real runtime, its sockets are those of `std::net` and block, so it runs on a plain thread;
//!   in a simulation, it is a task of a second node. What it sent is under way for some time there.
//! - *Intended panics are quiet*: use [`panic_on_purpose`] inside a task, and [`panic_message`]
//!   around a call that should panic.
#![forbid(unsafe_code)]

mod backend;
mod boxed;
mod case;
mod cases;
mod erased;
mod probe;
mod simulation;
mod sockets;
mod suite;
mod sync;
mod watchdog;

pub use backend::Backend;
pub(crate) use probe::Bomb;
pub use probe::{
    DropFlag, Dropped, Live, LiveToken, on_thread, panic_message, panic_on_purpose, park_on,
    poll_once, settle,
};
pub use simulation::{Seeds, Simulation};
pub use sockets::Sockets;
pub use suite::{Suite, current_thread};
pub use sync::{Gate, GateWait};
