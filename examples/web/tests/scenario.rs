//! A program with crates that were written for Tokio: HTTP/1 and 2, TLS, gRPC, WebSockets, SQL,
//! Redis, and a graceful shutdown. At the end it checks that no thread of Tokio was started.
//!
//! `ANYRT_BACKEND` selects the runtime.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use anyrt_web::{NewNote, Note, open, service};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::{get, post};
use futures_util::{StreamExt, TryStreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, Version};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Backend, Handle};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_tungstenite::tungstenite::Message;
use tonic::transport::{ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::main]
async fn main() -> Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("no provider of cryptography yet")?;
    let backend = Handle::current().backend();
    told("notes by HTTP/1 and a WebSocket", notes().await)?;
    told("a stream by HTTP/1", stream().await)?;
    told("HTTP/2 over TLS", https().await)?;
    told("gRPC over TLS", grpc().await)?;
    told("a graceful shutdown", graceful().await)?;
    told("Redis", redis().await)?;
    told("threads", threads(backend))?;
    told("the example", example().await)?;
    println!("all of it on {backend}");
    Ok(())
}

fn told(what: &'static str, result: Result<()>) -> Result<()> {
    result.context(what)?;
    println!("  {what}");
    Ok(())
}

/// A server on a free port, until it is stopped.
struct Serving {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Serving {
    async fn new(router: Router) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            let _ = stopped.await;
        });
        Ok(Self {
            address,
            stop,
            server: tokio::spawn(server.into_future()),
        })
    }

    async fn end(self) -> Result<()> {
        let _ = self.stop.send(());
        Ok(self.server.await??)
    }
}

fn client() -> Result<Client> {
    Ok(Client::builder().no_proxy().build()?)
}

/// axum, sqlx, reqwest, tokio-tungstenite.
async fn notes() -> Result<()> {
    const NOTES: usize = 40;
    let dir = tempfile::tempdir()?;
    let pool = open(&dir.path().join("notes.db")).await?;
    let serving = Serving::new(service(pool.clone())).await?;
    let url = format!("http://{}/notes", serving.address);
    let (mut listener, _) =
        tokio_tungstenite::connect_async(format!("ws://{}/added", serving.address)).await?;

    let client = client()?;
    let mut adding = JoinSet::new();
    for n in 0..NOTES {
        let text = format!("note {n}");
        let request = client.post(&url).json(&NewNote { text });
        adding.spawn(async move {
            request
                .send()
                .await?
                .error_for_status()?
                .json::<Note>()
                .await
        });
    }
    let mut added = Vec::new();
    while let Some(note) = adding.join_next().await {
        added.push(note??.text);
    }
    let mut heard = Vec::new();
    while heard.len() < NOTES {
        match listener.next().await.context("it goes on")?? {
            Message::Text(text) => heard.push(text.to_string()),
            other => bail!("a message {other:?}"),
        }
    }
    listener.close(None).await?;
    let kept: Vec<Note> = client.get(&url).send().await?.json().await?;
    let mut kept: Vec<_> = kept.into_iter().map(|note| note.text).collect();
    for texts in [&mut added, &mut heard, &mut kept] {
        texts.sort();
    }
    ensure!(added == heard && added == kept && kept.len() == NOTES);
    serving.end().await?;
    pool.close().await;
    Ok(())
}

/// A body that is returned while it is still being sent, so the server must not wait for all of it.
async fn stream() -> Result<()> {
    let echo = post(async |body: Body| Body::from_stream(body.into_data_stream()));
    let serving = Serving::new(Router::new().route("/", echo)).await?;
    let mut socket = TcpStream::connect(serving.address).await?;
    let (mut read, mut write) = socket.split();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    write
        .write_all(b"POST / HTTP/1.1\r\nhost: here\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    for n in 0..20 {
        let word = format!("<{n:05}>");
        let chunk = format!("{:x}\r\n{word}\r\n", word.len());
        write.write_all(chunk.as_bytes()).await?;
        while !String::from_utf8_lossy(&answer).contains(&word) {
            ensure!(read.read_buf(&mut answer).await? > 0, "it ended early");
        }
    }
    write.write_all(b"0\r\n\r\n").await?;
    read.read_to_end(&mut answer).await?;
    ensure!(answer.ends_with(b"0\r\n\r\n"));
    serving.end().await
}

struct Tls {
    certificate: String,
    key: String,
    server: TlsAcceptor,
}

fn tls() -> Result<Tls> {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            key.map_err(|why| anyhow::anyhow!(why))?,
        )?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Tls {
        certificate: cert.pem(),
        key: signing_key.serialize_pem(),
        server: TlsAcceptor::from(Arc::new(config)),
    })
}

/// hyper-util serves over tokio-rustls, reqwest sends all requests on one connection.
async fn https() -> Result<()> {
    let tls = tls()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let count = post(async |body: Bytes| body.len().to_string());
    let router = TowerToHyperService::new(Router::new().route("/", count));
    let connections = Arc::new(AtomicUsize::new(0));
    let accepted = connections.clone();
    let (stop, mut stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let graceful = GracefulShutdown::new();
        let mut serving = JoinSet::new();
        loop {
            let socket = tokio::select! {
                accepted = listener.accept() => accepted?.0,
                _ = &mut stopped => break,
            };
            accepted.fetch_add(1, Ordering::Relaxed);
            let (tls, router, watcher) = (tls.server.clone(), router.clone(), graceful.watcher());
            serving.spawn(async move {
                let io = TokioIo::new(tls.accept(socket).await.expect("a handshake"));
                let builder = auto::Builder::new(TokioExecutor::new());
                let connection = builder.serve_connection(io, router).into_owned();
                watcher.watch(connection).await
            });
        }
        graceful.shutdown().await;
        while let Some(served) = serving.join_next().await {
            let _ = served?;
        }
        std::io::Result::Ok(())
    });

    let client = Client::builder()
        .no_proxy()
        .tls_certs_only([Certificate::from_pem(tls.certificate.as_bytes())?])
        .resolve("localhost", address)
        .build()?;
    let url = format!("https://localhost:{}/", address.port());
    client.post(&url).body("first").send().await?;
    let mut asking = JoinSet::new();
    for n in 0..20 {
        let size = n * 10_000;
        let request = client.post(&url).body(vec![b'x'; size]);
        asking.spawn(async move {
            let answer = request.send().await?;
            ensure!(answer.version() == Version::HTTP_2);
            ensure!(answer.text().await? == size.to_string());
            Ok(())
        });
    }
    while let Some(answered) = asking.join_next().await {
        answered??;
    }
    drop(client);
    let _ = stop.send(());
    server.await??;
    ensure!(connections.load(Ordering::Relaxed) == 1);
    Ok(())
}

/// tonic as client and server, with TLS: one call, and a stream of changes.
async fn grpc() -> Result<()> {
    let Tls {
        certificate, key, ..
    } = tls()?;
    let (reporter, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let identity = Identity::from_pem(&certificate, key);
    let server = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))?
        .add_service(health)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async {
            let _ = stopped.await;
        });
    let server = tokio::spawn(server);

    let config = ClientTlsConfig::new()
        .ca_certificate(tonic::transport::Certificate::from_pem(certificate))
        .domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{address}"))?.tls_config(config)?;
    let mut client = HealthClient::new(endpoint.connect().await?);
    let request = || HealthCheckRequest {
        service: "notes".to_owned(),
    };
    ensure!(client.check(request()).await.is_err(), "not known yet");
    reporter
        .set_service_status("notes", ServingStatus::NotServing)
        .await;
    let mut seen = client.watch(request()).await?.into_inner();
    seen.try_next().await?.context("the state at the start")?;
    for status in [
        ServingStatus::Serving,
        ServingStatus::NotServing,
        ServingStatus::Serving,
    ] {
        reporter.set_service_status("notes", status).await;
        let told = seen.try_next().await?.context("a change")?;
        ensure!(told.status == status as i32);
        ensure!(client.check(request()).await?.into_inner().status == status as i32);
    }
    drop((seen, client));
    let _ = stop.send(());
    server.await??;
    Ok(())
}

/// A request in progress at the shutdown is answered, and no new connection is accepted.
async fn graceful() -> Result<()> {
    #[derive(Clone)]
    struct Gate {
        inside: mpsc::Sender<()>,
        open: Arc<Notify>,
    }
    let (inside, mut is_inside) = mpsc::channel(1);
    let open = Arc::new(Notify::new());
    let gate = Gate {
        inside,
        open: open.clone(),
    };
    let wait = get(async |State(gate): State<Gate>| {
        let _ = gate.inside.send(()).await;
        gate.open.notified().await;
        "through"
    });
    let serving = Serving::new(Router::new().route("/", wait).with_state(gate)).await?;
    let address = serving.address;
    let request = client()?.get(format!("http://{address}")).send();
    let request = tokio::spawn(request);
    is_inside.recv().await.context("the request")?;
    let ending = tokio::spawn(serving.end());
    // The listener is closed when a connection is refused.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    ensure!(!ending.is_finished());
    open.notify_one();
    ensure!(request.await??.text().await? == "through");
    ending.await?
}

/// The program of this package, which sends requests to itself.
async fn example() -> Result<()> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_anyrt-web"));
    let output = command.output().await?;
    print!("  {}", String::from_utf8_lossy(&output.stdout));
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}

/// A server that ends with the test.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Redis {
    /// Returns nothing if it is not installed.
    fn start(dir: &Path) -> Result<Option<Self>> {
        let command = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(dir.join("socket"))
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn();
        let mut redis = match command {
            Ok(child) => Self(child),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let output = redis.0.stdout.take().context("its output")?;
        let mut lines = BufReader::new(output).lines();
        for line in &mut lines {
            if line?.contains("eady to accept connections") {
                // The server continues to write.
                std::thread::spawn(move || lines.count());
                return Ok(Some(redis));
            }
        }
        bail!("redis-server ended")
    }
}

/// A pipeline, many commands at once on one connection, and messages to a subscriber.
async fn redis() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(_server) = Redis::start(dir.path())? else {
        eprintln!("WARNING: redis-server is not installed; redis IS NOT TESTED");
        return Ok(());
    };
    let url = format!("redis+unix://{}", dir.path().join("socket").display());
    let client = ::redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let mut pipe = ::redis::pipe();
    pipe.atomic().set("a", 40).ignore().incr("a", 2);
    let (sum,): (i64,) = pipe.query_async(&mut connection).await?;
    ensure!(sum == 42);
    let mut counting = JoinSet::new();
    for _ in 0..100 {
        let mut connection = connection.clone();
        counting.spawn(async move {
            let mut command = ::redis::cmd("INCR");
            command
                .arg("count")
                .query_async::<i64>(&mut connection)
                .await
        });
    }
    let mut counts = Vec::new();
    while let Some(count) = counting.join_next().await {
        counts.push(count??);
    }
    counts.sort_unstable();
    ensure!(counts == (1..=100).collect::<Vec<_>>());

    let mut subscriber = client.get_async_pubsub().await?;
    subscriber.subscribe("news").await?;
    for n in 0..20 {
        let mut publish = ::redis::cmd("PUBLISH");
        publish.arg("news").arg(n);
        let receivers: i64 = publish.query_async(&mut connection).await?;
        ensure!(receivers == 1);
    }
    let mut news = subscriber.on_message();
    for n in 0..20 {
        let message = news.next().await.context("a message")?;
        ensure!(message.get_payload::<i64>()? == n);
    }
    Ok(())
}

/// Checks that only threads of the backend exist. Threads of Tokio itself have Tokio's name.
fn threads(backend: Backend) -> Result<()> {
    let mut names = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").context("Linux")? {
        names.push(
            std::fs::read_to_string(thread?.path().join("comm"))?
                .trim()
                .to_owned(),
        );
    }
    println!("  {}", names.join(" "));
    let of = |name: &str| names.iter().any(|thread| thread.starts_with(name));
    ensure!(
        !of("tokio-rt") && !of("tokio-runtime"),
        "a runtime of Tokio's own"
    );
    for other in [
        Backend::Tokio,
        Backend::Smol,
        Backend::AsyncStd,
        Backend::Glommio,
    ] {
        let name = format!("anyrt-{other}");
        ensure!(
            of(&name) == (other == backend),
            "threads of {other} on {backend}"
        );
    }
    Ok(())
}
