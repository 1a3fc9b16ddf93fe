//! A chat server: each client receives the lines of all others. Ctrl-C ends it gracefully.
//!
//! ```text
//! cargo run --example chat -- 127.0.0.1:7008     # then, elsewhere: nc 127.0.0.1 7008
//! cargo run --example chat                       # a demonstration with 50 clients, checked
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyrt::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::Handle;
use anyrt::shutdown::GracefulShutdown;
use anyrt::sync::{CancellationToken, broadcast};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The time for clients to receive the goodbye.
const GRACE: Duration = Duration::from_secs(5);
/// The number of lines that a slow client may lag behind before it misses some.
const BACKLOG: usize = 1024;

#[anyrt::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [] => demo().await,
        [address] => {
            let listener = TcpListener::bind(address.as_str()).await?;
            println!("listening on {}; Ctrl-C ends it", listener.local_addr()?);
            let shutdown = GracefulShutdown::new();
            let token = shutdown.token().clone();
            ctrlc::set_handler(move || token.cancel())?;
            serve(listener, &shutdown).await?;
            println!("waiting for the clients");
            Ok(shutdown.shutdown(GRACE).await?)
        }
        _ => Err("usage: chat [ADDRESS]".into()),
    }
}

/// A line, and the number of the client that sent it.
type Line = (u64, Arc<str>);

/// Serves until the shutdown begins.
async fn serve(listener: TcpListener, shutdown: &GracefulShutdown) -> std::io::Result<()> {
    let (lines, _) = broadcast::channel::<Line>(BACKLOG);
    for number in 1.. {
        let Some(accepted) = shutdown
            .token()
            .run_until_cancelled(listener.accept())
            .await
        else {
            break;
        };
        let (stream, peer) = accepted?;
        let lines = lines.clone();
        let token = shutdown.token().clone();
        shutdown.spawn(async move {
            let heard = lines.subscribe();
            let talking = talk(stream, number, lines, heard, &token);
            if let Err(error) = talking.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
    Ok(())
}

async fn talk(
    stream: TcpStream,
    number: u64,
    lines: broadcast::Sender<Line>,
    mut heard: broadcast::Receiver<Line>,
    shutdown: &CancellationToken,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut said = BufReader::new(reader).lines();
    writer
        .write_all(format!("* you are {number}\n").as_bytes())
        .await?;
    loop {
        // All three are cancel-safe.
        anyrt::select! {
            line = said.next_line() => match line? {
                // It is not an error if there are no receivers.
                Some(line) => drop(lines.send((number, line.into()))),
                None => return Ok(()),
            },
            line = heard.recv() => match line {
                Ok((from, line)) if from != number => {
                    writer.write_all(format!("{from}: {line}\n").as_bytes()).await?;
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    writer.write_all(format!("* you missed {missed} lines\n").as_bytes()).await?;
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
            () = shutdown.cancelled() => return writer.write_all(b"* goodbye\n").await,
        }
    }
}

async fn demo() -> Result<()> {
    const CLIENTS: usize = 50;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = GracefulShutdown::new();
    let server = anyrt::spawn({
        let shutdown = shutdown.clone();
        async move { serve(listener, &shutdown).await }
    });

    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let (reader, writer) = TcpStream::connect(address).await?.into_split();
        let mut lines = BufReader::new(reader).lines();
        // The greeting shows that the client has joined.
        lines.next_line().await?.ok_or("no greeting")?;
        clients.push((lines, writer));
    }
    for (number, (_, writer)) in clients.iter_mut().enumerate() {
        writer
            .write_all(format!("line {number}\n").as_bytes())
            .await?;
    }
    for (lines, _) in &mut clients {
        for _ in 0..CLIENTS - 1 {
            lines.next_line().await?.ok_or("a line is missing")?;
        }
    }
    // As Ctrl-C would.
    shutdown.token().cancel();
    for (lines, _) in &mut clients {
        let last = lines.next_line().await?;
        if last.as_deref() != Some("* goodbye") || lines.next_line().await?.is_some() {
            return Err(format!("expected a goodbye and the end, not {last:?}").into());
        }
    }
    server.await??;
    shutdown.shutdown(GRACE).await?;
    let name = Handle::current().backend().name();
    println!(
        "{name}: {CLIENTS} clients heard {} lines each, and the goodbye",
        CLIENTS - 1
    );
    Ok(())
}
