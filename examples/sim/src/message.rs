//! The messages on the network and on the disk: JSON, on the network preceded by its length.

use std::collections::BTreeMap;
use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An operation on the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// The first entry of a new leader.
    Nothing,
    /// Adds the text to the value.
    Append { key: String, text: String },
    /// Reads the value.
    Get { key: String },
}

/// An operation of a client, which repeats it under the same number until it receives an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub client: String,
    pub number: u64,
    pub operation: Operation,
}

impl Command {
    /// Returns the first command of a new leader.
    pub fn nothing() -> Self {
        Self {
            client: String::new(),
            number: 0,
            operation: Operation::Nothing,
        }
    }
}

/// A place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub index: u64,
    pub term: u64,
    pub command: Command,
}

/// The data after the entry with that index; it replaces the log up to there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub index: u64,
    pub term: u64,
    pub values: BTreeMap<String, String>,
    /// The last command of each client, with its answer.
    pub answered: BTreeMap<String, (u64, String)>,
}

/// Requests a vote in a term; the log of the candidate ends with that index and term.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidacy {
    pub term: u64,
    pub candidate: usize,
    pub last: (u64, u64),
}

/// The leader's entries after the one with that index and term; an empty list is a heartbeat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct News {
    pub term: u64,
    pub after: (u64, u64),
    pub entries: Vec<Entry>,
    pub commit: u64,
}

/// A request to a server, from another server or from a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    Vote(Candidacy),
    Append(News),
    /// Sent in a term, to a server that lacks entries which the leader no longer has.
    Install(u64, Snapshot),
    Command(Command),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    Vote {
        term: u64,
        granted: bool,
    },
    /// The index up to which the log equals the leader's; `None` if the entry before the new ones
    /// is missing.
    Append {
        term: u64,
        same: Option<u64>,
    },
    /// The value after the command.
    Value(String),
    /// This server cannot answer; try another one, or repeat the request.
    Unknown,
}

/// Longer messages are invalid.
const LIMIT: u32 = 1 << 20;

/// Sends a request over a new connection.
pub async fn call(address: &str, request: &Request) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    send(&mut stream, request).await?;
    receive(&mut stream).await
}

pub async fn send(stream: &mut TcpStream, message: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let mut frame = (text.len() as u32).to_be_bytes().to_vec();
    frame.extend(text);
    stream.write_all(&frame).await
}

pub async fn receive<T: DeserializeOwned>(stream: &mut TcpStream) -> io::Result<T> {
    let len = stream.read_u32().await?;
    if len > LIMIT {
        return Err(io::Error::other(format!("a message of {len} bytes")));
    }
    let mut text = vec![0; len as usize];
    stream.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}
