//! One client: reads its requests, writes the replies, and delivers messages of its subscriptions.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::command;
use crate::pubsub::{Kind, Message, Subscriber};
use crate::resp::{Decoder, Limits, Reply, Request};
use crate::shared::Shared;

/// Room for one read.
const READ: usize = 16 * 1024;
/// Replies are written when they reach this size, or when no more requests are available.
const WRITE: usize = 64 * 1024;

pub struct Connection {
    stream: TcpStream,
    shared: Arc<Shared>,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
    /// Present from the first subscription on.
    subscriber: Option<Subscriber>,
}

/// Whether to continue with a client.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

impl Connection {
    pub fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        Self {
            stream,
            shared,
            decoder: Decoder::new(Limits::default()),
            input: BytesMut::new(),
            output: BytesMut::new(),
            subscriber: None,
        }
    }

    // ANCHOR: run
    /// Serves until the client leaves or `stop` is signalled. Requests that were read by then are
    /// answered.
    pub async fn run(mut self, mut stop: watch::Receiver<()>) -> io::Result<()> {
        loop {
            self.input.reserve(READ);
            // All of these are cancel-safe.
            tokio::select! {
                read = self.stream.read_buf(&mut self.input) => match read? {
                    0 => return Ok(()),
                    _ => if self.answer().await? == Next::Close {
                        return self.close().await;
                    },
                },
                message = next_message(&mut self.subscriber) => self.deliver(message?).await?,
                // It ends when the server drops its end.
                _ = stop.changed() => return self.close().await,
            }
        }
    }
    // ANCHOR_END: run

    // ANCHOR: answer
    /// Answers all requests that have arrived. A pipeline of requests takes few writes.
    async fn answer(&mut self) -> io::Result<Next> {
        let next = loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(request)) => {
                    if self.handle(&request) == Next::Close {
                        break Next::Close;
                    }
                    if self.output.len() >= WRITE {
                        self.flush().await?;
                    }
                }
                Ok(None) => break Next::GoOn,
                Err(error) => {
                    self.reply(Reply::Error(format!("ERR {error}")));
                    self.close().await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        };
        self.flush().await?;
        Ok(next)
    }
    // ANCHOR_END: answer

    fn handle(&mut self, request: &Request) -> Next {
        let Some((name, arguments)) = request.split_first() else {
            return Next::GoOn;
        };
        let is = |command: &str| name.eq_ignore_ascii_case(command.as_bytes());
        let listening = self.subscriber.as_ref().is_some_and(|all| all.count() > 0);
        if is("subscribe") {
            self.subscribe(Kind::Channel, "subscribe", arguments);
        } else if is("psubscribe") {
            self.subscribe(Kind::Pattern, "psubscribe", arguments);
        } else if is("unsubscribe") {
            self.unsubscribe(Kind::Channel, "unsubscribe", arguments);
        } else if is("punsubscribe") {
            self.unsubscribe(Kind::Pattern, "punsubscribe", arguments);
        } else if is("quit") {
            self.reply(Reply::OK);
            return Next::Close;
        } else if !listening {
            let reply = command::run(&self.shared, name, arguments);
            self.reply(reply);
        } else if is("ping") {
            // In the format of a message, because a subscribed client expects messages only.
            let text = arguments.first().cloned().unwrap_or_default();
            self.reply(Reply::Array(vec![Reply::bulk("pong"), Reply::Bulk(text)]));
        } else {
            self.reply(Reply::Error(format!(
                "ERR Can't execute '{}': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT are allowed in this context",
                name[..name.len().min(128)].escape_ascii()
            )));
        }
        Next::GoOn
    }

    fn subscribe(&mut self, kind: Kind, verb: &'static str, names: &[Bytes]) {
        if names.is_empty() {
            return self.reply(command::wrong_arity(verb));
        }
        for name in names {
            let hub = &self.shared.hub;
            let subscriber = self
                .subscriber
                .get_or_insert_with(|| Subscriber::new(hub.clone()));
            subscriber.subscribe(kind, name);
            let count = subscriber.count();
            self.reply(subscription(verb, Some(name), count));
        }
    }

    /// Without names it unsubscribes from all of them.
    fn unsubscribe(&mut self, kind: Kind, verb: &'static str, names: &[Bytes]) {
        let all: Vec<Bytes>;
        let names = match (&self.subscriber, names) {
            (Some(subscriber), []) => {
                all = subscriber.names(kind).cloned().collect();
                &all
            }
            _ => names,
        };
        if names.is_empty() {
            let count = self.subscriber.as_ref().map_or(0, Subscriber::count);
            return self.reply(subscription(verb, None, count));
        }
        for name in names {
            let count = self.subscriber.as_mut().map_or(0, |subscriber| {
                subscriber.unsubscribe(kind, name);
                subscriber.count()
            });
            self.reply(subscription(verb, Some(name), count));
        }
    }

    /// Writes a message and those that are queued behind it.
    async fn deliver(&mut self, first: Message) -> io::Result<()> {
        let mut next = Some(first);
        while let Some(message) = next {
            self.reply(published(message));
            next = match &mut self.subscriber {
                Some(subscriber) if self.output.len() < WRITE => subscriber.try_next(),
                _ => None,
            };
        }
        self.flush().await
    }

    fn reply(&mut self, reply: Reply) {
        reply.encode(&mut self.output);
    }

    async fn flush(&mut self) -> io::Result<()> {
        tokio::select! {
            written = self.stream.write_all_buf(&mut self.output) => written?,
            // Otherwise it would wait for as long as the client does not read.
            () = overflow(&self.subscriber) => return Err(too_slow()),
        }
        if self.output.capacity() > 4 * WRITE {
            // Releases the memory of an exceptionally long reply.
            self.output = BytesMut::new();
        }
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.shutdown().await
    }
}

/// Pends while there is no subscriber.
async fn next_message(subscriber: &mut Option<Subscriber>) -> io::Result<Message> {
    match subscriber {
        Some(subscriber) => subscriber.next().await.ok_or_else(too_slow),
        None => std::future::pending().await,
    }
}

/// Pends while there is no subscriber.
async fn overflow(subscriber: &Option<Subscriber>) {
    match subscriber {
        Some(subscriber) => subscriber.overflowed().await,
        None => std::future::pending().await,
    }
}

fn too_slow() -> io::Error {
    io::Error::other("dropped: it does not read what it subscribed to")
}

fn subscription(verb: &'static str, name: Option<&Bytes>, count: usize) -> Reply {
    let name = name.map_or(Reply::Null, |name| Reply::Bulk(name.clone()));
    Reply::Array(vec![Reply::bulk(verb), name, Reply::Integer(count as i64)])
}

fn published(message: Message) -> Reply {
    let (channel, payload) = (Reply::Bulk(message.channel), Reply::Bulk(message.payload));
    Reply::Array(match message.pattern {
        None => vec![Reply::bulk("message"), channel, payload],
        Some(pattern) => vec![
            Reply::bulk("pmessage"),
            Reply::Bulk(pattern),
            channel,
            payload,
        ],
    })
}
