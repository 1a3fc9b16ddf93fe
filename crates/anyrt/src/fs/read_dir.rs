//! Reading directories.

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
use crate::backend::simulated::on_disk;
use crate::task::{JoinHandle, spawn_blocking};

/// The number of entries read by one blocking job.
const CHUNK: usize = 32;

/// Returns the entries of a directory in unspecified order, without `.` and `..`.
///
/// # Errors
/// See [`std::fs::read_dir`].
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Cancel-safe: dropping the future has no effect.
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
    on_disk!(files => async {
        let shown: Arc<Path> = path.as_path().into();
        let entries = files.read_dir(path).await?;
        let entry = |entry| Ok(DirEntry::new(entry, Some(shown.clone())));
        Ok(ReadDir::of(Listing {
            std: None,
            entries: entries.into_iter().map(entry).collect(),
            at_end: true,
        }))
    });
    let listing = asyncify(move || Ok(Listing::new(std::fs::read_dir(path)?).more())).await?;
    Ok(ReadDir::of(listing))
}

/// Reads the entries of a directory; see [`read_dir`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct ReadDir {
    state: DirState,
}

#[derive(Debug)]
enum DirState {
    /// `None` after a failure, because the listing is lost with its job.
    Idle(Option<Listing>),
    Reading(JoinHandle<Listing>),
}

#[derive(Debug)]
struct Listing {
    /// `None` where all entries were read at once.
    std: Option<std::fs::ReadDir>,
    entries: VecDeque<io::Result<DirEntry>>,
    at_end: bool,
}

impl ReadDir {
    fn of(listing: Listing) -> Self {
        Self {
            state: DirState::Idle(Some(listing)),
        }
    }

    /// Returns the next entry, or `None` at the end.
    ///
    /// # Errors
    /// Fails if the system's `getdents` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no entry is lost.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// Polls for the next entry; see [`next_entry`](Self::next_entry).
    ///
    /// # Errors
    /// Fails if the system's `getdents` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        loop {
            match &mut self.state {
                DirState::Idle(slot) => {
                    let Some(mut listing) = slot.take() else {
                        return Poll::Ready(Err(anyrt_core::blocking::failed()));
                    };
                    let entry = listing.entries.pop_front();
                    if entry.is_some() || listing.at_end {
                        *slot = Some(listing);
                        return Poll::Ready(entry.transpose());
                    }
                    self.state = DirState::Reading(spawn_blocking(move || listing.more()));
                }
                DirState::Reading(job) => {
                    let listing = ready!(Pin::new(job).poll(cx));
                    self.state = DirState::Idle(None);
                    let listing = listing.map_err(|_error| anyrt_core::blocking::failed())?;
                    self.state = DirState::Idle(Some(listing));
                }
            }
        }
    }
}

impl Listing {
    fn new(std: std::fs::ReadDir) -> Self {
        Self {
            std: Some(std),
            entries: VecDeque::with_capacity(CHUNK),
            at_end: false,
        }
    }

    fn more(mut self) -> Self {
        while self.entries.len() < CHUNK {
            let Some(entry) = self.std.as_mut().and_then(Iterator::next) else {
                self.at_end = true;
                break;
            };
            let failed = entry.is_err();
            self.entries
                .push_back(entry.map(|entry| DirEntry::new(entry, None)));
            if failed {
                break;
            }
        }
        self
    }
}

/// A directory entry.
#[derive(Debug)]
pub struct DirEntry {
    /// Most file systems report it together with the name.
    file_type: Option<FileType>,
    std: Arc<std::fs::DirEntry>,
    /// The directory as the program knows it, where the system knows another one.
    shown: Option<Arc<Path>>,
}

impl DirEntry {
    fn new(std: std::fs::DirEntry, shown: Option<Arc<Path>>) -> Self {
        Self {
            file_type: std.file_type().ok(),
            std: Arc::new(std),
            shown,
        }
    }

    /// Returns the path: the directory as given to [`read_dir`], joined with the name.
    pub fn path(&self) -> PathBuf {
        match &self.shown {
            Some(directory) => directory.join(self.std.file_name()),
            None => self.std.path(),
        }
    }

    /// Returns the file name.
    pub fn file_name(&self) -> OsString {
        self.std.file_name()
    }

    /// Returns the metadata of the entry, without following a symbolic link.
    ///
    /// # Errors
    /// See [`std::fs::DirEntry::metadata`].
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let std = Arc::clone(&self.std);
        asyncify(move || std.metadata()).await
    }

    /// Returns whether the entry is a file, a directory, a symbolic link or something else.
    ///
    /// # Errors
    /// See [`std::fs::DirEntry::file_type`].
    ///
    /// # Panics
    /// Panics if the type was not read with the directory and no runtime is current; see
    /// [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let std = Arc::clone(&self.std);
        asyncify(move || std.file_type()).await
    }

    /// Returns the inode number.
    #[cfg(unix)]
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&*self.std)
    }
}
