//! A client, which tries one server after another until it receives an answer.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::message::{Command, Operation, Reply, Request, call};

/// The time-out of a server, and the pause before the next one.
const ATTEMPT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Executes one command after another.
#[derive(Debug)]
pub struct Client {
    /// Unique among all clients.
    name: String,
    addresses: Vec<String>,
    number: u64,
    /// The server that answered last.
    server: usize,
}

impl Client {
    pub fn new(name: &str, addresses: &[String]) -> Self {
        Self {
            name: name.to_owned(),
            addresses: addresses.to_vec(),
            number: 0,
            server: 0,
        }
    }

    /// Adds text to a value. Returns the new value.
    pub async fn append(&mut self, key: &str, text: &str) -> String {
        self.command(Operation::Append {
            key: key.to_owned(),
            text: text.to_owned(),
        })
        .await
    }

    /// Reads a value; empty if there is none.
    pub async fn get(&mut self, key: &str) -> String {
        self.command(Operation::Get {
            key: key.to_owned(),
        })
        .await
    }

    async fn command(&mut self, operation: Operation) -> String {
        self.number += 1;
        let request = Request::Command(Command {
            client: self.name.clone(),
            number: self.number,
            operation,
        });
        loop {
            let address = &self.addresses[self.server];
            if let Ok(Ok(Reply::Value(value))) = timeout(ATTEMPT, call(address, &request)).await {
                return value;
            }
            self.server = (self.server + 1) % self.addresses.len();
            sleep(PAUSE).await;
        }
    }
}
