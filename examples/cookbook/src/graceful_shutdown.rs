//! Ends a service by signal: stop accepting, let requests finish, give up at a deadline.
//!
//! Use it in every service that is restarted while clients are connected.
//! What guides miss: Ctrl-C alone misses SIGTERM, which is what containers send; without a deadline
//! one stuck client keeps the process forever; tasks must be waited for, or the runtime drops them
//! half-way.

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::process::Command;
use anyrt::shutdown::GracefulShutdown;
use anyrt::signal::unix::{Signal, SignalKind, signal};
use anyrt::time::Duration;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: main
    // From here on the signals no longer end the process.
    let (terminate, interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let shutdown = GracefulShutdown::new();
    let serving = anyrt::spawn(serve(listener, shutdown.clone()));
    let stopping = anyrt::spawn(stop_by_signal(terminate, interrupt, shutdown.clone()));
    // ANCHOR_END: main

    // A client in the middle of a request, and one that never finishes its own.
    let mut client = TcpStream::connect(address).await?;
    client.write_all(b"hello, ").await?;
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut stuck = TcpStream::connect(address).await?;
    stuck.read_exact(&mut greeting).await?;

    let sent = Command::new("kill")
        .arg("-TERM")
        .arg(std::process::id().to_string())
        .status()
        .await?;
    assert!(sent.success());
    serving.await?;

    // No more clients are accepted, and a request in progress is still answered.
    assert!(TcpStream::connect(address).await.is_err());
    client.write_all(b"world").await?;
    client.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert_eq!(answer, "HELLO, WORLD");

    // The deadline ends the wait for the stuck one, and returns the number of such clients.
    let report = stopping.await?;
    assert!(report.starts_with("SIGTERM, ") && report.ends_with(" still running at the deadline"));
    println!("graceful_shutdown: {report}");
    Ok(())
}

// ANCHOR: stop
async fn stop_by_signal(
    mut terminate: Signal,
    mut interrupt: Signal,
    shutdown: GracefulShutdown,
) -> String {
    let name = anyrt::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    // Less than what the supervisor of the process allows: Kubernetes kills after 30 s.
    match shutdown.shutdown(Duration::from_millis(200)).await {
        Ok(()) => format!("{name}, all done"),
        Err(late) => format!("{name}, {} still running at the deadline", late.tasks),
    }
}

async fn serve(listener: TcpListener, shutdown: GracefulShutdown) {
    // `None` once the shutdown has begun. The listener is dropped with this function: the port is
    // closed.
    while let Some(accepted) = shutdown
        .token()
        .run_until_cancelled(listener.accept())
        .await
    {
        match accepted {
            Ok((stream, peer)) => {
                let request = shutdown.track(answer(stream));
                anyrt::spawn(async move {
                    if let Err(error) = request.await {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) => eprintln!("accept: {error}"),
        }
    }
}
// ANCHOR_END: stop

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"> ").await?;
    let mut request = String::new();
    stream.read_to_string(&mut request).await?;
    stream.write_all(request.to_uppercase().as_bytes()).await
}
