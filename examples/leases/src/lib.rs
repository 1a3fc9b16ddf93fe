//! A lock service: the holder of the lease may use the protected resource until the term is over.
//!
//! The code is plain Tokio. The tests run it in a simulation; the guide is `docs/en/simulation.md`.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// How long a lease is valid.
pub const TERM: Duration = Duration::from_millis(200);

/// The lease that was granted last.
#[derive(Default)]
struct Granted {
    number: u64,
    until: Option<Instant>,
}

/// Grants one lease at a time.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let granted = Arc::new(Mutex::new(Granted::default()));
    loop {
        let (stream, _) = listener.accept().await?;
        let granted = Arc::clone(&granted);
        tokio::spawn(async move {
            // A client that is gone needs no answer.
            let _ = answer(stream, &granted).await;
        });
    }
}

async fn answer(stream: TcpStream, granted: &Mutex<Granted>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let answer = decide(line.trim_end(), granted);
        stream.write_all(answer.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

fn decide(question: &str, granted: &Mutex<Granted>) -> String {
    let mut granted = granted.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    match question.split_once(' ') {
        None if question == "take" => {
            if granted.until.is_some_and(|until| now < until) {
                return "taken\n".to_owned();
            }
            granted.number += 1;
            granted.until = Some(now + TERM);
            format!("granted {}\n", granted.number)
        }
        Some(("give", number)) => {
            if number.parse() == Ok(granted.number) {
                granted.until = None;
            }
            "thanks\n".to_owned()
        }
        _ => "what?\n".to_owned(),
    }
}

/// The moment from which a client counts the term of its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// From the request: the server cannot have granted it earlier.
    FromQuestion,
    /// From the answer, when part of the term is already over. This is the bug that the tests find.
    FromAnswer,
}

/// A connection to the server.
pub struct Client {
    stream: BufReader<TcpStream>,
    counts: Counts,
}

/// The right to use the protected resource.
#[derive(Debug)]
pub struct Lease {
    /// Each lease has a higher number than all earlier ones.
    pub number: u64,
    until: Instant,
}

impl Lease {
    /// Returns whether the lease is still valid.
    pub fn is_valid(&self) -> bool {
        Instant::now() < self.until
    }
}

impl Client {
    pub async fn connect(server: &str, counts: Counts) -> io::Result<Self> {
        let stream = BufReader::new(TcpStream::connect(server).await?);
        Ok(Self { stream, counts })
    }

    // ANCHOR: take
    /// Waits for the lease.
    pub async fn take(&mut self) -> io::Result<Lease> {
        loop {
            let asked = Instant::now();
            let answer = self.ask("take\n").await?;
            let begin = match self.counts {
                Counts::FromQuestion => asked,
                Counts::FromAnswer => Instant::now(),
            };
            if let Some(number) = answer.strip_prefix("granted ") {
                let number = number.parse().map_err(io::Error::other)?;
                let until = begin + TERM;
                return Ok(Lease { number, until });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
    // ANCHOR_END: take

    /// Returns the lease before its term is over.
    pub async fn give(&mut self, lease: Lease) -> io::Result<()> {
        self.ask(&format!("give {}\n", lease.number)).await?;
        Ok(())
    }

    async fn ask(&mut self, question: &str) -> io::Result<String> {
        self.stream.write_all(question.as_bytes()).await?;
        let mut answer = String::new();
        match self.stream.read_line(&mut answer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer.trim_end().to_owned()),
        }
    }
}
