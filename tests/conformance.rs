//! The contract suite: one line for each backend and flavour, for the facade on each backend, and
//! for runtimes that an application has started by itself.
//!
//! `cargo test --test conformance [filter]`. The cases are in `anyrt-testkit`.

use std::process::ExitCode;

use anyrt::runtime::{Backend, Runtime};
use anyrt_core::runtime::Owner;
use anyrt_testkit::{Sockets, Suite, current_thread};

mod native;

fn main() -> ExitCode {
    let mut suite = Suite::new();
    #[cfg(feature = "tokio")]
    {
        suite = backend::<anyrt_tokio::runtime::Runtime>(suite, Backend::Tokio);
    }
    #[cfg(feature = "smol")]
    {
        suite = backend::<anyrt_smol::runtime::Runtime>(suite, Backend::Smol);
    }
    #[cfg(feature = "async-std")]
    {
        suite = backend::<anyrt_async_std::runtime::Runtime>(suite, Backend::AsyncStd);
    }
    #[cfg(feature = "glommio")]
    {
        suite = match anyrt_glommio::is_available() {
            Ok(()) => backend::<anyrt_glommio::runtime::Runtime>(suite, Backend::Glommio),
            Err(reason) => {
                let reason = reason.to_string();
                [
                    "glommio",
                    "glommio_current_thread",
                    "glommio_erased",
                    "facade_glommio",
                ]
                .iter()
                .fold(suite, |suite, name| suite.skipped(name, &reason))
            }
        };
    }
    #[cfg(any(
        feature = "tokio",
        feature = "smol",
        feature = "async-std",
        feature = "glommio"
    ))]
    {
        suite = native::add_to(suite);
    }
    suite.run()
}

/// Registers a backend by its traits (multi-threaded, on one thread and erased) and through the
/// facade.
#[cfg_attr(
    not(any(
        feature = "tokio",
        feature = "smol",
        feature = "async-std",
        feature = "glommio"
    )),
    expect(dead_code, reason = "no backend is enabled")
)]
fn backend<O: Owner<Handle: Sockets>>(suite: Suite, backend: Backend) -> Suite {
    let facade = format!("facade_{}", backend.name().replace('-', "_"));
    suite
        .backend::<O>()
        .flavor::<O>("current_thread", current_thread)
        .erased::<O>()
        .boxed(
            &facade,
            |_| {},
            move |config| Runtime::build_on(backend, config),
        )
}
