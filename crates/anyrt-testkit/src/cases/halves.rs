//! The owned halves of a stream: two directions in two tasks, and the effect of dropping one.

use std::io;

use anyrt_core::net::{FromStd, TcpStream};
use anyrt_core::runtime::Runtime;
use futures_util::{AsyncReadExt, AsyncWriteExt};

use super::peer::{
    arrived, assert_bytes, bytes, narrow_pair, pair, start_peer, start_thread, there, with_peer,
};
use crate::case::cases;
use crate::{Gate, on_thread, park_on, poll_once};

cases! {
    from_std {
        async a_waiting_write_does_not_hold_up_reading;
    }
    async a_megabyte_goes_each_way_at_once;
    async halves_work_on_different_threads;
    async dropping_the_write_half_sends_the_end_and_reading_goes_on;
    async dropping_the_write_half_does_not_disturb_a_waiting_read;
    async closing_the_write_half_sends_the_end_and_reading_goes_on;
    async dropping_the_read_half_leaves_writing_intact;
    async dropping_both_halves_closes;
    async a_write_half_dropped_on_a_plain_thread_sends_the_end;
    async reunited_halves_are_the_stream_again;
    async halves_of_different_streams_come_back_unharmed;
}

async fn a_megabyte_goes_each_way_at_once<R: Runtime>(rt: R) {
    const LENGTH: usize = 1024 * 1024;
    let (a, b) = pair(&rt).await;
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    for stream in [a, b] {
        let (mut read, mut write) = stream.into_split();
        writers.push(rt.spawn(async move {
            for chunk in bytes(0, LENGTH).chunks(10_007) {
                write.write_all(chunk).await.unwrap();
            }
        }));
        readers.push(rt.spawn(async move {
            let mut received = Vec::new();
            read.read_to_end(&mut received).await.unwrap();
            received
        }));
    }
    for reader in readers {
        let received = reader.await.unwrap();
        assert_eq!(received.len(), LENGTH);
        assert_bytes(&received, 0);
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn halves_work_on_different_threads<R: Runtime>(rt: R) {
    const LENGTH: usize = 1024 * 1024;
    let (stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move {
        peer.echo().await;
        drop(peer);
    });
    let (mut read, mut write) = stream.into_split();
    let writer = start_thread(move || {
        park_on(async {
            write.write_all(&bytes(0, LENGTH)).await.unwrap();
            write.close().await.unwrap();
        });
    });
    let reader = start_thread(move || {
        park_on(async {
            let mut received = Vec::new();
            read.read_to_end(&mut received).await.unwrap();
            received
        })
    });
    let received = reader.join().await;
    assert_eq!(received.len(), LENGTH);
    assert_bytes(&received, 0);
    writer.join().await;
    peer.join().await;
}

async fn dropping_the_write_half_sends_the_end_and_reading_goes_on<R: Runtime>(rt: R) {
    let (stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move {
        let question = peer.all().await;
        peer.write_all(b"answer").await.unwrap();
        question
    });
    let (mut read, mut write) = stream.into_split();
    write.write_all(b"question").await.unwrap();
    drop(write);
    let mut answer = Vec::new();
    read.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
    assert_eq!(peer.join().await, b"question");
}

async fn dropping_the_write_half_does_not_disturb_a_waiting_read<R: Runtime>(rt: R) {
    let (stream, mut peer) = with_peer(&rt).await;
    let (mut read, write) = stream.into_split();
    let waits = Gate::new();
    let reader = rt.spawn({
        let waits = waits.clone();
        async move {
            let mut received = [0; 16];
            let mut reading = read.read(&mut received);
            assert!(poll_once(&mut reading).await.is_pending());
            waits.open();
            let n = reading.await.unwrap();
            received[..n].to_vec()
        }
    });
    waits.wait().await;
    drop(write);
    there(async move {
        assert_eq!(peer.all().await, b"");
        peer.write_all(b"late").await.unwrap();
    })
    .await;
    assert_eq!(reader.await.unwrap(), b"late");
}

async fn closing_the_write_half_sends_the_end_and_reading_goes_on<R: Runtime>(rt: R) {
    let (stream, mut peer) = with_peer(&rt).await;
    let peer = start_peer(async move {
        assert_eq!(peer.all().await, b"");
        peer.write_all(b"answer").await.unwrap();
    });
    let (mut read, mut write) = stream.into_split();
    write.close().await.unwrap();
    let mut answer = Vec::new();
    read.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
    write.write(b"more").await.expect_err("closed for writing");
    peer.join().await;
}

async fn dropping_the_read_half_leaves_writing_intact<R: Runtime>(rt: R) {
    const LENGTH: usize = 300_000;
    let (stream, mut peer) = with_peer(&rt).await;
    let (read, mut write) = stream.into_split();
    drop(read);
    let peer = start_peer(async move { peer.all().await });
    write.write_all(&bytes(0, LENGTH)).await.unwrap();
    drop(write);
    let received = peer.join().await;
    assert_eq!(received.len(), LENGTH);
    assert_bytes(&received, 0);
}

async fn dropping_both_halves_closes<R: Runtime>(rt: R) {
    for write_first in [true, false] {
        let (stream, mut peer) = with_peer(&rt).await;
        let (read, write) = stream.into_split();
        if write_first {
            drop((write, read));
        } else {
            drop((read, write));
        }
        there(async move {
            assert_eq!(peer.all().await, b"");
            // Both directions have ended: a peer that continues to write gets an error.
            let error = loop {
                if let Err(error) = peer.write(b"anybody?").await {
                    break error;
                }
                arrived().await;
            };
            let gone = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
            assert!(gone.contains(&error.kind()), "{error:?}");
        })
        .await;
    }
}

async fn a_write_half_dropped_on_a_plain_thread_sends_the_end<R: Runtime>(rt: R) {
    let (stream, mut peer) = with_peer(&rt).await;
    let (mut read, mut write) = stream.into_split();
    write.write_all(b"question").await.unwrap();
    on_thread(move || drop(write)).await;
    let peer = start_peer(async move {
        let question = peer.all().await;
        peer.write_all(b"answer").await.unwrap();
        question
    });
    let mut answer = Vec::new();
    read.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
    assert_eq!(peer.join().await, b"question");
}

async fn a_waiting_write_does_not_hold_up_reading<R: Runtime + FromStd>(rt: R) {
    const LENGTH: usize = 4 * 1024 * 1024;
    let (stream, mut peer) = narrow_pair(&rt).await;
    let (mut read, mut write) = stream.into_split();
    let writer = rt.spawn(async move {
        write.write_all(&bytes(0, LENGTH)).await.unwrap();
    });
    // The peer reads nothing until it gets its own bytes back as an acknowledgement.
    let heard = Gate::new();
    let peer = start_peer({
        let heard = heard.clone();
        async move {
            peer.write_all(b"listen").await.unwrap();
            heard.wait().await;
            peer.all().await
        }
    });
    let mut words = [0; 6];
    read.read_exact(&mut words).await.unwrap();
    assert_eq!(&words, b"listen");
    heard.open();
    let received = peer.join().await;
    assert_eq!(received.len(), LENGTH);
    assert_bytes(&received, 0);
    writer.await.unwrap();
}

async fn reunited_halves_are_the_stream_again<R: Runtime>(rt: R) {
    let (mut stream, mut peer) = with_peer(&rt).await;
    let address = stream.local_addr().unwrap();
    let peer = start_peer(async move { peer.echo().await });
    // Repeated, so that a FIN sent by `reunite` would be noticed.
    for round in 0..3 {
        let (mut read, mut write) = stream.into_split();
        let sent = bytes(round * 100, 50);
        write.write_all(&sent).await.unwrap();
        let mut answer = [0; 50];
        read.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[..], sent);

        stream = R::TcpStream::reunite(read, write).unwrap();
        assert_eq!(stream.local_addr().unwrap(), address);
        let sent = bytes(round * 100 + 50, 50);
        stream.write_all(&sent).await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[..], sent);
    }
    drop(stream);
    peer.join().await;
}

async fn halves_of_different_streams_come_back_unharmed<R: Runtime>(rt: R) {
    let (first, first_peer) = with_peer(&rt).await;
    let (second, second_peer) = with_peer(&rt).await;
    let (first_read, first_write) = first.into_split();
    let (second_read, second_write) = second.into_split();
    let strangers = R::TcpStream::reunite(first_read, second_write).unwrap_err();
    let (first_read, second_write) = (strangers.0, strangers.1);

    // No FIN was sent, and each half still belongs to its own stream.
    for (read, write, mut peer) in [
        (first_read, first_write, first_peer),
        (second_read, second_write, second_peer),
    ] {
        let peer = start_peer(async move { peer.echo().await });
        let mut stream = R::TcpStream::reunite(read, write).unwrap();
        stream.write_all(b"unharmed").await.unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"unharmed");
        drop(stream);
        peer.join().await;
    }
}
