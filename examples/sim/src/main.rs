//! Three servers and a client in one process, on the enabled runtime.
//!
//! ```text
//! cargo run -p anyrt-quorum
//! ANYRT_BACKEND=glommio cargo run -p anyrt-quorum
//! ```

use std::error::Error;

use anyrt_quorum::{Client, Config, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await?);
    }
    let addresses = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.to_string()))
        .collect::<std::io::Result<Vec<_>>>()?;
    let mut servers = Vec::new();
    for (me, listener) in listeners.into_iter().enumerate() {
        let config = Config {
            me,
            addresses: addresses.clone(),
            directory: directory.path().join(me.to_string()),
        };
        servers.push(tokio::spawn(serve(config, listener)));
    }

    let mut client = Client::new("main", &addresses);
    for text in ["one ", "of ", "the ", "three ", "may ", "fail"] {
        client.append("sentence", text).await;
    }
    // The other two continue, whichever server it is.
    servers.swap_remove(0).abort();
    println!("{}", client.get("sentence").await);
    Ok(())
}
