//! A builder that checks everything once, and reports every mistake.
//!
//! Use it where a type has more than three settings, or rules between them.
//! What guides miss: setters that panic or check one field cannot know the others; the first error
//! alone makes the user try five times; `build` should return a type that cannot be wrong any more.

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::Builder as RuntimeBuilder;
use anyrt::time::{Duration, timeout};

pub fn main() -> anyhow::Result<()> {
    // ANCHOR: use
    let error = Server::builder()
        .connections(0)
        .idle(Duration::from_secs(90))
        .lifetime(Duration::from_secs(60))
        .build();
    assert_eq!(
        error.unwrap_err().to_string(),
        "invalid server: `connections` must be at least 1; `idle` (90s) exceeds `lifetime` (60s)"
    );
    let server = Server::builder()
        .address("127.0.0.1:0")
        .connections(8)
        .build()?;
    // ANCHOR_END: use

    // ANCHOR: runtime
    // The runtime is built the same way: an option that the backend cannot honour is an error from
    // `build`.
    let runtime = RuntimeBuilder::new_multi_thread()
        .worker_threads(2)
        .thread_name("server")
        .build()?;
    let greeting = runtime.block_on(greet(server))?;
    // ANCHOR_END: runtime
    assert_eq!(greeting, "8 connections at most");
    println!("builder: two mistakes told at once; {greeting}");
    Ok(())
}

async fn greet(server: Server) -> anyhow::Result<String> {
    let listener = TcpListener::bind(&server.address).await?;
    let address = listener.local_addr()?;
    let serving = anyrt::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        stream
            .write_all(format!("{} connections at most", server.connections).as_bytes())
            .await
    });
    let mut greeting = String::new();
    let mut client = TcpStream::connect(address).await?;
    timeout(server.idle, client.read_to_string(&mut greeting)).await??;
    serving.await??;
    Ok(greeting)
}

// ANCHOR: builder
/// Consistent settings: [`ServerBuilder::build`] is the only way to create them.
#[derive(Debug)]
struct Server {
    address: String,
    connections: usize,
    idle: Duration,
}

/// Collects settings, which [`build`](Self::build) checks.
#[derive(Debug, Clone)]
struct ServerBuilder {
    address: String,
    connections: usize,
    idle: Duration,
    lifetime: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("invalid server: {}", .0.join("; "))]
struct InvalidServer(Vec<String>);

impl Server {
    fn builder() -> ServerBuilder {
        ServerBuilder {
            address: "127.0.0.1:8080".into(),
            connections: 1024,
            idle: Duration::from_secs(30),
            lifetime: Duration::from_secs(300),
        }
    }
}

impl ServerBuilder {
    /// Default: 127.0.0.1:8080.
    fn address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Default: 1024.
    fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// Default: 30 s.
    fn idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// Default: 300 s.
    fn lifetime(mut self, limit: Duration) -> Self {
        self.lifetime = limit;
        self
    }

    /// # Errors
    /// Returns an error that names every wrong setting, not only the first.
    fn build(self) -> Result<Server, InvalidServer> {
        let mut wrong = Vec::new();
        if self.connections == 0 {
            wrong.push("`connections` must be at least 1".to_string());
        }
        if self.idle > self.lifetime {
            wrong.push(format!(
                "`idle` ({:?}) exceeds `lifetime` ({:?})",
                self.idle, self.lifetime
            ));
        }
        if !wrong.is_empty() {
            return Err(InvalidServer(wrong));
        }
        Ok(Server {
            address: self.address,
            connections: self.connections,
            idle: self.idle,
        })
    }
}
// ANCHOR_END: builder
