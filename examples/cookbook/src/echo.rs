//! An echo server: one task per connection, and clients that check each byte.
//!
//! Use it as the skeleton of any TCP service: accept, spawn, read until the end.
//! What guides miss: `write` may write less than it was given, so `write_all`; a read of 0 bytes is
//! the end, not "nothing yet"; an error of one connection must not end the accept loop; a client
//! that sends a lot must read at the same time, or both sides wait for each other.

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::task::JoinSet;

const CLIENTS: u8 = 20;
const BYTES: usize = 256 * 1024;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // Port 0: the system picks a free one.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = anyrt::spawn(serve(listener));

    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            let (mut reader, mut writer) = TcpStream::connect(address).await?.into_split();
            let sending = anyrt::spawn(async move {
                // Dropping the half afterwards sends FIN: the server sees the end.
                writer.write_all(&[client; BYTES]).await
            });
            let mut echoed = Vec::new();
            reader.read_to_end(&mut echoed).await?;
            sending.await??;
            anyhow::Ok(echoed == [client; BYTES])
        });
    }
    while let Some(intact) = clients.join_next().await {
        assert!(intact??);
    }
    server.abort();
    println!("echo: {CLIENTS} clients got their {BYTES} bytes back");
    Ok(())
}

// ANCHOR: serve
async fn serve(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                anyrt::spawn(async move {
                    if let Err(error) = echo(stream).await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            // Out of descriptors, for example: other connections will end and free some.
            Err(error) => {
                eprintln!("accept: {error}");
                anyrt::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; 8192];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
    }
}
// ANCHOR_END: serve
