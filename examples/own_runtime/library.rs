//! The library that the applications call.

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::Handle;
use anyrt::task::spawn_blocking;
use anyrt::time::{Duration, sleep};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Stands for a library that was written on anyrt: tasks, timers, sockets, blocking jobs.
pub async fn library() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = anyrt::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut number = stream.read_u64().await?;
        sleep(Duration::from_millis(1)).await;
        number = spawn_blocking(move || number * 2).await?;
        stream.write_u64(number).await
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u64(21).await?;
    let answer = stream.read_u64().await?;
    server.await??;
    assert_eq!(answer, 42);
    Ok(format!("{}: {answer}", Handle::current().backend()))
}
