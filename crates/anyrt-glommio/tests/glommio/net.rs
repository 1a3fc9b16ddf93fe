//! Sockets on shards, between shards, and off them.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

use anyrt_core::channel::{Receiver as _, Sender as _};
use anyrt_core::readiness::{AsyncFd as _, Interest, Reactor as _, Ready, ReadyEvent};
use anyrt_core::runtime::Owner;
use anyrt_core::{FromStd, Net, Spawner, TcpListener as _, TcpStream as _, Timer, UdpSocket as _};
use anyrt_glommio::GlommioRuntime;
use anyrt_glommio::net::{TcpListener, TcpStream};
use anyrt_kit::queue;
use futures_util::future::{Either, select};
use futures_util::{AsyncRead, AsyncReadExt, AsyncWriteExt, FutureExt};

use crate::{assert_descriptors_return_to, descriptors, is_gone, start};

crate::tests! {
    a_stream_hops_between_shards_and_threads_while_its_peer_writes,
    streams_dropped_on_foreign_threads_close_at_once,
    cancelled_accepts_lose_no_connection,
    cancelled_receives_lose_no_datagram,
    halves_on_two_shards_do_not_lose_each_others_wakeups,
    several_tasks_wait_for_one_listener,
    a_stream_works_on_a_tokio_worker_and_on_a_plain_thread,
    sockets_that_outlive_the_runtime_report_it,
    a_refused_connection_is_an_error,
    any_descriptor_that_can_be_polled_can_be_awaited,
}

async fn pair(rt: &GlommioRuntime) -> (TcpStream, TcpStream) {
    let listener = rt.bind_tcp("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = rt.connect_tcp(address).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// Returns a stream whose peer is a blocking one of std.
fn with_std_peer(rt: &GlommioRuntime) -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    (rt.tcp_stream_from_std(stream).unwrap(), peer)
}

/// Polls a read once, which must be pending, so the stream is registered on this shard.
async fn arm(stream: &mut TcpStream) {
    poll_fn(|cx| {
        let polled = Pin::new(&mut *stream).poll_read(cx, &mut [0; 8]);
        assert!(polled.is_pending());
        Poll::Ready(())
    })
    .await;
}

/// Reads `words` numbers, which must continue at `next`.
async fn read_words(stream: &mut TcpStream, next: &mut u64, words: u64) {
    for _ in 0..words {
        let mut word = [0; 8];
        stream.read_exact(&mut word).await.unwrap();
        assert_eq!(u64::from_le_bytes(word), *next);
        *next += 1;
    }
}

type Baton = (TcpStream, u64);

fn a_stream_hops_between_shards_and_threads_while_its_peer_writes() {
    const HOPS: u64 = 10_000;
    const WORDS: u64 = 8;
    let (runtime, rt) = start(2);
    let tokio: anyrt_tokio::runtime::Runtime = anyrt_core::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (stream, mut peer) = with_std_peer(&rt);
    let (acknowledge, acknowledged) = mpsc::channel();
    // Every other thousand hops are in lockstep, so that readers wait. The others run at full
    // speed, so that data has arrived or is in transit during a hop.
    let writer = std::thread::spawn(move || {
        for hop in 0..HOPS {
            for word in hop * WORDS..(hop + 1) * WORDS {
                peer.write_all(&word.to_le_bytes()).unwrap();
            }
            if hop / 1000 % 2 == 0 {
                while acknowledged.recv().unwrap() != hop {}
            }
        }
        peer
    });

    let (to, mut stations): (Vec<_>, Vec<_>) = (0..4).map(|_| queue::bounded::<Baton>(1)).unzip();
    let (done, mut finished) = queue::bounded::<Baton>(1);
    let station = |mut here: queue::Receiver<Baton>, next: queue::Sender<Baton>| {
        let (done, acknowledge) = (done.clone(), acknowledge.clone());
        async move {
            while let Some((mut stream, mut word)) = here.recv().await {
                read_words(&mut stream, &mut word, WORDS).await;
                let _ = acknowledge.send(word / WORDS - 1);
                let to = if word == HOPS * WORDS { &done } else { &next };
                if to.send((stream, word)).await.is_err() {
                    return;
                }
            }
        }
    };
    let thread_station = station(stations.remove(3), to[0].clone());
    let tokio_station = station(stations.remove(2), to[3].clone());
    let on_one = rt.spawn_on(1, station(stations.remove(1), to[2].clone()));
    let on_zero = rt.spawn_on(0, station(stations.remove(0), to[1].clone()));
    let on_tokio = tokio.handle().spawn(tokio_station);
    let thread = std::thread::spawn({
        let rt = rt.clone();
        move || rt.block_on(thread_station)
    });
    let (_stream, words) = runtime.block_on(async {
        to[0].send((stream, 0)).await.unwrap();
        finished.recv().await.unwrap()
    });
    assert_eq!(words, HOPS * WORDS);
    let _peer = writer.join().unwrap();
    drop(to);
    // All stations end with the first one.
    for task in [on_zero, on_one] {
        anyrt_core::JoinHandle::abort(&task);
        let _ = runtime.block_on(task);
    }
    anyrt_core::JoinHandle::abort(&on_tokio);
    let _ = tokio.block_on(on_tokio);
    thread.join().unwrap();
}

fn streams_dropped_on_foreign_threads_close_at_once() {
    const STREAMS: usize = 1000;
    let (runtime, rt) = start(2);
    // Opens the descriptors that are opened once and kept.
    runtime.block_on(async { drop(pair(&rt).await) });
    let before = descriptors();
    let (streams, mut peers): (Vec<_>, Vec<_>) = (0..STREAMS).map(|_| with_std_peer(&rt)).unzip();
    let armed: Vec<TcpStream> = runtime.block_on(async {
        let mut armed = Vec::new();
        for (n, mut stream) in streams.into_iter().enumerate() {
            let arming = async move {
                arm(&mut stream).await;
                stream
            };
            armed.push(rt.spawn_on(n % 2, arming).await.unwrap());
        }
        armed
    });
    let mut armed = armed.into_iter();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let part: Vec<_> = armed.by_ref().take(STREAMS / 4).collect();
            scope.spawn(move || drop(part));
        }
    });
    for peer in &mut peers {
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    }
    drop(peers);
    assert_descriptors_return_to(before);
}

fn cancelled_accepts_lose_no_connection() {
    const CANCELLED: usize = 10_000;
    let (runtime, rt) = start(2);
    let (rt2, (bound, mut address)) = (rt.clone(), queue::bounded::<SocketAddr>(1));
    let server = rt.spawn_on(0, async move {
        let listener = rt2.bind_tcp("127.0.0.1:0").await.unwrap();
        bound.send(listener.local_addr().unwrap()).await.unwrap();
        let (mut cancelled, mut accepted) = (0, Vec::new());
        while cancelled < CANCELLED {
            // Some are dropped before they are woken, some after, some when a connection has
            // arrived.
            let accept = pin!(listener.accept());
            let give_up = pin!(rt2.sleep(Duration::from_micros(cancelled as u64 % 40)));
            match select(give_up, accept).await {
                Either::Left(_) => cancelled += 1,
                Either::Right((stream, _)) => accepted.push(stream.unwrap().0),
            }
        }
        (listener, accepted)
    });
    let address = runtime.block_on(address.recv()).unwrap();
    let mut clients = Vec::new();
    while !anyrt_core::JoinHandle::is_finished(&server) && clients.len() < 4000 {
        clients.push(std::net::TcpStream::connect(address).unwrap());
    }
    runtime.block_on(async {
        let (listener, mut accepted) = server.await.unwrap();
        assert!(!accepted.is_empty());
        while accepted.len() < clients.len() {
            accepted.push(listener.accept().await.unwrap().0);
        }
        assert!(listener.accept().now_or_never().is_none());
        // Each belongs to one client.
        for stream in &mut accepted {
            stream.write_all(b"x").await.unwrap();
        }
        for client in &mut clients {
            client.read_exact(&mut [0]).unwrap();
        }
    });
}

fn cancelled_receives_lose_no_datagram() {
    const CANCELLED: usize = 10_000;
    let (runtime, rt) = start(2);
    let (rt2, (bound, mut address)) = (rt.clone(), queue::bounded::<SocketAddr>(1));
    let receiver = rt.spawn_on(0, async move {
        let socket = rt2.bind_udp("127.0.0.1:0").await.unwrap();
        bound.send(socket.local_addr().unwrap()).await.unwrap();
        let (mut cancelled, mut next) = (0, 0u64);
        while cancelled < CANCELLED || next == 0 {
            let mut word = [0; 8];
            let received = {
                let receive = pin!(socket.recv_from(&mut word));
                let give_up = pin!(rt2.sleep(Duration::from_micros(cancelled as u64 % 40)));
                match select(give_up, receive).await {
                    Either::Left(_) => None,
                    Either::Right((received, _)) => Some(received.unwrap()),
                }
            };
            match received {
                None => cancelled += 1,
                Some((_, sender)) => {
                    assert_eq!(u64::from_le_bytes(word), next);
                    next += 1;
                    socket.send_to(&word, sender).await.unwrap();
                }
            }
        }
        let _ = bound.send(socket.local_addr().unwrap()).await;
        next
    });
    let rt2 = rt.clone();
    let sender = rt.spawn_on(1, async move {
        let to = address.recv().await.unwrap();
        let socket = rt2.bind_udp("127.0.0.1:0").await.unwrap();
        let mut sent = 0u64;
        // One in transit at a time, so a missing datagram was lost by the receiver.
        while address.try_recv().is_err() {
            socket.send_to(&sent.to_le_bytes(), to).await.unwrap();
            sent += 1;
            let mut word = [0; 8];
            let answer = pin!(socket.recv_from(&mut word));
            let ended = pin!(address.recv());
            if let Either::Right(_) = select(answer, ended).await {
                break;
            }
        }
        sent
    });
    let (received, sent) =
        runtime.block_on(async { (receiver.await.unwrap(), sender.await.unwrap()) });
    // The last one may have arrived after the receiver had ended.
    assert!(
        received == sent || received + 1 == sent,
        "{received} of {sent}"
    );
}

fn halves_on_two_shards_do_not_lose_each_others_wakeups() {
    const BYTES: usize = 8 << 20;
    let (runtime, rt) = start(2);
    runtime.block_on(async {
        let (ours, theirs) = pair(&rt).await;
        let ends = [ours, theirs].map(|stream| {
            let (mut read, mut write) = stream.into_split();
            let writer = rt.spawn_on(0, async move {
                let chunk: Vec<u8> = (0..=255).collect();
                for _ in 0..BYTES / chunk.len() {
                    write.write_all(&chunk).await.unwrap();
                }
            });
            let reader = rt.spawn_on(1, async move {
                let mut all = Vec::new();
                read.read_to_end(&mut all).await.unwrap();
                assert_eq!(all.len(), BYTES);
                assert!(
                    all.chunks(256)
                        .all(|chunk| chunk.iter().copied().eq(0..=255))
                );
            });
            (writer, reader)
        });
        for (writer, reader) in ends {
            writer.await.unwrap();
            reader.await.unwrap();
        }
    });
}

fn several_tasks_wait_for_one_listener() {
    let (runtime, rt) = start(2);
    runtime.block_on(async {
        let listener = Arc::new(rt.bind_tcp("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let waiting: Vec<_> = (0..20)
            .map(|n| {
                let listener: Arc<TcpListener> = Arc::clone(&listener);
                rt.spawn_on(
                    n % 2,
                    async move { listener.accept().await.map(|(s, _)| s) },
                )
            })
            .collect();
        let clients: Vec<_> = (0..waiting.len())
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        drop(clients);
    });
}

fn a_stream_works_on_a_tokio_worker_and_on_a_plain_thread() {
    let (runtime, rt) = start(1);
    let tokio: anyrt_tokio::runtime::Runtime = anyrt_core::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (mut stream, mut peer) = with_std_peer(&rt);
    let mut stream = runtime.block_on(async {
        rt.spawn(async move {
            arm(&mut stream).await;
            stream
        })
        .await
        .unwrap()
    });
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        while peer.read(&mut byte).unwrap() == 1 {
            peer.write_all(&byte).unwrap();
        }
    });
    async fn ask(stream: &mut TcpStream) {
        for n in 0..100 {
            stream.write_all(&[n]).await.unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte, [n]);
        }
    }
    runtime.block_on(ask(&mut stream));
    let asking = tokio.handle().spawn(async move {
        ask(&mut stream).await;
        stream
    });
    drop(tokio.block_on(asking).unwrap());
    echo.join().unwrap();
}

fn sockets_that_outlive_the_runtime_report_it() {
    let before = descriptors();
    {
        let (runtime, rt) = start(2);
        let tokio: anyrt_tokio::runtime::Runtime =
            anyrt_core::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
        let (mut armed, mut peer) = with_std_peer(&rt);
        let (mut fresh, _peer) = with_std_peer(&rt);
        let mut armed = runtime.block_on(async {
            rt.spawn(async move {
                arm(&mut armed).await;
                armed
            })
            .await
            .unwrap()
        });
        let listener = runtime.block_on(rt.bind_tcp("127.0.0.1:0")).unwrap();
        // Waits while the runtime ends.
        let waiting = tokio.handle().spawn(async move {
            let error = armed.read(&mut [0]).await.unwrap_err();
            (armed, error)
        });
        tokio.block_on(anyrt_core::task::yield_now());
        drop(runtime);
        let (mut armed, error) = tokio.block_on(waiting).unwrap();
        assert!(is_gone(&error), "{error}");
        tokio.block_on(async {
            let error = fresh.read(&mut [0]).await.unwrap_err();
            assert!(is_gone(&error), "{error}");
            assert!(is_gone(&listener.accept().await.unwrap_err()));
            assert!(is_gone(&armed.write_all(b"bye").await.unwrap_err()));
        });
        drop(armed);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the end is sent");
    }
    assert_descriptors_return_to(before);
}

fn a_refused_connection_is_an_error() {
    let (runtime, rt) = start(1);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let error = runtime.block_on(rt.connect_tcp(address)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

fn any_descriptor_that_can_be_polled_can_be_awaited() {
    let (runtime, rt) = start(1);
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    let reader = rt.async_fd(reader, Interest::READABLE).unwrap();
    let (more, wanted) = mpsc::channel();
    let reading = rt.spawn(async move {
        let mut ready = reader.ready(Interest::READABLE).await.unwrap();
        // Clears the readiness although the byte has arrived.
        let _looked = reader.ready(Interest::READABLE).await.unwrap();
        ready.clear(Ready::ALL);
        let mut pending = pin!(reader.ready(Interest::READABLE));
        assert!(pending.as_mut().now_or_never().is_none());
        more.send(()).unwrap();
        pending.await.unwrap();
        let mut byte = [0; 2];
        let read = |mut pipe: &std::io::PipeReader| pipe.read(&mut byte);
        let n = reader.run(Interest::READABLE, read).await.unwrap();
        (n, byte)
    });
    writer.write_all(b"x").unwrap();
    wanted.recv().unwrap();
    writer.write_all(b"y").unwrap();
    assert_eq!(runtime.block_on(reading).unwrap(), (2, *b"xy"));

    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let error = rt.async_fd(file, Interest::READABLE).unwrap_err();
    assert_eq!(error.1.kind(), std::io::ErrorKind::PermissionDenied);
}
