//! A library that never chooses a runtime, and an application that runs it on all of them.
//!
//! ```text
//! cargo run --example library
//! cargo run --example library --no-default-features --features smol
//! ```
//!
//! `line_server.rs` is the library: it depends on `anyrt-core` only. This program runs it on each
//! enabled runtime twice: as `R`, compiled for that runtime, and as [`ErasedRuntime`], compiled
//! once for all.

mod line_server;

use anyrt::runtime::{Backend, Builder};
use anyrt_core::{ErasedRuntime, Runtime};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let backends = match Backend::from_env()? {
        Some(backend) => vec![backend],
        None => Backend::enabled().to_vec(),
    };
    for backend in backends {
        let runtime = Builder::new_multi_thread().backend(backend).build()?;
        let handle = runtime.handle().clone();
        runtime.block_on(check(handle.clone()))?;
        runtime.block_on(check(ErasedRuntime::new(handle)))?;
        println!("{}: served, as a type parameter and erased", backend.name());
    }
    Ok(())
}

// ANCHOR: check
async fn check<R: Runtime>(rt: R) -> Result<()> {
    let server = line_server::Server::bind(rt.clone(), "127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let serving = server.start();

    let mut client = line_server::Client::connect(&rt, address).await?;
    assert_eq!(client.ask("add 2 40").await?, "42");
    assert_eq!(client.ask("upper straße").await?, "STRASSE");
    assert_eq!(client.ask("sing").await?, "error: unknown command");
    drop(client);

    serving.stop().await?;
    Ok(())
}
// ANCHOR_END: check
