//! Async code written once runs on Tokio, Smol, async-std or Glommio; one feature decides.
//!
//! ```no_run
//! # anyrt::__if_any! {{
//! use anyrt::io::copy;
//! use anyrt::net::TcpListener;
//!
//! #[anyrt::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:7000").await?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         anyrt::spawn(async move {
//!             let (mut read, mut write) = stream.into_split();
//!             copy(&mut read, &mut write).await
//!         });
//!     }
//! }
//! # } { fn main() {} }}
//! ```
//!
//! Names and behaviour are Tokio's, on every backend: dropping a [`task::JoinHandle`] detaches the
//! task, a panic ends only its task, a nested `block_on` panics, and a busy task does not starve
//! others.
//!
//! # Features
//! `tokio`, `smol`, `async-std` and `glommio` each enable a backend. They can be combined;
//! [`runtime`] describes which one a runtime is then built on. With a single backend, dispatch
//! costs nothing. With none, libraries compile, and the application that uses them decides.
//!
//! `sim` enables [simulations](https://docs.rs/anyrt-sim) for tests: one seed, one execution. The
//! simulator is never chosen by preference.
//!
//! `fs`, `process`, `signal` and `test-util` enable the modules and functions that Tokio has under
//! these features. `full` means the same as in Tokio, and `parking_lot` is passed on to Tokio's
//! locks. Tokio's other features are accepted and have no effect, because their items are always
//! present; `tracing` has no effect because tasks are not instrumented.
//!
//! # Systems
//! anyrt is developed and tested on Linux. With `tokio`, `smol` and `async-std` it also compiles
//! for macOS, the BSDs and Windows, but has not been run there. On Windows there are no Unix
//! sockets, pipes, `AsyncFd`, processes and signals. `glommio` needs Linux and is a compile error
//! elsewhere.
//!
//! # For libraries
//! A library may use this crate without any backend feature, or be generic over the traits of
//! [`anyrt_core`]: [`runtime::Handle`] implements all of them.
#![deny(unsafe_code)]
// On docs.rs each item tells which features it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Without a backend, no function reaches the code that uses its arguments.
#![cfg_attr(
    not(any(feature = "__runtime", feature = "__kit")),
    allow(
        dead_code,
        unused_imports,
        unreachable_code,
        unused_macros,
        unused_mut,
        unused_variables,
        clippy::never_loop,
        reason = "only backends do"
    )
)]
// What a real runtime alone has, such as child processes, is then a type without values.
#![cfg_attr(
    not(feature = "__runtime"),
    allow(clippy::drop_non_drop, reason = "real runtimes have what is dropped")
)]

#[macro_use]
#[allow(
    unused_macros,
    reason = "which are used depends on which backends are enabled"
)]
mod backend;
#[macro_use]
mod impls;
mod channel;
#[cfg(feature = "fs")]
pub mod fs;
pub mod io;
pub mod net;
#[cfg(all(unix, feature = "process"))]
pub mod process;
#[cfg(unix)]
mod raw;
pub mod runtime;
pub mod shutdown;
#[cfg(all(unix, feature = "signal"))]
pub mod signal;
#[cfg(all(unix, any(feature = "process", feature = "signal")))]
#[cfg_attr(
    not(feature = "process"),
    allow(dead_code, reason = "a build with Tokio alone has Tokio's signals")
)]
mod signal_hub;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sync;
pub mod task;
mod testing;
pub mod time;

pub use anyrt_macros::{main, test};
pub use runtime::block_on;
pub use task::spawn;
#[cfg(not(feature = "sim"))]
#[doc(no_inline)]
pub use tokio::select;
#[doc(no_inline)]
pub use tokio::{join, pin, task_local, try_join};
#[doc(inline)]
pub use {__buggify as buggify, __sometimes as sometimes};

/// Tokio's `select!`; in a simulation the seed decides which branch is polled first.
#[cfg(feature = "sim")]
#[doc(inline)]
pub use __select as select;

#[doc(hidden)]
pub use tokio as __tokio;

/// Tokio's macros expand to paths in it; hidden in Tokio as well.
#[doc(hidden)]
pub use tokio::macros;

#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "sim")]
    pub use crate::sim::{Simulation, simulate};
    pub use crate::testing::{Flavor, Options, run_example, run_test};
}
