//! Prometheus metrics of requests and of the runtime, at `/metrics`.
//!
//! Use it in every service: counters and histograms of requests, and gauges of the runtime, which
//! are read on request. What guides miss: a label with an id in it makes a time series per id; a
//! gauge that is lowered at the end of a function stays up when the future is dropped, so a guard
//! must do it; averages hide what a histogram shows.

use std::sync::Arc;

use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::Handle;
use anyrt::task::JoinSet;
use anyrt::time::{Duration, Instant, timeout};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = anyrt::spawn(serve(listener, Arc::clone(&metrics)));

    let mut clients = JoinSet::new();
    for number in 0..30 {
        let path = if number % 3 == 0 {
            format!("/missing/{number}")
        } else {
            "/".into()
        };
        clients.spawn(async move { get(address, &path).await });
    }
    while let Some(answer) = clients.join_next().await {
        answer??;
    }
    // A request whose client gives up: it is dropped, and the gauge goes down nevertheless.
    assert!(
        timeout(
            Duration::from_millis(5),
            metrics.measure("/slow", std::future::pending())
        )
        .await
        .is_err()
    );

    let page = get(address, "/metrics").await?;
    for line in [
        r#"requests_total{route="/",status="200"} 20"#,
        r#"requests_total{route="other",status="404"} 10"#,
        r#"request_seconds_count 30"#,
        r#"in_flight 0"#,
    ] {
        assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
    }
    assert!(page.contains("\nruntime_alive_tasks "));
    server.abort();
    println!(
        "metrics: {} lines, 30 requests counted, none in flight",
        page.lines().count()
    );
    Ok(())
}

// ANCHOR: metrics
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Request {
    /// The route, of which there are few. Never the path: clients can send any number of them.
    route: &'static str,
    status: u16,
}

struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
    tasks: Gauge,
    workers: Gauge,
}

impl Metrics {
    fn new() -> Self {
        let mut this = Self {
            registry: Registry::default(),
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_1, 4.0, 8)),
            in_flight: Gauge::default(),
            tasks: Gauge::default(),
            workers: Gauge::default(),
        };
        let registry = &mut this.registry;
        registry.register("requests", "Requests answered", this.requests.clone());
        registry.register("request_seconds", "Time to answer", this.seconds.clone());
        registry.register(
            "in_flight",
            "Requests being answered",
            this.in_flight.clone(),
        );
        registry.register(
            "runtime_alive_tasks",
            "Tasks that have not ended",
            this.tasks.clone(),
        );
        registry.register("runtime_workers", "Workers", this.workers.clone());
        this
    }

    async fn measure(&self, route: &'static str, work: impl Future<Output = u16>) -> u16 {
        struct InFlight<'a>(&'a Gauge);
        impl Drop for InFlight<'_> {
            fn drop(&mut self) {
                self.0.dec();
            }
        }
        self.in_flight.inc();
        let _in_flight = InFlight(&self.in_flight);
        let begin = Instant::now();
        let status = work.await;
        self.seconds.observe(begin.elapsed().as_secs_f64());
        self.requests
            .get_or_create(&Request { route, status })
            .inc();
        status
    }

    /// Returns the page. The runtime's numbers are read now, so no task has to refresh them.
    fn page(&self) -> Result<String, std::fmt::Error> {
        let runtime = Handle::current().metrics();
        self.tasks.set(runtime.num_alive_tasks() as i64);
        self.workers.set(runtime.num_workers() as i64);
        let mut page = String::new();
        encode(&mut page, &self.registry)?;
        Ok(page)
    }
}
// ANCHOR_END: metrics

async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    while let Ok((stream, _)) = listener.accept().await {
        let metrics = Arc::clone(&metrics);
        anyrt::spawn(async move { answer(stream, &metrics).await });
    }
}

/// Just enough HTTP for this recipe. A service uses a crate for it.
async fn answer(mut stream: TcpStream, metrics: &Metrics) -> anyhow::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let request = String::from_utf8(request)?;
    let (route, body) = match request.split(' ').nth(1) {
        Some("/metrics") => ("/metrics", metrics.page()?),
        Some("/") => ("/", "hello".into()),
        _ => ("other", String::new()),
    };
    let status = if route == "other" { 404 } else { 200 };
    if route != "/metrics" {
        metrics.measure(route, async { status }).await;
    }
    let head = format!(
        "HTTP/1.1 {status} \r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    Ok(())
}

async fn get(address: std::net::SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .ok_or_else(|| anyhow::anyhow!("no end of head"))?;
    Ok(body.to_string())
}
