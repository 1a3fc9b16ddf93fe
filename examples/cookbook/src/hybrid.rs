//! Two runtimes in one program: sockets on one, services on another.
//!
//! Use it when one part has needs that the other must not pay for: a Glommio core that never
//! migrates a task, with Tokio for services; or Smol in a Tokio program. What guides miss: a
//! `block_on` of the second runtime inside a task of the first blocks a worker; a runtime dropped
//! in async code panics or hangs. Handles and their futures may be awaited anywhere.

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::{Backend, Builder, Handle};
use anyrt::sync::mpsc;
use anyrt::task::JoinSet;

pub fn main() -> anyhow::Result<()> {
    // ANCHOR: build
    // Both outlive all async code: they are created and dropped here, in `main`.
    let core = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("core")
        .build()?;
    let other = other_than(core.handle().backend());
    let services = Builder::new_multi_thread()
        .backend(other)
        .worker_threads(1)
        .thread_name("services")
        .build()?;
    let handle = services.handle().clone();
    let answered = core.block_on(run(handle))?;
    // ANCHOR_END: build
    println!(
        "hybrid: {answered} requests on {}, priced on {other}",
        core.handle().backend()
    );
    Ok(())
}

/// Another backend of this build, if there is one. Two runtimes of one kind work as well.
fn other_than(core: Backend) -> Backend {
    Backend::enabled()
        .iter()
        .copied()
        .find(|backend| *backend != core)
        .unwrap_or(core)
}

async fn run(services: Handle) -> anyhow::Result<u64> {
    let (audit, mut audited) = mpsc::channel(16);
    // ANCHOR: across
    // The task runs there, its handle is awaited here. Channels connect any two runtimes.
    let auditor = services.spawn(async move {
        assert_eq!(std::thread::current().name(), Some("services"));
        let mut sum = 0;
        while let Some(price) = audited.recv().await {
            sum += price;
        }
        sum
    });
    // ANCHOR_END: across
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = anyrt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            anyrt::spawn(serve(stream, services.clone(), audit.clone()));
        }
    });
    let mut clients = JoinSet::new();
    for number in 1..=20 {
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_u64(number).await?;
            let price = stream.read_u64().await?;
            assert_eq!(price, number * 19);
            // The server's task has ended and dropped its sender to the auditor.
            assert_eq!(stream.read(&mut [0]).await?, 0);
            anyhow::Ok(())
        });
    }
    let mut answered = 0;
    while let Some(client) = clients.join_next().await {
        client??;
        answered += 1;
    }
    server.abort();
    assert!(server.await.is_err());
    assert_eq!(
        auditor.await?,
        (1..=20).map(|number| number * 19).sum::<u64>()
    );
    Ok(answered)
}

// ANCHOR: serve
async fn serve(
    mut stream: TcpStream,
    services: Handle,
    audit: mpsc::Sender<u64>,
) -> anyhow::Result<()> {
    let number = stream.read_u64().await?;
    // A panic there would be an error here.
    let price = services.spawn(async move { number * 19 }).await?;
    audit.send(price).await?;
    stream.write_u64(price).await?;
    Ok(())
}
// ANCHOR_END: serve
