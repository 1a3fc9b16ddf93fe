//! Two runtimes in one process: a service on one, background work on another, results awaited
//! across.
//!
//! ```text
//! cargo run --example hybrid                     # service on the last enabled runtime, work on the first
//! cargo run --example hybrid -- glommio tokio    # service on Glommio's shards, work on Tokio
//! cargo run --example hybrid --no-default-features --features smol    # two runtimes of one kind
//! ```
//!
//! Handles are values: `background.spawn(…)` starts a task there, and its `JoinHandle` is awaited
//! here.

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::{Backend, Builder, Handle};
use anyrt::task::JoinSet;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const CLIENTS: u64 = 32;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let enabled = Backend::enabled();
    let (service, work) = match (&args[..], enabled) {
        ([service, work], _) => (service.parse()?, work.parse()?),
        ([], [first, .., last]) => (*last, *first),
        ([], [only]) => (*only, *only),
        ([], []) => return Err("no runtime is enabled: build with --features tokio,smol,…".into()),
        _ => return Err("usage: hybrid [SERVICE WORK], each the name of a runtime".into()),
    };
    let background = Builder::new_multi_thread()
        .backend(work)
        .worker_threads(1)
        .thread_name("background")
        .build()?;
    let foreground = Builder::new_multi_thread()
        .backend(service)
        .thread_name("service")
        .build()?;
    let answered = foreground.block_on(serve_and_ask(background.handle().clone()))?;
    println!(
        "service on {}, work on {}: {answered} answers, all right",
        service.name(),
        work.name()
    );
    Ok(())
}

async fn serve_and_ask(background: Handle) -> Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = anyrt::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            anyrt::spawn(serve(stream, background.clone()));
        }
        #[expect(unreachable_code, reason = "it gives the block its type")]
        std::io::Result::Ok(())
    });
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_u64(number).await?;
            Ok::<_, std::io::Error>((number, stream.read_u64().await?))
        });
    }
    let mut answered = 0;
    while let Some(client) = clients.join_next().await {
        let (number, answer) = client??;
        assert_eq!(answer, (1..=number).sum::<u64>());
        answered += 1;
    }
    server.abort();
    Ok(answered)
}

async fn serve(mut stream: TcpStream, background: Handle) -> std::io::Result<()> {
    let number = stream.read_u64().await?;
    // Runs there, is awaited here. A panic there would be an error here.
    let sum = background
        .spawn(async move {
            assert_eq!(std::thread::current().name(), Some("background"));
            let mut sum = 0;
            for n in 1..=number {
                sum += n;
                anyrt::task::yield_now().await;
            }
            sum
        })
        .await?;
    stream.write_u64(sum).await
}
