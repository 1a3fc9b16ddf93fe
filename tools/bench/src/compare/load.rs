//! The client: many connections on one thread over bare epoll, so that its cost is minimal and the
//! same for all.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyrt_bench::work::Dialogue;
use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};
use serde::{Deserialize, Serialize};

/// The work of a client.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) time: Duration,
}

/// The requests and their rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// Each connection sends the next request when it has its answer.
    Closed,
    /// This many requests per second, whether or not the server keeps up. Latency counts from the
    /// due time of a request, so requests that wait behind a slow answer are included.
    Open(u32),
}

/// The results of a client.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// A minute, in nanoseconds; longer latencies count as that.
const LONGEST: u64 = 60_000_000_000;

struct Connection {
    stream: TcpStream,
    /// The due time of the request in flight.
    due: Option<Instant>,
    received: usize,
}

struct Client {
    connections: Vec<Connection>,
    epoll: std::os::fd::OwnedFd,
    request: Vec<u8>,
    answer: usize,
    latencies: Histogram<u64>,
    requests: u64,
    /// Requests before this time do not count.
    counts_from: Instant,
}

/// Sends requests for `warm_up`, which does not count, and then for the measured time.
pub(crate) fn run(
    address: SocketAddr,
    dialogue: Dialogue,
    ask: Ask,
    warm_up: Duration,
) -> io::Result<Load> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut all = Vec::with_capacity(ask.connections);
    for index in 0..ask.connections {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&epoll, &stream, data, epoll::EventFlags::IN)?;
        all.push(Connection {
            stream,
            due: None,
            received: 0,
        });
    }
    let begin = Instant::now();
    let mut client = Client {
        connections: all,
        epoll,
        request: dialogue.request(),
        answer: dialogue.answer_length(),
        latencies: Histogram::new_with_max(LONGEST, 3).map_err(io::Error::other)?,
        requests: 0,
        counts_from: begin + warm_up,
    };
    let end = client.counts_from + ask.time;
    match ask.pace {
        Pace::Closed => client.closed(end)?,
        Pace::Open(rate) => client.open(begin, end, rate)?,
    }
    let at = |quantile| client.latencies.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Load {
        requests: client.requests,
        seconds: client.counts_from.elapsed().as_secs_f64(),
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: client.latencies.max() as f64 / 1e3,
    })
}

impl Client {
    fn closed(&mut self, end: Instant) -> io::Result<()> {
        for index in 0..self.connections.len() {
            self.ask(index, Instant::now())?;
        }
        while Instant::now() < end {
            for index in self.answered(Some(Duration::from_millis(100)))? {
                self.ask(index, Instant::now())?;
            }
        }
        Ok(())
    }

    fn open(&mut self, begin: Instant, end: Instant, rate: u32) -> io::Result<()> {
        let period = Duration::from_secs(1) / rate.max(1);
        let mut due = begin;
        let mut free: Vec<usize> = (0..self.connections.len()).collect();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            // A request that finds no free connection stays due.
            while due <= now {
                let Some(index) = free.pop() else { break };
                self.ask(index, due)?;
                due += period;
            }
            // A request that is late for lack of a connection needs an answer; one that is not yet
            // due needs time.
            // Waits are multiples of the kernel's clock step, so the last step is spent in the
            // loop.
            let wait = if due <= now {
                Some(Duration::from_millis(100))
            } else {
                Some(
                    due.saturating_duration_since(now)
                        .min(Duration::from_micros(50)),
                )
            };
            free.extend(self.answered(wait)?);
        }
    }

    fn ask(&mut self, index: usize, due: Instant) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.due = Some(due);
        connection.received = 0;
        // It fits into an empty socket buffer.
        connection.stream.write_all(&self.request)
    }

    /// The connections that have their whole answer.
    fn answered(&mut self, wait: Option<Duration>) -> io::Result<Vec<usize>> {
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); 256];
        let timeout = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let (ready, _) = match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok(events) => events,
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut answered = Vec::with_capacity(ready.len());
        for event in ready.iter() {
            let index = usize::try_from(event.data.u64()).unwrap_or(0);
            let connection = &mut self.connections[index];
            let mut buffer = [0; 4096];
            match connection.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => connection.received += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if connection.received >= self.answer
                && let Some(due) = connection.due.take()
            {
                answered.push(index);
                let now = Instant::now();
                if now >= self.counts_from {
                    self.requests += 1;
                    let nanos = now.saturating_duration_since(due).as_nanos();
                    self.latencies
                        .saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
                }
            }
        }
        Ok(answered)
    }
}
