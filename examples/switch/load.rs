//! The judge: plain threads that send requests, check every byte of every reply, and measure the
//! time.

use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::service::{GET, HASH, OK, PUT, fnv1a};

pub const PAYLOAD: usize = 1024;
/// A later reply is an error.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this number of rounds of put and get, the service also hashes.
const HASH_EVERY: u64 = 16;

pub struct Report {
    elapsed: Duration,
    latency: Histogram<u64>,
    pub errors: u64,
    /// The first errors of a few connections.
    pub messages: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.latency.len() as f64 / self.elapsed.as_secs_f64();
        let micros = |quantile| self.latency.value_at_quantile(quantile) as f64 / 1000.0;
        write!(
            f,
            "{per_second:>12.0} {:>10.1} {:>10.1} {:>10.1} {:>8}",
            micros(0.5),
            micros(0.99),
            micros(0.999),
            self.errors
        )
    }
}

struct Shared {
    stop: AtomicBool,
    done: AtomicU64,
}

/// Drives the service at `address` for `duration`, over `connections` at once.
pub fn drive(name: &str, address: SocketAddr, connections: usize, duration: Duration) -> Report {
    let shared = Shared {
        stop: AtomicBool::new(false),
        done: AtomicU64::new(0),
    };
    let start = Instant::now();
    let results: Vec<_> = thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|index| {
                let shared = &shared;
                scope.spawn(move || {
                    let mut latency = new_histogram();
                    let result = client(index as u64, address, shared, &mut latency);
                    (latency, result)
                })
            })
            .collect();
        progress(name, start, duration, &shared);
        shared.stop.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join()).collect()
    });
    let mut report = Report {
        elapsed: start.elapsed(),
        latency: new_histogram(),
        errors: 0,
        messages: Vec::new(),
    };
    for (index, result) in results.into_iter().enumerate() {
        let error = match result {
            Ok((latency, result)) => {
                // Both have the same bounds, so every value fits.
                let _ = report.latency.add(latency);
                result.err().map(|error| error.to_string())
            }
            Err(_) => Some("the client panicked".to_owned()),
        };
        if let Some(error) = error {
            report.errors += 1;
            if report.messages.len() < 3 {
                report.messages.push(format!("connection {index}: {error}"));
            }
        }
    }
    report
}

fn new_histogram() -> Histogram<u64> {
    // One nanosecond to one minute, with three digits.
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are valid")
}

fn progress(name: &str, start: Instant, duration: Duration, shared: &Shared) {
    let terminal = io::stderr().is_terminal();
    let step = if terminal { 200 } else { 1000 };
    while start.elapsed() < duration {
        thread::sleep(Duration::from_millis(step).min(duration.saturating_sub(start.elapsed())));
        let line = format!(
            "{name:<10} {:4.1} of {:.1} s, {} requests",
            start.elapsed().as_secs_f64().min(duration.as_secs_f64()),
            duration.as_secs_f64(),
            shared.done.load(Ordering::Relaxed)
        );
        if terminal {
            eprint!("\r{line}   ");
        } else {
            eprintln!("{line}");
        }
    }
    if terminal {
        eprintln!();
    }
}

fn client(
    index: u64,
    address: SocketAddr,
    shared: &Shared,
    latency: &mut Histogram<u64>,
) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut payload = vec![0; PAYLOAD];
    let mut round = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let key = (index << 32) | (round % 64);
        fill(&mut payload, (index << 32) | round);
        let mut ask = |operation, body: &[u8], expected: &[u8]| -> io::Result<()> {
            let start = Instant::now();
            let reply = call(&mut stream, operation, key, body)?;
            latency.saturating_record(start.elapsed().as_nanos().try_into().unwrap_or(u64::MAX));
            shared.done.fetch_add(1, Ordering::Relaxed);
            check(&reply, expected)
        };
        ask(PUT, &payload, &[])?;
        ask(GET, &[], &payload)?;
        if round % HASH_EVERY == 0 {
            ask(HASH, &[], &fnv1a(&payload).to_be_bytes())?;
        }
        round += 1;
    }
    Ok(())
}

fn call(stream: &mut TcpStream, operation: u8, key: u64, body: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(1 + 8 + body.len()).map_err(io::Error::other)?;
    let mut request = Vec::with_capacity(4 + length as usize);
    request.extend_from_slice(&length.to_be_bytes());
    request.push(operation);
    request.extend_from_slice(&key.to_be_bytes());
    request.extend_from_slice(body);
    stream.write_all(&request)?;

    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

fn check(reply: &[u8], expected: &[u8]) -> io::Result<()> {
    match reply.split_first() {
        Some((&OK, payload)) if payload == expected => Ok(()),
        Some((&OK, _)) => Err(io::Error::other("a reply has wrong bytes")),
        Some((status, _)) => Err(io::Error::other(format!("a reply has status {status}"))),
        None => Err(io::Error::other("a reply is empty")),
    }
}

/// Bytes that differ for every `seed` (xorshift64*, <https://doi.org/10.18637/jss.v008.i14>).
fn fill(payload: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for chunk in payload.chunks_mut(8) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let word = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}
