//! tokio-util: framing, adapters between streams and readers, cancellation.

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt, stream};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{
    BytesCodec, Decoder, Encoder, Framed, FramedRead, FramedWrite, LengthDelimitedCodec,
    LinesCodec, LinesCodecError,
};
use tokio_util::compat::{
    FuturesAsyncReadCompatExt, TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt,
};
use tokio_util::either::Either;
use tokio_util::future::FutureExt;
use tokio_util::io::{CopyToBytes, InspectReader, ReaderStream, SinkWriter, StreamReader};
use tokio_util::sync::{CancellationToken, PollSender};
use tokio_util::task::TaskTracker;

use crate::{Result, pair};

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_framed() -> Result {
    let (client, server) = pair().await?;
    let mut client = Framed::new(client, LinesCodec::new_with_max_length(10));
    let echo = tokio::spawn(async move {
        let (mut sink, stream) = Framed::new(server, LinesCodec::new()).split();
        let mut stream = stream.map(|line| line.map(|line| line.to_uppercase()));
        sink.send_all(&mut stream).await
    });
    client.feed("one").await?;
    client.send("two").await?;
    assert_eq!(client.next().await.unwrap()?, "ONE");
    assert_eq!(client.next().await.unwrap()?, "TWO");
    client.send("longer than ten").await?;
    assert!(matches!(
        client.next().await,
        Some(Err(LinesCodecError::MaxLineLengthExceeded))
    ));
    drop(client);
    // The end of the stream, or a reset because of data that the client did not read.
    let _ = echo.await?;
    Ok(())
}

#[tokio::test]
async fn frames_of_any_length_arrive_whole_over_owned_halves() -> Result {
    let (client, server) = pair().await?;
    let (reader, _keep) = server.into_split();
    let (_, writer) = client.into_split();
    let frames: Vec<Bytes> = (0..64).map(|n| vec![n as u8; n * n * 64].into()).collect();
    let sent = frames.clone();
    let sender = tokio::spawn(async move {
        let mut sink = FramedWrite::new(writer, LengthDelimitedCodec::new());
        for frame in sent {
            sink.send(frame).await?;
        }
        // The write half sends FIN when it is dropped.
        std::io::Result::Ok(())
    });
    let stream = FramedRead::new(reader, LengthDelimitedCodec::new());
    let received: Vec<_> = stream.map(|frame| frame.unwrap().freeze()).collect().await;
    assert_eq!(received, frames);
    sender.await??;
    Ok(())
}

/// A codec for numbers, one per line.
struct Numbers;

impl Decoder for Numbers {
    type Item = u64;
    type Error = std::io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> std::io::Result<Option<u64>> {
        let Some(end) = buffer.iter().position(|&byte| byte == b'\n') else {
            return Ok(None);
        };
        let line = buffer.split_to(end + 1);
        let number = std::str::from_utf8(&line[..end])
            .ok()
            .and_then(|text| text.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }
}

impl Encoder<u64> for Numbers {
    type Error = std::io::Error;

    fn encode(&mut self, number: u64, buffer: &mut BytesMut) -> std::io::Result<()> {
        buffer.extend_from_slice(format!("{number}\n").as_bytes());
        Ok(())
    }
}

#[tokio::test]
async fn a_codec_of_one_s_own_works_through_framed() -> Result {
    let (client, server) = pair().await?;
    let (mut client, mut server) = (Numbers.framed(client), Numbers.framed(server));
    for number in [0, 7, u64::MAX] {
        client.send(number).await?;
        assert_eq!(server.next().await.unwrap()?, number);
    }
    // Bytes that were read ahead are kept with the parts.
    client.into_inner().write_all(b"1\n2\n3").await?;
    assert_eq!(server.next().await.unwrap()?, 1);
    let mut parts = server.into_parts();
    while parts.read_buf.len() < 3 {
        parts.io.read_buf(&mut parts.read_buf).await?;
    }
    assert_eq!(&parts.read_buf[..], b"2\n3");
    Ok(())
}

#[tokio::test]
async fn readers_become_streams_and_streams_readers() -> Result {
    let (mut client, server) = pair().await?;
    let sender = tokio::spawn(async move {
        client.write_all(&[b'x'; 100_000]).await?;
        client.write_all(b"\nend\n").await
    });
    let mut seen = 0;
    let inspected = InspectReader::new(server, |piece| seen += piece.len());
    let mut lines = StreamReader::new(ReaderStream::new(inspected)).lines();
    assert_eq!(lines.next_line().await?.unwrap().len(), 100_000);
    assert_eq!(lines.next_line().await?.as_deref(), Some("end"));
    assert_eq!(lines.next_line().await?, None);
    drop(lines);
    assert_eq!(seen, 100_005);
    sender.await??;
    Ok(())
}

#[tokio::test]
async fn a_sink_over_a_socket_becomes_a_writer() -> Result {
    let (client, server) = pair().await?;
    let sink = FramedWrite::new(client, BytesCodec::new());
    let mut writer = SinkWriter::new(CopyToBytes::new(sink));
    writer.write_all(b"through a sink").await?;
    writer.shutdown().await?;
    let mut all = String::new();
    Either::<_, tokio::io::Empty>::Left(server)
        .read_to_string(&mut all)
        .await?;
    assert_eq!(all, "through a sink");
    Ok(())
}

#[tokio::test]
async fn streams_have_the_traits_of_futures_with_and_without_compat() -> Result {
    // Both families of extension traits have methods of the same names, hence the full paths.
    use futures_util::{AsyncReadExt as Futures, AsyncWriteExt as FuturesWrite};

    let (client, server) = pair().await?;
    let mut client = client.compat_write();
    FuturesWrite::write_all(&mut client, b"compat").await?;
    let mut server = TokioAsyncReadCompatExt::compat(server);
    let mut buffer = [0; 6];
    Futures::read_exact(&mut server, &mut buffer).await?;
    assert_eq!(&buffer, b"compat");

    // Without an adapter, and through one in the other direction.
    let (mut client, server) = (client.into_inner(), server.into_inner());
    FuturesWrite::write_all(&mut client, b"direct").await?;
    FuturesWrite::close(&mut client).await?;
    let mut server = FuturesAsyncReadCompatExt::compat(server);
    let mut all = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut server, &mut all).await?;
    assert_eq!(all, b"direct");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_tokio_util_cancels_tasks_and_futures() -> Result {
    let token = CancellationToken::new();
    let (client, _server) = pair().await?;
    let mut client = client;
    let child = token.child_token();
    let reading = tokio::spawn(async move {
        let mut buffer = [0; 1];
        let read = AsyncReadExt::read(&mut client, &mut buffer);
        child.run_until_cancelled(read).await.is_none()
    });
    let other = token.clone();
    let waiting = tokio::spawn(async move {
        let forever = std::future::pending::<()>();
        forever.with_cancellation_token_owned(other).await.is_none()
    });
    token.cancel();
    assert!(reading.await? && waiting.await?);
    let _guard = token.drop_guard();
    Ok(())
}

#[tokio::test]
async fn a_tracker_of_tokio_util_tracks_what_we_spawn() -> Result {
    let tracker = TaskTracker::new();
    let tasks: Vec<_> = (0..3)
        .map(|n| tokio::spawn(tracker.track_future(async move { n })))
        .collect();
    tracker.close();
    tracker.wait().await;
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await?, n);
    }
    Ok(())
}

#[tokio::test]
async fn a_sender_becomes_a_sink() -> Result {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let mut numbers = stream::iter(0..100).map(Ok);
    let task = tokio::spawn(async move { PollSender::new(sender).send_all(&mut numbers).await });
    for n in 0..100 {
        assert_eq!(receiver.recv().await, Some(n));
    }
    task.await?.map_err(|_| "the receiver is there")?;
    Ok(())
}

/// Replaces `SyncIoBridge`, which blocks on a Tokio runtime.
#[tokio::test(flavor = "multi_thread")]
async fn blocking_code_reads_through_the_handle() -> Result {
    let (mut client, mut server) = pair().await?;
    let handle = tokio::runtime::Handle::current();
    let reader = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        handle
            .block_on(AsyncReadExt::read_to_end(&mut server, &mut all))
            .map(|_| all)
    });
    client.write_all(b"for a blocking job").await?;
    drop(client);
    assert_eq!(reader.await??, b"for a blocking job");
    Ok(())
}
