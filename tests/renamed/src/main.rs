//! An application that was written for Tokio, on another runtime: only its `Cargo.toml` was
//! changed.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    println!("{}", greet("world").await?);
    Ok(())
}

async fn greet(name: &'static str) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut name = String::new();
        stream.read_to_string(&mut name).await?;
        stream.write_all(format!("hello {name}").as_bytes()).await
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(name.as_bytes()).await?;
    stream.shutdown().await?;
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await?;
    server.await??;
    Ok(greeting)
}

#[cfg(test)]
mod tests {
    use super::greet;

    #[tokio::test]
    async fn the_macros_find_the_crate_under_its_new_name() {
        assert_eq!(greet("you").await.unwrap(), "hello you");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1, backend = "smol")]
    async fn their_arguments_work_as_well() {
        let answer = tokio::select! {
            biased;
            answer = async { 42 } => answer,
            () = tokio::time::sleep(tokio::time::Duration::MAX) => 0,
        };
        assert_eq!(answer, 42);
    }
}
