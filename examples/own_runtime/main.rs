//! A library on anyrt inside applications that start Tokio, Smol, async-std or Glommio by
//! themselves.
//!
//! ```text
//! cargo run --example own_runtime
//! ```

#[cfg(feature = "async-std")]
mod on_async_std;
#[cfg(feature = "glommio")]
mod on_glommio;
#[cfg(feature = "smol")]
mod on_smol;
#[cfg(feature = "smol")]
mod on_smol_global;
#[cfg(feature = "tokio")]
mod on_tokio;

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::Handle;
use anyrt::task::spawn_blocking;
use anyrt::time::{Duration, sleep};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    #[cfg(feature = "tokio")]
    on_tokio::main()?;
    #[cfg(feature = "async-std")]
    on_async_std::main()?;
    #[cfg(feature = "glommio")]
    match anyrt_glommio::is_available() {
        Ok(()) => on_glommio::main()?,
        Err(why) => println!("no application on Glommio: {why}"),
    }
    // Before the next one, since a default applies to the whole process.
    #[cfg(feature = "smol")]
    on_smol_global::main()?;
    #[cfg(feature = "smol")]
    on_smol::main()?;
    Ok(())
}

/// Stands for a library that was written on anyrt: tasks, timers, sockets, blocking jobs.
#[cfg_attr(
    not(any(
        feature = "tokio",
        feature = "smol",
        feature = "async-std",
        feature = "glommio"
    )),
    expect(dead_code, reason = "none of these runtimes is in the build")
)]
async fn library() -> Result<String> {
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
