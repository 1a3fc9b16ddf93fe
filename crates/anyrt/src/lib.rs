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
//! The names are Tokio's and so is the behaviour, on every backend: dropping a [`task::JoinHandle`] detaches the
//! task, a panic stays in its task, a nested `block_on` panics, a busy task starves nobody.
//!
//! # Features
//! `tokio`, `smol`, `async-std` and `glommio` each enable a backend. Any set of them works in one program; which
//! one a runtime is built on then is told in [`runtime`]. With one, there is no choice to make and nothing to
//! pay; with none, libraries compile and the application's choice decides.
//!
//! `fs`, `process`, `signal` and `test-util` bring the modules and functions that Tokio has under these features;
//! `full` is what it is there, and `parking_lot` is passed on to Tokio's locks. The other names of Tokio's features
//! are accepted: what they stand for is always there. Only `tracing` stands for nothing: tasks are not instrumented.
//!
//! # Systems
//! All of it is developed and tested on Linux. With `tokio`, `smol` and `async-std` it compiles for macOS, the BSDs and
//! Windows, too; there it has not been run. Where there is no epoll, Smol and async-std learn from their own reactor what
//! is ready; that path is tested, on Linux. On Windows there are no Unix sockets, pipes, `AsyncFd`, processes and signals.
//! `glommio` is for Linux alone, and a compile error elsewhere.
//!
//! # For libraries
//! A library may use this crate without any backend feature, or be generic over the traits of [`anyrt_core`]:
//! [`runtime::Handle`] implements all of them.
#![deny(unsafe_code)]
// Without a backend no function gets as far as to use its arguments.
#![cfg_attr(
    not(any(
        feature = "tokio",
        feature = "smol",
        feature = "async-std",
        feature = "glommio"
    )),
    allow(
        dead_code,
        unused_imports,
        unreachable_code,
        unused_macros,
        unused_mut,
        unused_variables,
        reason = "only backends do"
    )
)]

#[macro_use]
#[allow(
    unused_macros,
    reason = "which are used depends on which backends are enabled"
)]
mod backend;
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
mod signal_hub;
pub mod sync;
pub mod task;
mod testing;
pub mod time;

pub use anyrt_macros::{main, test};
pub use runtime::block_on;
pub use task::spawn;
#[doc(no_inline)]
pub use tokio::{join, pin, select, task_local, try_join};

/// What Tokio's macros expand to; hidden there, too.
#[doc(hidden)]
pub use tokio::macros;

#[doc(hidden)]
pub mod __private {
    pub use crate::testing::{Flavor, Options, run_example, run_test};
}
