//! What is in a directory.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{FileType, Metadata};
use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::asyncify;
use crate::task::{JoinHandle, spawn_blocking};

/// Entries that are read at once.
const CHUNK: usize = 32;

/// The entries of a directory, in no particular order, without `.` and `..`.
///
/// # Errors
/// As [`std::fs::read_dir`].
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// # let path = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
/// # std::fs::create_dir(&path)?;
/// # std::fs::write(path.join("file"), "")?;
/// let mut entries = anyrt::fs::read_dir(&path).await?;
/// while let Some(entry) = entries.next_entry().await? {
///     assert!(entry.file_type().await?.is_file());
///     println!("{}", entry.path().display());
/// }
/// # std::fs::remove_dir_all(&path)?;
/// # Ok(()) });
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let listing = asyncify(move || Ok(Listing::new(std::fs::read_dir(path)?).more())).await?;
    Ok(ReadDir {
        state: State::Idle(Some(listing)),
    })
}

/// Reads the entries of a directory; see [`read_dir`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct ReadDir {
    state: State,
}

#[derive(Debug)]
enum State {
    /// `None` after a failure, since the listing is lost with the job that had it.
    Idle(Option<Listing>),
    Reading(JoinHandle<Listing>),
}

#[derive(Debug)]
struct Listing {
    std: std::fs::ReadDir,
    entries: VecDeque<io::Result<DirEntry>>,
    at_end: bool,
}

impl ReadDir {
    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// As the system's `getdents`.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// An entry that a dropped future would have had goes to the next one.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// As [`next_entry`](Self::next_entry), for who polls by hand.
    ///
    /// # Errors
    /// As the system's `getdents`.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        loop {
            match &mut self.state {
                State::Idle(slot) => {
                    let Some(mut listing) = slot.take() else {
                        return Poll::Ready(Err(anyrt_core::blocking::failed()));
                    };
                    let entry = listing.entries.pop_front();
                    if entry.is_some() || listing.at_end {
                        *slot = Some(listing);
                        return Poll::Ready(entry.transpose());
                    }
                    self.state = State::Reading(spawn_blocking(move || listing.more()));
                }
                State::Reading(job) => {
                    let listing = ready!(Pin::new(job).poll(cx));
                    self.state = State::Idle(None);
                    let listing = listing.map_err(|_error| anyrt_core::blocking::failed())?;
                    self.state = State::Idle(Some(listing));
                }
            }
        }
    }
}

impl Listing {
    fn new(std: std::fs::ReadDir) -> Self {
        Self {
            std,
            entries: VecDeque::with_capacity(CHUNK),
            at_end: false,
        }
    }

    fn more(mut self) -> Self {
        while self.entries.len() < CHUNK {
            let Some(entry) = self.std.next() else {
                self.at_end = true;
                break;
            };
            let failed = entry.is_err();
            self.entries.push_back(entry.map(DirEntry::new));
            if failed {
                break;
            }
        }
        self
    }
}

/// An entry of a directory.
#[derive(Debug)]
pub struct DirEntry {
    /// Most file systems tell it with the name.
    file_type: Option<FileType>,
    std: Arc<std::fs::DirEntry>,
}

impl DirEntry {
    fn new(std: std::fs::DirEntry) -> Self {
        Self {
            file_type: std.file_type().ok(),
            std: Arc::new(std),
        }
    }

    /// The path: that of the directory, as it was given, and the name.
    pub fn path(&self) -> PathBuf {
        self.std.path()
    }

    /// The name.
    pub fn file_name(&self) -> OsString {
        self.std.file_name()
    }

    /// What the system knows of it; of a link, not of what it leads to.
    ///
    /// # Errors
    /// As [`std::fs::DirEntry::metadata`].
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let std = Arc::clone(&self.std);
        asyncify(move || std.metadata()).await
    }

    /// Whether it is a file, a directory, a link or something else.
    ///
    /// # Errors
    /// As [`std::fs::DirEntry::file_type`].
    ///
    /// # Panics
    /// When the directory did not tell and no runtime is current; see [`runtime`](crate::runtime).
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let std = Arc::clone(&self.std);
        asyncify(move || std.file_type()).await
    }

    /// The number of the inode.
    #[cfg(unix)]
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&*self.std)
    }
}
