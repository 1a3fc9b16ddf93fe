//! Runs code that needs a Tokio runtime of its own, inside any other runtime.
//!
//! Use it for one or two calls of such a crate. If it is all over the program, use the Tokio
//! backend or the `[patch]` entry.
//! What guides miss: entering Tokio once, before the `.await`, does not help, since each poll may
//! be on another thread; a Tokio runtime must not be dropped in async code; `spawn`ing there costs
//! a thread switch that a bridged future need not pay.

use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt::runtime::Handle;
use anyrt::time::Duration;
use pin_project_lite::pin_project;

pub fn main() -> anyhow::Result<()> {
    // ANCHOR: build
    // One worker drives Tokio's timers and sockets. It is dropped here, after all async code.
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let runtime = anyrt::runtime::Builder::new_multi_thread().build()?;
    let answer = runtime.block_on(program(tokio.handle().clone()))?;
    // ANCHOR_END: build
    println!("bridge: {answer}");
    Ok(())
}

async fn program(tokio: tokio::runtime::Handle) -> anyhow::Result<String> {
    let backend = Handle::current().backend();
    // ANCHOR: use
    let answer =
        anyrt::spawn(async move { InTokio::new(&tokio, needs_tokio("ping")).await }).await??;
    // ANCHOR_END: use
    assert_eq!(answer, "ping, answered through Tokio");
    // This task has stayed on its own runtime.
    assert_eq!(Handle::current().backend(), backend);
    Ok(format!("a task of {backend} got \"{answer}\""))
}

/// Stands for a crate that uses Tokio's own sockets, timers and spawn.
async fn needs_tokio(question: &'static str) -> anyhow::Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        stream
            .write_all(format!("{text}, answered through Tokio").as_bytes())
            .await
    });
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(question.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    server.await??;
    Ok(answer)
}

// ANCHOR: bridge
pin_project! {
    /// Polls a future with a Tokio runtime entered, on whatever thread and runtime it is polled.
    struct InTokio<F> {
        tokio: tokio::runtime::Handle,
        #[pin]
        future: F,
    }
}

impl<F: Future> InTokio<F> {
    fn new(tokio: &tokio::runtime::Handle, future: F) -> Self {
        Self {
            tokio: tokio.clone(),
            future,
        }
    }
}

impl<F: Future> Future for InTokio<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // The wakers of Tokio's sockets are `cx`'s: Tokio's worker wakes our task, which is polled
        // here again.
        let _entered = this.tokio.enter();
        this.future.poll(cx)
    }
}
// ANCHOR_END: bridge
