//! An application that was written for Tokio: it uses `tokio::…` throughout, and nothing else.
//!
//! Built with Tokio, and with anyrt under the name of Tokio on each backend, it must print exactly
//! the same, which `scripts/check ported` checks. So it prints nothing that changes from run to
//! run: no ports, times or ids.

use std::error::Error;

mod channels;
mod files;
mod network;
mod processes;
mod signals;
mod tasks;
mod timers;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome {
    network::run().await?;
    channels::run().await?;
    timers::run().await?;
    tasks::run().await?;
    files::run().await?;
    processes::run().await?;
    signals::run().await?;
    println!("== done");
    Ok(())
}
