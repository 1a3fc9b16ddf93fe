//! Accepts connections, and ends them when asked to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::shared::Shared;

/// The time for clients to receive pending replies when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// The pause when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

// ANCHOR: run
/// Serves until `stop` is ready. Then answers the requests that were read, and closes.
pub async fn run(listener: TcpListener, stop: impl Future<Output = ()>) {
    let shared = Arc::new(Shared::new());
    let expiry = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move { shared.store.drop_expired().await }
    });
    // Nothing is ever sent: dropping the sender notifies the connections.
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let place = shared.place();
                    let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
                    connections.spawn(serve(stream, peer, place, shared, stopped));
                }
                // The client has already left, or there are too many. The others continue.
                Err(error) => {
                    eprintln!("accept: {error}");
                    sleep(PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    eprintln!("a connection: {error}");
                }
            }
            () = &mut stop => break,
        }
    }
    drop(listener);
    drop(stopping);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, all_ended).await.is_err() {
        eprintln!("{} clients took too long to leave", connections.len());
        connections.shutdown().await;
    }
    expiry.abort();
}
// ANCHOR_END: run

async fn serve(
    mut stream: TcpStream,
    peer: SocketAddr,
    place: Option<OwnedSemaphorePermit>,
    shared: Arc<Shared>,
    stopped: watch::Receiver<()>,
) {
    let served = match &place {
        Some(_) => match stream.set_nodelay(true) {
            Ok(()) => Connection::new(stream, shared).run(stopped).await,
            Err(error) => Err(error),
        },
        None => {
            stream
                .write_all(b"-ERR max number of clients reached\r\n")
                .await
        }
    };
    match served {
        Ok(()) => {}
        // Many clients leave this way.
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => eprintln!("{peer}: {error}"),
    }
}
