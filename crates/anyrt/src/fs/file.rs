//! An open file.

use std::fmt;
use std::fs::{Metadata, Permissions};
use std::io::{self, SeekFrom};
use std::path::Path;
use std::task::{Context, Poll};
use std::time::SystemTime;

use super::{FileTimes, OpenOptions};
use crate::backend::Backend;
use crate::runtime::Handle;

/// An open file; it implements the I/O traits of Tokio ([`io`](crate::io)) and of `futures_io`.
///
/// Its operations run one after the other, on the runtime that is current then if it is of the same backend, else on
/// the one that was current when the file was made. Dropping the file closes it after the operation that is under way;
/// flush it first to know that it is done.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::fs::File;
/// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
///
/// # let path = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
/// let mut file = File::create(&path).await?;
/// file.write_all(b"hello, world!").await?;
/// file.flush().await?; // written, and any error reported
///
/// let mut text = String::new();
/// File::open(&path).await?.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello, world!");
/// # std::fs::remove_file(&path)?;
/// # Ok(()) });
/// ```
pub struct File {
    pub(super) inner: one_of!(fs::File),
}

impl File {
    /// Opens a file to read it.
    ///
    /// # Errors
    /// As [`std::fs::File::open`].
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::options().read(true).open(path).await
    }

    /// Opens a file to write it; it is made if it is not there, and emptied if it is.
    ///
    /// # Errors
    /// As [`std::fs::File::create`].
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .await
    }

    /// Makes a file, to read and write it; one that is there already is an error.
    ///
    /// # Errors
    /// As [`std::fs::File::create_new`].
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub async fn create_new<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .await
    }

    /// As [`OpenOptions::new`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file.
    ///
    /// Outside a runtime the file is made for the backend that a runtime is built on when nobody says; it can then be
    /// used inside any runtime of that backend.
    ///
    /// # Panics
    /// Outside a runtime, when no backend is enabled or `ANYRT_BACKEND` names none that is.
    #[track_caller]
    pub fn from_std(std: std::fs::File) -> Self {
        Self::on_current(std, false)
    }

    /// As [`from_std`](Self::from_std), of a file that was just opened, so that nobody else has its cursor.
    #[track_caller]
    pub(super) fn opened(std: std::fs::File) -> Self {
        Self::on_current(std, true)
    }

    #[track_caller]
    fn on_current(std: std::fs::File, is_just_opened: bool) -> Self {
        /// The function of the backend for it.
        macro_rules! make {
            ($backend:ident) => {
                if is_just_opened {
                    $backend::fs::opened
                } else {
                    $backend::fs::from_std
                }
            };
        }
        let inner = match Handle::try_current() {
            Ok(handle) => map_each!(handle.inner, backend, rt => make!(backend)(std, Some(rt))),
            Err(_) => match Backend::preferred().and_then(Backend::require) {
                Ok(kind) => map_each!(kind, backend, () => make!(backend)(std, None)),
                Err(error) => panic!("{error}"),
            },
        };
        Self { inner }
    }

    /// The file itself, after the operation that is under way. What was read ahead is lost.
    ///
    /// # Panics
    /// When an operation through `&self` was dropped midway and is still running.
    pub async fn into_std(self) -> std::fs::File {
        each!(self.inner, file => file.into_std().await)
    }

    /// The file itself, unless an operation is under way.
    ///
    /// # Errors
    /// This file, when one is.
    #[allow(
        clippy::result_large_err,
        reason = "Tokio's signature; how large it is depends on the backends"
    )]
    pub fn try_into_std(self) -> Result<std::fs::File, Self> {
        let inner = map_each!(self.inner, file => match file.try_into_std() {
            Ok(std) => return Ok(std),
            Err(file) => file,
        });
        Err(Self { inner })
    }

    /// Waits until data and metadata are on the device.
    ///
    /// # Errors
    /// As the system's `fsync`. The error of an acknowledged write is not among them: a flush gives it.
    pub async fn sync_all(&self) -> io::Result<()> {
        each!(&self.inner, file => file.sync_all().await)
    }

    /// Waits until the data is on the device, and of the metadata what is needed to find it.
    ///
    /// # Errors
    /// As the system's `fdatasync`. The error of an acknowledged write is not among them: a flush gives it.
    pub async fn sync_data(&self) -> io::Result<()> {
        each!(&self.inner, file => file.sync_data().await)
    }

    /// Cuts the file off at `size` bytes, or fills it up with zeros. The cursor stays.
    ///
    /// # Errors
    /// As the system's `ftruncate`.
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        each!(&self.inner, file => file.set_len(size).await)
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    /// As the system's `fstat`.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        each!(&self.inner, file => file.metadata().await)
    }

    /// Another handle, which shares the cursor and has a buffer of its own: what one has read ahead, the other does
    /// not see.
    ///
    /// # Errors
    /// As the system's `dup`.
    pub async fn try_clone(&self) -> io::Result<Self> {
        let inner = map_each!(&self.inner, file => file.try_clone().await?);
        Ok(Self { inner })
    }

    /// Sets who may do what with the file.
    ///
    /// # Errors
    /// As the system's `fchmod`.
    pub async fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        each!(&self.inner, file => file.set_permissions(perm).await)
    }

    /// Sets when the file was accessed and modified.
    ///
    /// # Errors
    /// As the system's `futimens`.
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        let FileTimes { accessed, modified } = times;
        each!(&self.inner, file => file.set_times(accessed, modified).await)
    }

    /// Sets when the file was modified.
    ///
    /// # Errors
    /// As the system's `futimens`.
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time)).await
    }

    /// How many bytes one operation moves at most; 2 MiB unless set.
    pub fn max_buf_size(&self) -> usize {
        each!(&self.inner, file => file.max_buf_size())
    }

    /// Sets how many bytes one operation moves at most. A buffer that is larger already stays.
    ///
    /// # Panics
    /// When it is zero.
    #[track_caller]
    pub fn set_max_buf_size(&mut self, max_buf_size: usize) {
        each!(&mut self.inner, file => file.set_max_buf_size(max_buf_size));
    }

    pub(super) fn start_seek(&mut self, to: SeekFrom) -> io::Result<()> {
        each!(&mut self.inner, file => file.start_seek(to))
    }

    pub(super) fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        each!(&mut self.inner, file => file.poll_complete(cx))
    }
}

impl From<std::fs::File> for File {
    fn from(std: std::fs::File) -> Self {
        Self::from_std(std)
    }
}

#[cfg(unix)]
impl From<std::os::fd::OwnedFd> for File {
    fn from(fd: std::os::fd::OwnedFd) -> Self {
        Self::from_std(fd.into())
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for File {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        each!(&self.inner, backend, file => backend::fs::as_fd(file))
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for File {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        std::os::fd::AsFd::as_fd(self).as_raw_fd()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, backend, file => backend::fs::fmt(file, f))
    }
}
