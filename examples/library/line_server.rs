//! The library: answers lines over TCP, on the runtime that it is given.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyrt_core::error::ShutdownTimeout;
use anyrt_core::net::ToSocketAddrs;
use anyrt_core::shutdown::GracefulShutdown;
use anyrt_core::{JoinHandle, Net, Runtime, TcpListener};
use futures_util::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// A client that sends nothing for this time is disconnected.
const IDLE: Duration = Duration::from_secs(60);
/// The time for clients to finish.
const GRACE: Duration = Duration::from_secs(5);

// ANCHOR: server
pub struct Server<R: Runtime> {
    rt: R,
    listener: R::TcpListener,
}

impl<R: Runtime> Server<R> {
    pub async fn bind(rt: R, address: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = rt.bind_tcp(address).await?;
        Ok(Self { rt, listener })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn start(self) -> Serving<R> {
        let shutdown = GracefulShutdown::new();
        let rt = self.rt.clone();
        let group = shutdown.clone();
        let accepting = shutdown.spawn(&rt, |stop| async move {
            stop.run_until_cancelled(self.accept(&group)).await;
        });
        accepting.detach();
        Serving { rt, shutdown }
    }

    async fn accept(&self, shutdown: &GracefulShutdown) {
        while let Ok((stream, _)) = self.listener.accept().await {
            let rt = self.rt.clone();
            // A broken connection affects no other client, so its error is ignored.
            shutdown.spawn(&self.rt, |_| serve(rt, stream)).detach();
        }
    }
}
// ANCHOR_END: server

pub struct Serving<R: Runtime> {
    rt: R,
    shutdown: GracefulShutdown,
}

impl<R: Runtime> Serving<R> {
    pub async fn stop(self) -> Result<(), ShutdownTimeout> {
        self.shutdown.shutdown(&self.rt, GRACE).await
    }
}

async fn serve<R: Runtime>(rt: R, stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if rt.timeout(IDLE, stream.read_line(&mut line)).await?? == 0 {
            return Ok(());
        }
        let reply = answer(line.trim_end()) + "\n";
        stream.get_mut().write_all(reply.as_bytes()).await?;
    }
}

fn answer(line: &str) -> String {
    match line.split_once(' ') {
        Some(("upper", text)) => text.to_uppercase(),
        Some(("add", numbers)) => numbers
            .split(' ')
            .map(str::parse::<i64>)
            .sum::<Result<i64, _>>()
            .map_or_else(|error| format!("error: {error}"), |sum| sum.to_string()),
        _ => "error: unknown command".to_owned(),
    }
}

pub struct Client<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub async fn connect<R>(rt: &R, address: SocketAddr) -> io::Result<Self>
    where
        R: Net<TcpStream = S>,
    {
        let stream = rt.connect_tcp(address).await?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    pub async fn ask(&mut self, line: &str) -> io::Result<String> {
        let question = format!("{line}\n");
        self.stream.get_mut().write_all(question.as_bytes()).await?;
        let mut reply = String::new();
        self.stream.read_line(&mut reply).await?;
        Ok(reply.trim_end().to_owned())
    }
}
