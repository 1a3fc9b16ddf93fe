//! The contract of anyrt as tests, for every backend.
//!
//! Each sentence that the traits of `anyrt-core` promise is a *case*, named as that sentence:
//! `task::dropping_the_handle_detaches_the_task`. A runtime that passes them all is a backend of anyrt.
//!
//! # For runtime authors
//! Add a test target without the standard harness (`harness = false`), and name your backend in it. That line
//! is its claim to honour the whole contract; there is no way to claim a part.
//! A runtime with a network of its own registers by [`Suite::simulated`], without the cases that need sockets of the
//! operating system.
//!
//! ```no_run
//! # use anyrt_core::{FromStd, runtime::Owner};
//! use anyrt_testkit::{Suite, current_thread};
//!
//! # fn conformance<MyRuntime: Owner<Handle: FromStd>>() -> std::process::ExitCode {
//! // fn main() -> std::process::ExitCode {
//! Suite::new()
//!     .backend::<MyRuntime>()
//!     .flavor::<MyRuntime>("current_thread", current_thread)
//!     .erased::<MyRuntime>()
//!     .run()
//! # }
//! ```
//!
//! It prints `test mine::task::dropping_the_handle_detaches_the_task ... ok`, takes the arguments of `cargo test`
//! (a filter, `--exact`, `--list`, `--skip`) and works with nextest. A case that hangs fails after 30 s
//! (`ANYRT_TESTKIT_TIMEOUT_SECS`), and the others go on.
//!
//! # How to write a case
//! In `src/cases/<topic>.rs`, where the topic is the file of `anyrt-core` that makes the promise: one line in
//! the list at its top, and the function. (A function that is not in the list does not compile.)
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
//! - *Events decide, never time.* [`Gate`] waits in a task or on a thread, [`DropFlag`] tells that and where
//!   something was dropped, [`settle`] lets everything run that can run. Times are compared as lower bounds only.
//! - *It runs on one thread, too.* The same case runs on a current-thread runtime: never block in it, but in
//!   [`on_thread`] or in `spawn_blocking`. [`Backend::needs_workers`] skips a case, with the reason printed.
//! - *Panics on purpose are quiet*: [`panic_on_purpose`] inside a task, [`panic_message`] around a call that
//!   ought to panic.
#![forbid(unsafe_code)]

mod backend;
mod case;
mod cases;
mod erased;
mod probe;
mod suite;
mod sync;
mod watchdog;

pub use backend::Backend;
pub(crate) use probe::Bomb;
pub use probe::{
    DropFlag, Dropped, Live, LiveToken, on_thread, panic_message, panic_on_purpose, park_on,
    poll_once, settle,
};
pub use suite::{Suite, current_thread};
pub use sync::{Gate, GateWait};
