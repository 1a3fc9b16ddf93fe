//! Who passes the contract: one line for each backend and flavour.
//!
//! `cargo test --test conformance [filter]`; what is tested is in `anyrt-testkit`.

use std::process::ExitCode;

use anyrt_testkit::{Suite, current_thread};

fn main() -> ExitCode {
    Suite::new()
        .backend::<anyrt_tokio::runtime::Runtime>()
        .flavor::<anyrt_tokio::runtime::Runtime>("current_thread", current_thread)
        .erased::<anyrt_tokio::runtime::Runtime>()
        .backend::<anyrt_smol::runtime::Runtime>()
        .flavor::<anyrt_smol::runtime::Runtime>("current_thread", current_thread)
        .erased::<anyrt_smol::runtime::Runtime>()
        .backend::<anyrt_async_std::runtime::Runtime>()
        .flavor::<anyrt_async_std::runtime::Runtime>("current_thread", current_thread)
        .erased::<anyrt_async_std::runtime::Runtime>()
        .run()
}
