//! Three workers share a lease, on the enabled runtime.
//!
//! ```text
//! cargo run -p anyrt-leases
//! ANYRT_BACKEND=glommio cargo run -p anyrt-leases
//! ```

use std::error::Error;

use anyrt_leases::{Client, Counts, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?.to_string();
    tokio::spawn(serve(listener));
    let workers: Vec<_> = (1..=3)
        .map(|worker| {
            let server = server.clone();
            tokio::spawn(async move {
                let mut client = Client::connect(&server, Counts::FromQuestion).await?;
                let lease = client.take().await?;
                println!("worker {worker} has lease {}", lease.number);
                client.give(lease).await
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    Ok(())
}
