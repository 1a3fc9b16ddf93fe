//! A TCP proxy that handles each direction separately: after one side has ended, the other may
//! still send.
//!
//! ```text
//! cargo run --example proxy -- 127.0.0.1:8080 example.com:80
//! cargo run --example proxy                     # a demonstration, checked
//! ```

use std::io;

use anyrt::io::{AsyncReadExt, AsyncWriteExt, copy};
use anyrt::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[anyrt::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [] => demo().await,
        [listen, upstream] => {
            let listener = TcpListener::bind(listen.as_str()).await?;
            println!("{} -> {upstream}", listener.local_addr()?);
            proxy(listener, upstream.clone()).await
        }
        _ => Err("usage: proxy [LISTEN UPSTREAM]".into()),
    }
}

async fn proxy(listener: TcpListener, upstream: String) -> Result<()> {
    loop {
        let (client, peer) = listener.accept().await?;
        let upstream = upstream.clone();
        anyrt::spawn(async move {
            match relay(client, &upstream).await {
                Ok((up, down)) => eprintln!("{peer}: {up} bytes up, {down} bytes down"),
                Err(error) => eprintln!("{peer}: {error}"),
            }
        });
    }
}

async fn relay(client: TcpStream, upstream: &str) -> io::Result<(u64, u64)> {
    let server = TcpStream::connect(upstream).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async move {
        let bytes = copy(&mut from_client, &mut to_server).await?;
        // The client has ended, but the server may still answer: only pass the FIN on.
        to_server.shutdown().await?;
        io::Result::Ok(bytes)
    };
    let down = async move {
        let bytes = copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await?;
        io::Result::Ok(bytes)
    };
    anyrt::try_join!(up, down)
}

/// A server that answers only after its client has ended. It hangs if a half-close is not passed
/// on.
async fn demo() -> Result<()> {
    let upstream = TcpListener::bind("127.0.0.1:0").await?;
    let upstream_address = upstream.local_addr()?.to_string();
    let server = anyrt::spawn(async move {
        let (mut stream, _) = upstream.accept().await?;
        let mut question = Vec::new();
        stream.read_to_end(&mut question).await?;
        question.reverse();
        stream.write_all(&question).await?;
        stream.shutdown().await
    });

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let proxying = anyrt::spawn(proxy(listener, upstream_address));

    let mut client = TcpStream::connect(address).await?;
    let question: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    client.write_all(&question).await?;
    client.shutdown().await?;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await?;
    server.await??;
    proxying.abort();

    answer.reverse();
    if answer != question {
        return Err("the answer is not what the server sent".into());
    }
    let name = anyrt::runtime::Handle::current().backend().name();
    println!(
        "{name}: {} bytes up, FIN, {} bytes down",
        question.len(),
        answer.len()
    );
    Ok(())
}
