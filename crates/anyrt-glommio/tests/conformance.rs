//! The contract, on two shards, on one, and erased.

use std::process::ExitCode;

use anyrt_glommio::runtime::Runtime;
use anyrt_testkit::{Suite, current_thread};

fn main() -> ExitCode {
    Suite::new()
        .backend::<Runtime>()
        .flavor::<Runtime>("current_thread", current_thread)
        .erased::<Runtime>()
        .run()
}
