//! The durable state of a server: its promise, its log and its snapshot, a file each.
//!
//! To replace a file, the new contents are written under another name, synced and renamed, and then
//! the directory is synced: after a power failure either the old or the new file is there. The log
//! is appended to; the checksum of each line shows which lines a power failure has damaged.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncWriteExt;

use crate::message::{Entry, Snapshot};

/// A server votes once in a term, even if it restarts in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    pub term: u64,
    pub vote: Option<usize>,
}

/// The state read from the disk.
#[derive(Debug, Default)]
pub struct Kept {
    pub promise: Promise,
    pub snapshot: Snapshot,
    pub log: Vec<Entry>,
}

#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
    log: File,
}

impl Disk {
    pub async fn open(directory: &Path) -> io::Result<(Self, Kept)> {
        fs::create_dir_all(directory).await?;
        // The entry of the directory itself is in its parent.
        if let Some(parent) = directory.parent() {
            sync_directory(parent).await?;
        }
        let snapshot: Snapshot = read(&directory.join("snapshot")).await?.unwrap_or_default();
        let kept = Kept {
            promise: read(&directory.join("promise")).await?.unwrap_or_default(),
            log: read_log(&directory.join("log"), snapshot.index).await?,
            snapshot,
        };
        // Damaged lines at the end of the log must not remain between new ones.
        let log = replace_log(directory, &kept.log).await?;
        let directory = directory.to_owned();
        Ok((Self { directory, log }, kept))
    }

    pub async fn keep_promise(&self, promise: &Promise) -> io::Result<()> {
        replace(&self.directory, "promise", &serde_json::to_vec(promise)?).await
    }

    pub async fn keep_snapshot(&self, snapshot: &Snapshot) -> io::Result<()> {
        replace(&self.directory, "snapshot", &serde_json::to_vec(snapshot)?).await
    }

    /// Adds entries to the log.
    pub async fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        self.log.write_all(&lines(entries)?).await?;
        self.log.flush().await?;
        if cfg!(feature = "bug-missing-sync") {
            return Ok(());
        }
        self.log.sync_data().await
    }

    /// Replaces the whole log.
    pub async fn rewrite(&mut self, log: &[Entry]) -> io::Result<()> {
        self.log = replace_log(&self.directory, log).await?;
        Ok(())
    }
}

async fn replace_log(directory: &Path, log: &[Entry]) -> io::Result<File> {
    replace(directory, "log", &lines(log)?).await?;
    let path = directory.join("log");
    OpenOptions::new().append(true).open(path).await
}

async fn replace(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{name}.new"));
    let mut file = File::create(&temporary).await?;
    file.write_all(content).await?;
    file.flush().await?;
    file.sync_all().await?;
    drop(file);
    fs::rename(&temporary, directory.join(name)).await?;
    sync_directory(directory).await
}

async fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory).await?.sync_all().await
}

/// Returns `None` if there is no such file yet.
async fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path).await {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the entries after that index, up to the first line that is incomplete.
async fn read_log(path: &Path, after: u64) -> io::Result<Vec<Entry>> {
    let text = match fs::read(path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut log: Vec<Entry> = Vec::new();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let Some(entry) = parse(line) else { break };
        if entry.index > after {
            log.push(entry);
        }
    }
    Ok(log)
}

/// A line is the checksum of an entry and the entry.
fn lines(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        let text = serde_json::to_string(entry)?;
        lines.extend(format!("{:016x} {text}\n", checksum(text.as_bytes())).bytes());
    }
    Ok(lines)
}

fn parse(line: &[u8]) -> Option<Entry> {
    let (sum, text) = line.strip_suffix(b"\n")?.split_at_checked(16)?;
    let text = text.strip_prefix(b" ")?;
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (sum == checksum(text)).then(|| serde_json::from_slice(text).ok())?
}

/// Computes FNV-1a: short, and sufficient to detect incomplete lines.
fn checksum(text: &[u8]) -> u64 {
    let add = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    text.iter().fold(0xcbf2_9ce4_8422_2325, add)
}
