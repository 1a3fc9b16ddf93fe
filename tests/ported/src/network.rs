//! A store with a line protocol over TCP, an echo over UDP and a local socket, and the messages of
//! errors.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{
    TcpListener, TcpSocket, TcpStream, UdpSocket, UnixListener, UnixStream, lookup_host,
};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Outcome;

pub async fn run() -> Outcome {
    println!("== network");
    store().await?;
    halves().await?;
    sockets().await?;
    datagrams().await?;
    local().await?;
    errors().await
}

type Store = Arc<Mutex<BTreeMap<String, String>>>;

/// Eight clients set, read and count at once. Prints the final contents of the store.
async fn store() -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let store = Store::default();
    let (stop, stopped) = watch::channel(false);
    let server = tokio::spawn(serve(listener, store.clone(), stopped));

    let mut clients = JoinSet::new();
    for number in 0..8 {
        clients.spawn(async move {
            let mut lines = BufReader::new(TcpStream::connect(address).await?);
            let mut answers = Vec::new();
            for request in [
                format!("set name{number} client {number}"),
                format!("get name{number}"),
                "count visits".to_owned(),
                format!("drop name{}", number ^ 100),
                "sing".to_owned(),
            ] {
                lines.write_all(format!("{request}\n").as_bytes()).await?;
                let mut answer = String::new();
                lines.read_line(&mut answer).await?;
                answers.push(answer.trim_end().to_owned());
            }
            // The order of the clients varies from run to run.
            answers.remove(2);
            io::Result::Ok(format!("{number}: {}", answers.join(" | ")))
        });
    }
    let mut told = Vec::new();
    while let Some(answers) = clients.join_next().await {
        told.push(answers??);
    }
    told.sort();
    for line in told {
        println!("{line}");
    }
    stop.send(true)?;
    println!("served {}", server.await??);
    println!("stored {:?}", store.lock().await.iter().last());
    println!("visits {:?}", store.lock().await.get("visits"));
    Ok(())
}

async fn serve(
    listener: TcpListener,
    store: Store,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<usize> {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                sessions.spawn(session(stream, store.clone()));
            }
            _ = stopped.changed() => break,
        }
    }
    let mut ended = 0;
    while let Some(session) = sessions.join_next().await {
        session??;
        ended += 1;
    }
    Ok(ended)
}

async fn session(stream: TcpStream, store: Store) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let mut words = line.splitn(3, ' ');
        let mut store = store.lock().await;
        let answer = match (words.next(), words.next(), words.next()) {
            (Some("set"), Some(key), Some(value)) => {
                store.insert(key.to_owned(), value.to_owned());
                "stored".to_owned()
            }
            (Some("get"), Some(key), None) => {
                store.get(key).cloned().unwrap_or_else(|| "nothing".into())
            }
            (Some("drop"), Some(key), None) => match store.remove(key) {
                Some(_) => "dropped".to_owned(),
                None => "not there".to_owned(),
            },
            (Some("count"), Some(key), None) => {
                let count = store.entry(key.to_owned()).or_default();
                let next = count.parse::<u64>().unwrap_or_default() + 1;
                *count = next.to_string();
                next.to_string()
            }
            _ => format!("unknown: {line}"),
        };
        drop(store);
        write.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Both directions at once over one connection, borrowed and owned halves, and the end of a
/// direction.
async fn halves() -> Outcome {
    const MEGABYTE: usize = 1 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let (mut read, mut write) = stream.split();
        let copied = copy(&mut read, &mut write).await?;
        write.shutdown().await?;
        io::Result::Ok(copied)
    });
    let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
    let sent = tokio::spawn(async move {
        let data: Vec<u8> = (0..MEGABYTE).map(|at| (at % 251) as u8).collect();
        write.write_all(&data).await?;
        write.shutdown().await?;
        io::Result::Ok(write)
    });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await?;
    let whole = received
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte == (at % 251) as u8);
    println!("echo {} of {MEGABYTE}, as sent: {whole}", echo.await??);
    let stream = read.reunite(sent.await??)?;
    println!("reunited, nodelay {}", stream.nodelay()?);
    Ok(())
}

/// Options before and after the connection, peeking, and operations that do not wait.
async fn sockets() -> Outcome {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    socket.bind("127.0.0.1:0".parse()?)?;
    let listener = socket.listen(16)?;
    let (client, server) = tokio::join!(
        TcpStream::connect(listener.local_addr()?),
        listener.accept()
    );
    let (mut client, (mut server, peer)) = (client?, server?);
    println!("peer is who connected: {}", peer == client.local_addr()?);
    client.set_ttl(33)?;
    println!("ttl {} nodelay {}", client.ttl()?, client.nodelay()?);

    let nothing = server.try_read(&mut [0; 8]).map_err(|error| error.kind());
    println!("before anything is sent: {nothing:?}");
    client.write_all(b"hello there").await?;
    server.readable().await?;
    let mut seen = [0; 5];
    let peeked = server.peek(&mut seen).await?;
    println!("peeked {peeked}: {:?}", std::str::from_utf8(&seen)?);
    let mut read = vec![0; 11];
    server.read_exact(&mut read).await?;
    println!("read {:?}", String::from_utf8(read)?);
    drop(client);
    println!("after the end: {}", server.read(&mut [0; 8]).await?);
    Ok(())
}

async fn datagrams() -> Outcome {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    let answers = tokio::spawn(async move {
        let mut buffer = [0; 64];
        for _ in 0..3 {
            let (length, peer) = server.recv_from(&mut buffer).await?;
            buffer[..length].reverse();
            server.send_to(&buffer[..length], peer).await?;
        }
        io::Result::Ok(())
    });
    let client = UdpSocket::bind("127.0.0.1:0").await?;
    client.connect(address).await?;
    for word in ["stressed", "", "level"] {
        client.send(word.as_bytes()).await?;
        let mut buffer = [0; 64];
        let length = timeout(Duration::from_secs(10), client.recv(&mut buffer)).await??;
        println!("{word:?} -> {:?}", std::str::from_utf8(&buffer[..length])?);
    }
    answers.await??;
    Ok(())
}

async fn local() -> Outcome {
    let (mut one, mut other) = UnixStream::pair()?;
    one.write_all(b"through a pair").await?;
    drop(one);
    let mut text = String::new();
    other.read_to_string(&mut text).await?;
    println!("{text}");

    let path = std::env::temp_dir().join(format!("ported-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path)?;
    let (client, server) = tokio::join!(UnixStream::connect(&path), listener.accept());
    let (mut client, (mut server, _)) = (client?, server?);
    client.write_all(b"by name\n").await?;
    let mut line = String::new();
    BufReader::new(&mut server).read_line(&mut line).await?;
    println!(
        "{:?} from ourselves: {}",
        line,
        server.peer_cred()?.pid() == Some(std::process::id().cast_signed())
    );
    std::fs::remove_file(&path)?;
    Ok(())
}

async fn errors() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let again = TcpListener::bind(address).await.map(drop);
    println!("a port twice: {again:?}");
    drop(listener);
    println!(
        "nobody there: {:?}",
        TcpStream::connect(address).await.map(drop)
    );
    let missing = UnixStream::connect("/nowhere/at/all").await.map(drop);
    println!("no such socket: {missing:?}");
    let bad = TcpStream::connect("not an address").await.map(drop);
    println!("no address: {:?}", bad.map_err(|error| error.kind()));
    let mut found: Vec<_> = lookup_host(("127.0.0.1", 80)).await?.collect();
    found.dedup();
    println!("looked up {found:?}");
    Ok(())
}
