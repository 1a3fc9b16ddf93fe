//! One runtime per core, each with its own listener on the same port. Connections stay where they
//! were accepted.
//!
//! ```text
//! ANYRT_BACKEND=glommio cargo run --example shards
//! ```
//!
//! It works on every backend, on Linux and wherever else `SO_REUSEPORT` spreads connections.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpSocket, TcpStream};
use anyrt::runtime::{Builder, Handle};
use anyrt::shutdown::GracefulShutdown;
use anyrt::task::{JoinSet, LocalSet};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SHARDS: usize = 2;
const CLIENTS: usize = 100;

fn main() -> Result<()> {
    let served = AtomicUsize::new(0);
    let stop = GracefulShutdown::new();
    // The first socket takes a free port, the others share it.
    let mut listeners = Vec::new();
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    for _ in 0..SHARDS {
        let socket = shared(address)?;
        address = socket.local_addr()?;
        listeners.push(socket);
    }
    let (listening, all_listen) = mpsc::channel();
    std::thread::scope(|scope| {
        let shards: Vec<_> = listeners
            .into_iter()
            .map(|socket| {
                let listening = listening.clone();
                let (stop, served) = (&stop, &served);
                scope.spawn(move || shard(socket, listening, stop, served))
            })
            .collect();
        drop(listening);
        // Fewer than expected if one failed, which its join reports.
        let _ready = all_listen.iter().take(SHARDS).count();
        let asked = Builder::new_current_thread()
            .build()
            .map_err(Into::into)
            .and_then(|clients| clients.block_on(ask(address)));
        stop.token().cancel();
        for shard in shards {
            shard.join().map_err(|_| "a shard panicked")??;
        }
        asked
    })?;
    assert_eq!(served.load(Ordering::Relaxed), CLIENTS);
    println!("{SHARDS} shards served {CLIENTS} connections");
    Ok(())
}

// ANCHOR: shards
/// Returns a socket that shares its port with the others of this program.
fn shared(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Runs a runtime on this thread. Its tasks need not be `Send`, and it shares nothing with other
/// shards.
fn shard(
    socket: TcpSocket,
    listening: mpsc::Sender<()>,
    stop: &GracefulShutdown,
    served: &AtomicUsize,
) -> Result<()> {
    let runtime = Builder::new_current_thread().build()?;
    // Tasks of a `LocalSet` stay on this thread, on every backend.
    LocalSet::new().block_on(&runtime, async {
        // Created here, so that it belongs to this shard's reactor.
        let listener: TcpListener = socket.listen(1024)?;
        listening.send(())?;
        let mut connections = JoinSet::new();
        while let Some(accepted) = stop.token().run_until_cancelled(listener.accept()).await {
            let (stream, _) = accepted?;
            connections.spawn_local(greet(stream));
            served.fetch_add(1, Ordering::Relaxed);
        }
        while let Some(ended) = connections.join_next().await {
            ended??;
        }
        Ok(())
    })
}
// ANCHOR_END: shards

async fn greet(mut stream: TcpStream) -> std::io::Result<()> {
    let name = Handle::current().backend().name();
    stream.write_all(name.as_bytes()).await
}

async fn ask(address: SocketAddr) -> Result<()> {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(async move {
            let mut name = String::new();
            TcpStream::connect(address)
                .await?
                .read_to_string(&mut name)
                .await?;
            std::io::Result::Ok(name)
        });
    }
    while let Some(name) = clients.join_next().await {
        assert_eq!(name??, Handle::current().backend().name());
    }
    Ok(())
}
