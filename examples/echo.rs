//! An echo server and its client with Tokio's API, on the runtime that the build or `ANYRT_BACKEND`
//! names.
//!
//! ```text
//! cargo run --example echo                          # both, on a port of their own
//! cargo run --example echo -- server 127.0.0.1:7007
//! cargo run --example echo -- client 127.0.0.1:7007 # sends what you type
//! cargo run --example echo --no-default-features --features smol
//! ```

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[anyrt::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => demo().await,
        ["server", address] => {
            let listener = TcpListener::bind(address).await?;
            println!("listening on {}", listener.local_addr()?);
            serve(listener).await
        }
        ["client", address] => type_to(address).await,
        _ => Err("usage: echo [server ADDRESS | client ADDRESS]".into()),
    }
}

async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        anyrt::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
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

/// Many clients at once. Every byte is checked.
async fn demo() -> Result<()> {
    const CLIENTS: u8 = 100;
    const BYTES: usize = 64 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = anyrt::spawn(serve(listener));

    let mut clients = anyrt::task::JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(async move {
            let (mut reader, mut writer) = TcpStream::connect(address).await?.into_split();
            let writing = anyrt::spawn(async move {
                // Dropping the half afterwards sends the end to the server.
                writer.write_all(&[client; BYTES]).await
            });
            let mut echoed = Vec::new();
            reader.read_to_end(&mut echoed).await?;
            writing.await??;
            std::io::Result::Ok(echoed == [client; BYTES])
        });
    }
    let mut intact = 0;
    while let Some(client) = clients.join_next().await {
        intact += usize::from(client??);
    }
    server.abort();
    let name = anyrt::runtime::Handle::current().backend().name();
    println!("{name}: {intact} of {CLIENTS} clients got their {BYTES} bytes back");
    if intact == usize::from(CLIENTS) {
        Ok(())
    } else {
        Err("the echo is not what was sent".into())
    }
}

async fn type_to(address: &str) -> Result<()> {
    let (mut reader, mut writer) = TcpStream::connect(address).await?.into_split();
    let printing = anyrt::spawn(async move {
        let mut buffer = vec![0; 8192];
        loop {
            match reader.read(&mut buffer).await? {
                0 => return std::io::Result::Ok(()),
                n => print!("{}", String::from_utf8_lossy(&buffer[..n])),
            }
        }
    });
    loop {
        let line = anyrt::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        })
        .await??;
        if line.is_empty() {
            break;
        }
        writer.write_all(line.as_bytes()).await?;
    }
    drop(writer);
    printing.await??;
    Ok(())
}
