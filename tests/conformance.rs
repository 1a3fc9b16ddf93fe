//! Who passes the contract: one line for each backend and flavour.
//!
//! `cargo test --test conformance [filter]`; what is tested is in `anyrt-testkit`.

use std::process::ExitCode;

use anyrt::runtime::{Backend, Runtime};
use anyrt_testkit::{Suite, current_thread};

fn main() -> ExitCode {
    let suite = Suite::new()
        .backend::<anyrt_tokio::runtime::Runtime>()
        .flavor::<anyrt_tokio::runtime::Runtime>("current_thread", current_thread)
        .erased::<anyrt_tokio::runtime::Runtime>()
        .with(
            "facade_tokio",
            |_| {},
            |config| Runtime::build_on(Backend::Tokio, config),
        )
        .backend::<anyrt_smol::runtime::Runtime>()
        .flavor::<anyrt_smol::runtime::Runtime>("current_thread", current_thread)
        .erased::<anyrt_smol::runtime::Runtime>()
        .with(
            "facade_smol",
            |_| {},
            |config| Runtime::build_on(Backend::Smol, config),
        )
        .backend::<anyrt_async_std::runtime::Runtime>()
        .flavor::<anyrt_async_std::runtime::Runtime>("current_thread", current_thread)
        .erased::<anyrt_async_std::runtime::Runtime>()
        .with(
            "facade_async_std",
            |_| {},
            |config| Runtime::build_on(Backend::AsyncStd, config),
        );

    #[cfg(target_os = "linux")]
    let suite = suite
        .backend::<anyrt_glommio::runtime::Runtime>()
        .flavor::<anyrt_glommio::runtime::Runtime>("current_thread", current_thread)
        .erased::<anyrt_glommio::runtime::Runtime>()
        .with(
            "facade_glommio",
            |_| {},
            |config| Runtime::build_on(Backend::Glommio, config),
        );
    #[cfg(not(target_os = "linux"))]
    let suite = suite.skipped("glommio", "io_uring is Linux's");

    suite.run()
}
