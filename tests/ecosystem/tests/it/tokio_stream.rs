//! tokio-stream: its combinators, and its wrappers of channels and readers.

use futures_util::stream;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Duration, Instant, interval, timeout};
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::wrappers::{
    BroadcastStream, LinesStream, ReceiverStream, SplitStream, UnboundedReceiverStream, WatchStream,
};
use tokio_stream::{StreamExt, StreamMap};

use crate::{Result, pair};

#[tokio::test(flavor = "multi_thread")]
async fn channels_become_streams() -> Result {
    let (sender, receiver) = mpsc::channel(2);
    let (unbounded, more) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for n in 0..50 {
            sender.send(n).await.unwrap();
            unbounded.send(n + 50).unwrap();
        }
    });
    let merged = ReceiverStream::new(receiver).merge(UnboundedReceiverStream::new(more));
    let mut all: Vec<_> = merged.collect().await;
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());

    let (sender, receiver) = broadcast::channel(2);
    for n in 0..3 {
        sender.send(n)?;
    }
    drop(sender);
    let heard: Vec<_> = BroadcastStream::new(receiver).collect().await;
    assert_eq!(
        heard,
        [Err(BroadcastStreamRecvError::Lagged(1)), Ok(1), Ok(2)]
    );

    let (sender, receiver) = watch::channel("first");
    let mut seen = WatchStream::new(receiver);
    assert_eq!(seen.next().await, Some("first"));
    sender.send("second")?;
    assert_eq!(seen.next().await, Some("second"));
    drop(sender);
    assert_eq!(seen.next().await, None);
    Ok(())
}

#[tokio::test]
async fn readers_of_sockets_become_streams() -> Result {
    let (mut client, server) = pair().await?;
    client.write_all(b"a,b\nc,d\n").await?;
    drop(client);
    let lines = LinesStream::new(BufReader::new(server).lines());
    let lines: Vec<_> = lines.map(|line| line.unwrap()).collect().await;
    assert_eq!(lines, ["a,b", "c,d"]);

    let (mut client, server) = pair().await?;
    client.write_all(b"a,b,c").await?;
    drop(client);
    let parts = SplitStream::new(BufReader::new(server).split(b','));
    let parts: Result<Vec<_>, _> = parts.collect::<std::io::Result<Vec<_>>>().await;
    assert_eq!(parts?, [b"a", b"b", b"c"]);
    Ok(())
}

/// Replaces `TcpListenerStream`, which takes the listener of a Tokio runtime.
#[tokio::test]
async fn a_listener_becomes_a_stream_by_unfold() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let clients = stream::unfold(listener, |listener| async move {
        Some((listener.accept().await, listener))
    });
    let mut clients = std::pin::pin!(clients.take(3));
    for _ in 0..3 {
        let client = TcpStream::connect(address).await?;
        let (_, peer) = clients.next().await.unwrap()?;
        assert_eq!(peer, client.local_addr()?);
    }
    assert!(clients.next().await.is_none());
    Ok(())
}

/// Replaces `IntervalStream`, `throttle` and `timeout`, which use timers of a Tokio runtime.
#[tokio::test]
async fn an_interval_becomes_a_stream_by_unfold() -> Result {
    let start = Instant::now();
    let ticks = stream::unfold(interval(Duration::from_millis(2)), |mut ticks| async move {
        Some((ticks.tick().await, ticks))
    });
    let throttled: Vec<_> = futures_util::StreamExt::zip(ticks, stream::iter(1..=3))
        .map(|(_, n)| n)
        .collect()
        .await;
    assert_eq!(throttled, [1, 2, 3]);
    assert!(start.elapsed() >= Duration::from_millis(4));
    let mut silent = stream::pending::<()>();
    assert!(
        timeout(Duration::from_millis(1), silent.next())
            .await
            .is_err()
    );
    Ok(())
}

#[tokio::test]
async fn a_map_of_streams_listens_to_several_sockets() -> Result {
    let mut map = StreamMap::new();
    let mut clients = Vec::new();
    for name in ["one", "two", "three"] {
        let (mut client, server) = pair().await?;
        client
            .write_all(format!("from {name}\n").as_bytes())
            .await?;
        clients.push(client);
        map.insert(name, LinesStream::new(BufReader::new(server).lines()));
    }
    for _ in 0..3 {
        let (name, line) = map.next().await.unwrap();
        assert_eq!(line?, format!("from {name}"));
    }
    drop(clients);
    assert!(map.next().await.is_none());
    Ok(())
}
