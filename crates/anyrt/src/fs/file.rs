//! An open file.

use std::fmt;
use std::fs::{Metadata, Permissions};
use std::io::{self, SeekFrom};
use std::path::Path;
use std::task::{Context, Poll};
use std::time::SystemTime;

use super::FileTimes;
use crate::backend::Backend;
use crate::runtime::Handle;

/// An open file. It implements the I/O traits of Tokio ([`io`](crate::io)) and of `futures_io`.
///
/// Operations run one at a time, on the current runtime if it has the same backend, and otherwise
/// on the runtime that was current when the file was opened. Dropping the file closes it after the
/// operation in progress; flush it first to be sure that everything was written.
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
    /// Opens a file in read-only mode.
    ///
    /// # Errors
    /// See [`std::fs::File::open`].
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future closes the file.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::options().read(true).open(path).await
    }

    /// Opens a file in write-only mode. It is created if missing and truncated if it exists.
    ///
    /// # Errors
    /// See [`std::fs::File::create`].
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Not cancel-safe: if the future is dropped, the file may have been created or truncated.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .await
    }

    /// Creates a file in read-write mode. Fails if it exists.
    ///
    /// # Errors
    /// See [`std::fs::File::create_new`].
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Not cancel-safe: if the future is dropped, the file may have been created.
    pub async fn create_new<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .await
    }

    /// Converts a file of std.
    ///
    /// Outside a runtime the file belongs to the default backend (see [`runtime`](crate::runtime)),
    /// and can be used inside any runtime of that backend.
    ///
    /// # Panics
    /// Panics outside a runtime if no backend is enabled or `ANYRT_BACKEND` does not name an
    /// enabled one.
    #[track_caller]
    pub fn from_std(std: std::fs::File) -> Self {
        Self::on_current(std, false)
    }

    /// Like [`from_std`](Self::from_std), for a file that was just opened: its cursor is not
    /// shared.
    #[track_caller]
    pub(super) fn opened(std: std::fs::File) -> Self {
        Self::on_current(std, true)
    }

    #[track_caller]
    fn on_current(std: std::fs::File, is_just_opened: bool) -> Self {
        /// Selects the backend's function for this.
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

    /// Converts into a file of std, after the operation in progress. Data that was read ahead is
    /// lost.
    ///
    /// # Panics
    /// Panics if an operation through `&self` was dropped and is still running.
    ///
    /// # Cancel safety
    /// If the future is dropped, the file is closed after the operation in progress.
    pub async fn into_std(self) -> std::fs::File {
        each!(self.inner, file => file.into_std().await)
    }

    /// Converts into a file of std, unless an operation is in progress.
    ///
    /// # Errors
    /// Returns the file itself if an operation is in progress.
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

    forward! {
        /// Flushes data and metadata to the device.
        ///
        /// # Errors
        /// Fails if the system's `fsync` does. The error of an earlier write is reported by a
        /// flush, not here.
        ///
        /// # Cancel safety
        /// Cancel-safe: if the future is dropped, the operation may still complete, and can be
        /// repeated.
        pub async fn sync_all(&self) -> io::Result<()>;

        /// Flushes the data to the device, with the metadata that is needed to read it back.
        ///
        /// # Errors
        /// Fails if the system's `fdatasync` does. The error of an earlier write is reported by a
        /// flush, not here.
        ///
        /// # Cancel safety
        /// Cancel-safe: if the future is dropped, the operation may still complete, and can be
        /// repeated.
        pub async fn sync_data(&self) -> io::Result<()>;

        /// Truncates the file to `size` bytes, or extends it with zeros. The cursor does not move.
        ///
        /// # Errors
        /// Fails if the system's `ftruncate` does.
        ///
        /// # Cancel safety
        /// Not cancel-safe: if the future is dropped, the operation may or may not take place.
        pub async fn set_len(&self, size: u64) -> io::Result<()>;

        /// Returns the metadata of the file.
        ///
        /// # Errors
        /// Fails if the system's `fstat` does.
        ///
        /// # Cancel safety
        /// Cancel-safe: dropping the future has no effect.
        pub async fn metadata(&self) -> io::Result<Metadata>;

        /// Changes the permissions of the file.
        ///
        /// # Errors
        /// Fails if the system's `fchmod` does.
        ///
        /// # Cancel safety
        /// Not cancel-safe: if the future is dropped, the operation may or may not take place.
        pub async fn set_permissions(&self, perm: Permissions) -> io::Result<()>;
    }

    /// Creates another handle, which shares the cursor but has its own buffer: data that one handle
    /// has read ahead is not seen by the other.
    ///
    /// # Errors
    /// Fails if the system's `dup` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn try_clone(&self) -> io::Result<Self> {
        let inner = map_each!(&self.inner, file => file.try_clone().await?);
        Ok(Self { inner })
    }

    /// Sets the access and modification times of the file.
    ///
    /// # Errors
    /// Fails if the system's `futimens` does.
    ///
    /// # Cancel safety
    /// Not cancel-safe: if the future is dropped, the operation may or may not take place.
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        let FileTimes { accessed, modified } = times;
        each!(&self.inner, file => file.set_times(accessed, modified).await)
    }

    /// Sets the modification time.
    ///
    /// # Errors
    /// Fails if the system's `futimens` does.
    ///
    /// # Cancel safety
    /// Not cancel-safe: if the future is dropped, the operation may or may not take place.
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time)).await
    }

    forward! {
        /// Returns the maximum number of bytes of one operation; 2 MiB by default.
        pub fn max_buf_size(&self) -> usize;

        /// Sets the maximum number of bytes of one operation. A buffer that is already larger is
        /// kept.
        ///
        /// # Panics
        /// Panics if it is zero.
        #[track_caller]
        pub fn set_max_buf_size(&mut self, max_buf_size: usize);

        pub(super) fn start_seek(&mut self, to: SeekFrom) -> io::Result<()>;

        pub(super) fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>>;
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
crate::io::fd_io::descriptor!(File: |file| {
    each!(&file.inner, file => file.as_fd())
});

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, backend, file => backend::fs::fmt(file, f))
    }
}
