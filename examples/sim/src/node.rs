//! The rules: how a server handles each message. Every promise in an answer is on the disk before
//! the answer is sent.

use std::io;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::disk::{Disk, Kept, Promise};
use crate::message::{Candidacy, Command, Entry, News, Operation, Reply, Request, Snapshot};

/// The maximum length of the log, after which a snapshot replaces it. Small, so that tests reach
/// it.
const LOG_LIMIT: usize = 8;
/// A leader that is silent for this long, or up to twice as long, is replaced.
const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug)]
enum Role {
    Follower,
    Candidate {
        votes: usize,
    },
    /// For each server: the next entry to send, and the index up to which its log is known to be
    /// equal.
    Leader {
        next: Vec<u64>,
        same: Vec<u64>,
    },
}

#[derive(Debug)]
pub struct Node {
    me: usize,
    servers: usize,
    disk: Disk,
    promise: Promise,
    role: Role,
    /// The data after the last executed entry.
    data: Snapshot,
    /// The entry before the log.
    base: (u64, u64),
    log: Vec<Entry>,
    /// A majority has the log up to here.
    commit: u64,
    /// The time of the last message from a leader, or from a candidate with this server's vote.
    heard: Instant,
    /// Publishes the index of the last executed entry.
    done: watch::Sender<u64>,
}

impl Node {
    pub fn new(me: usize, servers: usize, disk: Disk, kept: Kept) -> Self {
        Self {
            me,
            servers,
            disk,
            promise: kept.promise,
            role: Role::Follower,
            base: (kept.snapshot.index, kept.snapshot.term),
            commit: kept.snapshot.index,
            data: kept.snapshot,
            log: kept.log,
            heard: Instant::now(),
            done: watch::Sender::default(),
        }
    }

    pub fn term(&self) -> u64 {
        self.promise.term
    }

    pub fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }

    /// Returns the time at which it becomes a candidate unless it receives a message. The time-out
    /// differs for each server and term, so that one of them is first.
    pub fn deadline(&self) -> Instant {
        let mixed = (self.term() + 1).wrapping_mul(0x9e37_79b9) ^ (self.me as u64 * 0x85eb_ca6b);
        self.heard + PATIENCE + Duration::from_millis(mixed % PATIENCE.as_millis() as u64)
    }

    /// Returns index and term of the last entry.
    fn last(&self) -> (u64, u64) {
        let last = self.log.last();
        last.map_or(self.base, |entry| (entry.index, entry.term))
    }

    /// Returns the term of an entry; `None` if it is missing or was removed.
    fn term_at(&self, index: u64) -> Option<u64> {
        let (base, term) = self.base;
        match index.checked_sub(base)? {
            0 => Some(term),
            place => self.log.get(place as usize - 1).map(|entry| entry.term),
        }
    }

    fn entries_after(&self, index: u64) -> &[Entry] {
        let place = index.saturating_sub(self.base.0) as usize;
        self.log.get(place..).unwrap_or_default()
    }

    async fn promise(&mut self, term: u64, vote: Option<usize>) -> io::Result<()> {
        let promise = Promise { term, vote };
        if promise != self.promise {
            self.disk.keep_promise(&promise).await?;
            self.promise = promise;
        }
        Ok(())
    }

    /// Follows a later term.
    async fn hear_term(&mut self, term: u64) -> io::Result<()> {
        if term > self.term() {
            self.promise(term, None).await?;
            self.role = Role::Follower;
        }
        Ok(())
    }

    // ---- Elections -----------------------------------------------------------------------------

    /// Becomes a candidate. Returns the request for the others.
    pub async fn campaign(&mut self) -> io::Result<Request> {
        self.promise(self.term() + 1, Some(self.me)).await?;
        self.role = Role::Candidate { votes: 1 };
        self.heard = Instant::now();
        let (term, candidate, last) = (self.term(), self.me, self.last());
        Ok(Request::Vote(Candidacy {
            term,
            candidate,
            last,
        }))
    }

    pub async fn vote(&mut self, candidacy: Candidacy) -> io::Result<Reply> {
        let Candidacy {
            term,
            candidate,
            last,
        } = candidacy;
        self.hear_term(term).await?;
        let is_free = self.promise.vote.is_none_or(|vote| vote == candidate);
        // A leader must have every entry that was ever acknowledged.
        let (index, last_term) = self.last();
        let knows_enough = (last.1, last.0) >= (last_term, index);
        let granted = term == self.term() && is_free && knows_enough;
        if granted {
            self.promise(term, Some(candidate)).await?;
            self.heard = Instant::now();
        }
        let term = self.term();
        Ok(Reply::Vote { term, granted })
    }

    /// Handles a vote that was requested in the term `asked`.
    pub async fn voted(&mut self, asked: u64, term: u64, granted: bool) -> io::Result<()> {
        self.hear_term(term).await?;
        if let Role::Candidate { votes } = &mut self.role
            && granted
            && asked == self.promise.term
        {
            *votes += 1;
            if *votes > self.servers / 2 {
                self.role = Role::Leader {
                    next: vec![self.last().0 + 1; self.servers],
                    same: vec![0; self.servers],
                };
                // Entries of earlier terms are committed together with one of this term.
                self.propose(Command::nothing()).await?;
            }
        }
        Ok(())
    }

    // ---- The log -------------------------------------------------------------------------------

    /// Adds a command to the leader's log. Returns its index.
    pub async fn propose(&mut self, command: Command) -> io::Result<u64> {
        let (index, term) = (self.last().0 + 1, self.term());
        let entry = Entry {
            index,
            term,
            command,
        };
        self.disk.append(std::slice::from_ref(&entry)).await?;
        self.log.push(entry);
        // Alone, it is a majority.
        self.settle().await?;
        Ok(index)
    }

    /// Returns the leader's next message to a server.
    pub fn news_for(&self, server: usize) -> Option<Request> {
        let Role::Leader { next, .. } = &self.role else {
            return None;
        };
        let term = self.term();
        let before = next[server] - 1;
        Some(match self.term_at(before) {
            Some(before_term) => Request::Append(News {
                term,
                after: (before, before_term),
                entries: self.entries_after(before).to_vec(),
                commit: self.commit,
            }),
            None => Request::Install(term, self.snapshot()),
        })
    }

    /// Handles entries of the leader.
    pub async fn append(&mut self, news: News) -> io::Result<Reply> {
        if !self.hear_leader(news.term).await? {
            return Ok(self.appended(None));
        }
        let (mut same, before_term) = news.after;
        // Entries in the snapshot are committed, and therefore equal.
        if same >= self.base.0 && self.term_at(same) != Some(before_term) {
            return Ok(self.appended(None));
        }
        let mut new = Vec::new();
        let mut conflict = false;
        for entry in news.entries {
            same = entry.index;
            let is_known = entry.index <= self.base.0
                || !conflict && new.is_empty() && self.term_at(entry.index) == Some(entry.term);
            if is_known {
                continue;
            }
            conflict |= new.is_empty() && self.term_at(entry.index).is_some();
            new.push(entry);
        }
        if conflict {
            // Entries of a former leader that were never committed.
            let keep = (new[0].index - self.base.0 - 1) as usize;
            self.log.truncate(keep);
            self.log.extend(new);
            self.disk.rewrite(&self.log).await?;
        } else if !new.is_empty() {
            self.disk.append(&new).await?;
            self.log.extend(new);
        }
        self.commit = self.commit.max(news.commit.min(same));
        self.carry_out().await?;
        Ok(self.appended(Some(same)))
    }

    /// Replaces its own data by that of the leader.
    pub async fn install(&mut self, term: u64, snapshot: Snapshot) -> io::Result<Reply> {
        if !self.hear_leader(term).await? {
            return Ok(self.appended(None));
        }
        let index = snapshot.index;
        if index > self.commit {
            self.disk.keep_snapshot(&snapshot).await?;
            self.base = (index, snapshot.term);
            self.commit = index;
            self.data = snapshot;
            self.log.clear();
            self.disk.rewrite(&self.log).await?;
            self.done.send_replace(index);
        }
        Ok(self.appended(Some(index)))
    }

    /// Returns `true` if that is the leader of the present term.
    async fn hear_leader(&mut self, term: u64) -> io::Result<bool> {
        self.hear_term(term).await?;
        if term < self.term() {
            return Ok(false);
        }
        self.role = Role::Follower;
        self.heard = Instant::now();
        Ok(true)
    }

    fn appended(&self, same: Option<u64>) -> Reply {
        let term = self.term();
        Reply::Append { term, same }
    }

    /// Handles the answer of a server to the leader's message of the term `sent`.
    pub async fn answered(
        &mut self,
        server: usize,
        sent: u64,
        term: u64,
        known: Option<u64>,
    ) -> io::Result<()> {
        self.hear_term(term).await?;
        if sent != self.term() {
            return Ok(());
        }
        if let Role::Leader { next, same } = &mut self.role {
            match known {
                Some(known) => {
                    same[server] = same[server].max(known);
                    next[server] = same[server] + 1;
                }
                None => next[server] = (next[server] - 1).max(1),
            }
            self.settle().await?;
        }
        Ok(())
    }

    /// Executes the entries that a majority has.
    async fn settle(&mut self) -> io::Result<()> {
        let Role::Leader { same, .. } = &self.role else {
            return Ok(());
        };
        let mut known = same.clone();
        known[self.me] = self.last().0;
        known.sort_unstable();
        let most = known[(self.servers - 1) / 2];
        // Only entries of this term count: another leader may still replace older ones.
        if most > self.commit && self.term_at(most) == Some(self.term()) {
            self.commit = most;
            self.carry_out().await?;
        }
        Ok(())
    }

    async fn carry_out(&mut self) -> io::Result<()> {
        while self.data.index < self.commit {
            let place = self.data.index - self.base.0;
            let entry = self.log[place as usize].clone();
            (self.data.index, self.data.term) = (entry.index, entry.term);
            self.apply(entry.command);
        }
        self.done.send_replace(self.data.index);
        if self.log.len() > LOG_LIMIT {
            let snapshot = self.snapshot();
            self.disk.keep_snapshot(&snapshot).await?;
            self.log = self.entries_after(snapshot.index).to_vec();
            self.base = (snapshot.index, snapshot.term);
            self.disk.rewrite(&self.log).await?;
        }
        Ok(())
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = self.data.clone();
        if cfg!(feature = "bug-forgotten-clients") {
            snapshot.answered.clear();
        }
        snapshot
    }

    // ---- Commands ------------------------------------------------------------------------------

    fn apply(&mut self, command: Command) {
        // A command that was repeated may be in the log twice.
        let last = self.data.answered.get(&command.client);
        if last.is_some_and(|(last, _)| *last >= command.number) {
            return;
        }
        let value = match command.operation {
            Operation::Nothing => return,
            Operation::Append { key, text } => {
                let value = self.data.values.entry(key).or_default();
                *value += &text;
                value.clone()
            }
            Operation::Get { key } => self.value(&key),
        };
        let answer = (command.number, value);
        self.data.answered.insert(command.client, answer);
    }

    pub fn value(&self, key: &str) -> String {
        self.data.values.get(key).cloned().unwrap_or_default()
    }

    /// Returns the answer to that very command, if it was executed.
    pub fn answer(&self, command: &Command) -> Option<Reply> {
        let (number, value) = self.data.answered.get(&command.client)?;
        (*number == command.number).then(|| Reply::Value(value.clone()))
    }

    /// Returns a receiver of the index of the last executed command.
    pub fn done(&self) -> watch::Receiver<u64> {
        self.done.subscribe()
    }
}
