//! A new backend, tested with the contract suite.
//!
//! ```text
//! cargo run --example own_backend                  # the whole suite
//! cargo run --example own_backend -- time::        # some of it
//! cargo run --example own_backend -- --list
//! ```
//!
//! The backend is `toy.rs`. It provides its own way to wait, and a clock with timers. Tasks, the
//! blocking pool and channels come from `anyrt_kit`, and sockets from a reactor that works on every
//! thread.

mod toy;

use std::process::ExitCode;

use anyrt_testkit::{Suite, current_thread};

// ANCHOR: suite
fn main() -> ExitCode {
    Suite::new()
        .backend::<toy::Toy>()
        .flavor::<toy::Toy>("current_thread", current_thread)
        .run()
}
// ANCHOR_END: suite
