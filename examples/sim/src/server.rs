//! The tasks of a server: connections, elections, and messages to each of the others.

use std::io;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::disk::Disk;
use crate::message::{Command, Operation, Reply, Request, call, receive, send};
use crate::node::Node;

/// The interval of a leader's heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// The time-out of another server.
const CALL: Duration = Duration::from_millis(200);
/// The time-out of a client's command.
const COMMAND: Duration = Duration::from_millis(800);

/// The location and the identity of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The number of this server.
    pub me: usize,
    /// The addresses of all servers, in the order of their numbers.
    pub addresses: Vec<String>,
    pub directory: PathBuf,
}

struct Server {
    me: usize,
    addresses: Vec<String>,
    node: Mutex<Node>,
    /// Notified when there are messages for the others.
    news: watch::Sender<()>,
}

/// Runs a server until its disk fails. It can then be started again, as after a crash.
///
/// # Errors
/// Fails if the disk fails. The server must stop then, because it cannot know which writes were
/// kept.
pub async fn serve(config: Config, listener: TcpListener) -> io::Result<()> {
    let (disk, kept) = Disk::open(&config.directory).await?;
    let Config { me, addresses, .. } = config;
    let server = Arc::new(Server {
        me,
        node: Mutex::new(Node::new(me, addresses.len(), disk, kept)),
        addresses,
        news: watch::Sender::new(()),
    });
    // Dropped with this future, and all tasks with it.
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&server).hold_elections());
    for peer in server.peers() {
        tasks.spawn(Arc::clone(&server).tell(peer));
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tasks.spawn(Arc::clone(&server).answer(stream));
            }
            Some(ended) = tasks.join_next() => match ended {
                Ok(result) => result?,
                Err(error) => resume_unwind(error.into_panic()),
            },
        }
    }
}

impl Server {
    fn peers(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.addresses.len()).filter(move |peer| *peer != me)
    }

    /// Becomes a candidate when there is no leader for too long.
    async fn hold_elections(self: Arc<Self>) -> io::Result<()> {
        loop {
            let deadline = self.node.lock().await.deadline();
            sleep_until(deadline).await;
            let mut node = self.node.lock().await;
            if node.is_leader() {
                drop(node);
                sleep(HEARTBEAT).await;
            } else if Instant::now() >= node.deadline() {
                let request = node.campaign().await?;
                let term = node.term();
                drop(node);
                self.ask_for_votes(term, request).await?;
            }
        }
    }

    async fn ask_for_votes(self: &Arc<Self>, asked: u64, request: Request) -> io::Result<()> {
        let mut calls = JoinSet::new();
        for peer in self.peers() {
            let (server, request) = (Arc::clone(self), request.clone());
            calls
                .spawn(async move { timeout(CALL, call(&server.addresses[peer], &request)).await });
        }
        while let Some(answer) = calls.join_next().await {
            if let Ok(Ok(Ok(Reply::Vote { term, granted }))) = answer {
                self.node.lock().await.voted(asked, term, granted).await?;
                self.news.send_replace(());
            }
        }
        Ok(())
    }

    /// Sends updates to another server as long as this one leads.
    async fn tell(self: Arc<Self>, peer: usize) -> io::Result<()> {
        let mut news = self.news.subscribe();
        loop {
            news.borrow_and_update();
            let node = self.node.lock().await;
            let (sent, request) = (node.term(), node.news_for(peer));
            drop(node);
            if let Some(request) = request {
                let reply = timeout(CALL, call(&self.addresses[peer], &request)).await;
                if let Ok(Ok(Reply::Append { term, same })) = reply {
                    let mut node = self.node.lock().await;
                    node.answered(peer, sent, term, same).await?;
                }
            }
            // The sender lives as long as this server, so `changed` cannot fail.
            let _ = timeout(HEARTBEAT, news.changed()).await;
        }
    }

    /// Answers one request. Returns only errors of the disk: a peer that has gone needs no answer.
    async fn answer(self: Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        let Ok(Ok(request)) = timeout(COMMAND, receive(&mut stream)).await else {
            return Ok(());
        };
        let reply = match request {
            Request::Command(command) => self.carry_out(command).await?,
            Request::Vote(candidacy) => self.node.lock().await.vote(candidacy).await?,
            Request::Append(news) => self.node.lock().await.append(news).await?,
            Request::Install(term, data) => self.node.lock().await.install(term, data).await?,
        };
        let _ = send(&mut stream, &reply).await;
        Ok(())
    }

    /// Executes a command if this server leads.
    async fn carry_out(&self, command: Command) -> io::Result<Reply> {
        let mut node = self.node.lock().await;
        if !node.is_leader() {
            return Ok(Reply::Unknown);
        }
        if let Operation::Get { key } = &command.operation
            && cfg!(feature = "bug-stale-read")
        {
            return Ok(Reply::Value(node.value(key)));
        }
        if let Some(answer) = node.answer(&command) {
            return Ok(answer);
        }
        let mut done = node.done();
        let index = node.propose(command.clone()).await?;
        drop(node);
        self.news.send_replace(());
        let is_done = timeout(COMMAND, done.wait_for(|done| *done >= index))
            .await
            .is_ok_and(|done| done.is_ok());
        // Another leader may have put another command there.
        let node = self.node.lock().await;
        let answer = node.answer(&command).filter(|_| is_done);
        Ok(answer.unwrap_or(Reply::Unknown))
    }
}
