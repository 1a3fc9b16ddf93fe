//! Crates that were written for Tokio, on anyrt's streams, on every backend. `tokio` is anyrt here,
//! as in a ported application.

mod hyper;
mod needs_tokio;
mod tokio_stream;
mod tokio_util;
mod tower;

use std::io;

use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Returns the two ends of a connection over loopback.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}
