//! Files and directories.
//!
//! The names are Tokio's and so is the behaviour. Names and metadata are asked for on a blocking thread. The data of
//! a [`File`] takes the way of the backend: Tokio's own file; the blocking pool with Smol and async-std; with Glommio
//! io_uring, for regular files of local file systems that are opened for reading alone, else the pool.
//!
//! [`read`], [`write()`] and [`copy`] of whole files are one job on a blocking thread, on Glommio, too.
//!
//! ```
//! # anyrt::__private::run_example(async || {
//! use anyrt::fs;
//!
//! let directory = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
//! fs::create_dir_all(&directory).await?;
//! fs::write(directory.join("a"), "hello").await?;
//! assert_eq!(fs::copy(directory.join("a"), directory.join("b")).await?, 5);
//! fs::rename(directory.join("b"), directory.join("c")).await?;
//! assert_eq!(fs::read(directory.join("c")).await?, b"hello");
//! assert_eq!(fs::metadata(directory.join("c")).await?.len(), 5);
//! fs::remove_file(directory.join("a")).await?;
//! fs::remove_dir_all(&directory).await?;
//! # Ok(()) });
//! ```
//!
//! # What it costs
//! The figures of each backend are in [docs/performance.md]. Glommio's ring reads fastest in a task of the shard that
//! opened the file, where nothing waits for another thread. Elsewhere (on another shard, in a blocking job, under
//! `block_on` beside the shards) each operation goes to that shard and back, and calls of a few KiB are slower than
//! through the pool. `crates/anyrt/tests/fs/throughput.rs` measures it.
//!
//! [docs/performance.md]: https://github.com/anyrt/anyrt/blob/main/docs/performance.md
//!
//! # What a write promises
//! A write to a [`File`] is acknowledged when its bytes were copied. What was acknowledged is written, even if the
//! future, the file or the runtime is dropped right after; whether it worked, [`flush`] says. [`write()`] is
//! acknowledged when it is done.
//!
//! [`flush`]: crate::io::AsyncWriteExt::flush

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::task::spawn_blocking;

mod dir_builder;
mod file;
mod file_io;
mod file_times;
mod open_options;
mod read_dir;

pub use dir_builder::DirBuilder;
pub use file::File;
pub use file_times::FileTimes;
pub use open_options::OpenOptions;
pub use read_dir::{DirEntry, ReadDir, read_dir};

/// Runs `job` on a blocking thread.
async fn asyncify<T: Send + 'static>(
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match spawn_blocking(job).await {
        Ok(result) => result,
        Err(_) => Err(anyrt_core::blocking::failed()),
    }
}

/// The functions of one path that `std::fs` has, too.
macro_rules! of_path {
    ($($(#[$doc:meta])* $name:ident -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        #[doc = concat!("As [`std::fs::", stringify!($name), "`].")]
        ///
        /// # Panics
        /// When no runtime is current; see [`runtime`](crate::runtime).
        ///
        /// # Cancel safety
        /// Dropped midway, it may or may not be done.
        pub async fn $name(path: impl AsRef<Path>) -> io::Result<$result> {
            let path = path.as_ref().to_owned();
            asyncify(move || std::fs::$name(path)).await
        }
    )*};
}

of_path! {
    /// The absolute path, without links and without `.` and `..`.
    canonicalize -> PathBuf;
    /// Makes a directory; its parent must be there.
    create_dir -> ();
    /// Makes a directory and those above it that are missing.
    create_dir_all -> ();
    /// What the system knows of a file; links are followed.
    metadata -> Metadata;
    /// Reads a whole file.
    read -> Vec<u8>;
    /// Where a symbolic link leads to.
    read_link -> PathBuf;
    /// Reads a whole file, which must be UTF-8.
    read_to_string -> String;
    /// Removes an empty directory.
    remove_dir -> ();
    /// Removes a directory and all that is in it; links in it are removed, not followed.
    remove_dir_all -> ();
    /// Removes a file. Whoever has it open can still use it.
    remove_file -> ();
    /// What the system knows of a file or of a symbolic link.
    symlink_metadata -> Metadata;
}

/// The functions of two paths that `std` has, too.
macro_rules! of_two_paths {
    ($($(#[$doc:meta])* $name:ident($from:ident, $to:ident) -> $result:ty = $std:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        #[doc = concat!("As [`", stringify!($std), "`].")]
        ///
        /// # Panics
        /// When no runtime is current; see [`runtime`](crate::runtime).
        ///
        /// # Cancel safety
        /// Dropped midway, it may or may not be done.
        pub async fn $name($from: impl AsRef<Path>, $to: impl AsRef<Path>) -> io::Result<$result> {
            let [from, to] = [$from.as_ref(), $to.as_ref()].map(Path::to_owned);
            asyncify(move || $std(from, to)).await
        }
    )*};
}

of_two_paths! {
    /// Copies the bytes and the permissions of a file, in the kernel where it can; gives the number of bytes.
    copy(from, to) -> u64 = std::fs::copy;
    /// Gives a file another name, on the same file system.
    hard_link(original, link) -> () = std::fs::hard_link;
    /// Moves a file or a directory within a file system; what had the new name before is replaced.
    rename(from, to) -> () = std::fs::rename;
}

#[cfg(unix)]
of_two_paths! {
    /// Makes a symbolic link, which need not lead anywhere.
    symlink(original, link) -> () = std::os::unix::fs::symlink;
}

#[cfg(windows)]
of_two_paths! {
    /// Makes a symbolic link to a directory, which need not lead anywhere.
    symlink_dir(original, link) -> () = std::os::windows::fs::symlink_dir;
    /// Makes a symbolic link to a file, which need not lead anywhere.
    symlink_file(original, link) -> () = std::os::windows::fs::symlink_file;
}

/// Sets who may do what with a file.
///
/// # Errors
/// As [`std::fs::set_permissions`].
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    asyncify(move || std::fs::set_permissions(path, permissions)).await
}

/// Whether the path leads to something; a broken link does not.
///
/// # Errors
/// When it cannot be told, for instance for lack of permission.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// assert!(anyrt::fs::try_exists(std::env::temp_dir()).await?);
/// assert!(!anyrt::fs::try_exists("/no/such/file").await?);
/// # Ok(()) });
/// ```
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    asyncify(move || path.try_exists()).await
}

/// Makes a file of `contents`, or replaces those that it has.
///
/// # Errors
/// As [`std::fs::write`].
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Dropped midway, it may or may not be done; once begun, it is finished.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// # let path = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
/// anyrt::fs::write(&path, "hello").await?;
/// assert_eq!(anyrt::fs::read_to_string(&path).await?, "hello");
/// # std::fs::remove_file(&path)?;
/// # Ok(()) });
/// ```
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    let contents = contents.as_ref().to_owned();
    asyncify(move || std::fs::write(path, contents)).await
}
