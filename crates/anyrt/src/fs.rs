//! Files and directories.
//!
//! Names and behaviour are Tokio's. Operations on paths and metadata run on the blocking thread
//! pool. How a [`File`] reads and writes depends on the backend: Tokio uses its own file type, Smol
//! and async-std use the blocking pool, and Glommio uses io_uring for regular files on local file
//! systems that are opened read-only, and the pool for all others.
//!
//! [`read`], [`write()`] and [`copy`] of a whole file are a single blocking job, on Glommio as
//! well.
//!
//! In a simulation each node has its own disk, which at first contains only the directory for
//! temporary files. The module `sim` describes what survives a power failure.
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
//! [Performance] has figures for each backend. Glommio's ring reads fastest in a task on
//! the shard that opened the file, because no other thread is involved. Anywhere else (on another
//! shard, in a blocking job, in `block_on` outside the shards) each operation makes a round trip to
//! that shard, and reads of a few KiB are slower than through the pool.
//! `crates/anyrt/tests/fs/throughput.rs` measures this.
//!
//! [Performance]: https://github.com/anyrt/anyrt/blob/main/docs/en/performance.md
//!
//! # What a write promises
//! A write to a [`File`] completes when its bytes have been copied into the buffer. These bytes are
//! then written even if the future, the file or the runtime is dropped right after; [`flush`]
//! reports whether that succeeded. [`write()`] completes when the data has been written.
//!
//! [`flush`]: crate::io::AsyncWriteExt::flush

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::backend::simulated::on_disk;
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

/// Runs `job` on the blocking thread pool.
async fn asyncify<T: Send + 'static>(
    job: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    on_disk!(files => files.look(job));
    match spawn_blocking(job).await {
        Ok(result) => result,
        Err(_) => Err(anyrt_core::blocking::failed()),
    }
}

/// The functions of `std::fs` that take one path.
macro_rules! of_path {
    ($($(#[$doc:meta])* $name:ident -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        #[doc = concat!("As [`std::fs::", stringify!($name), "`].")]
        ///
        /// # Panics
        /// Panics if no runtime is current; see [`runtime`](crate::runtime).
        ///
        /// # Cancel safety
        /// Not cancel-safe: if the future is dropped, the operation may or may not take place.
        pub async fn $name(path: impl AsRef<Path>) -> io::Result<$result> {
            let path = path.as_ref().to_owned();
            on_disk!(files => files.$name(path));
            asyncify(move || std::fs::$name(path)).await
        }
    )*};
}

of_path! {
    /// Returns the canonical, absolute form of a path, with all symbolic links, `.` and `..`
    /// resolved.
    canonicalize -> PathBuf;
    /// Creates a directory. Its parent must exist.
    create_dir -> ();
    /// Creates a directory and all of its parents that are missing.
    create_dir_all -> ();
    /// Returns the metadata of a file, following symbolic links.
    metadata -> Metadata;
    /// Reads the entire contents of a file.
    read -> Vec<u8>;
    /// Returns the target of a symbolic link.
    read_link -> PathBuf;
    /// Reads the entire contents of a file, which must be UTF-8.
    read_to_string -> String;
    /// Removes an empty directory.
    remove_dir -> ();
    /// Removes a directory and everything in it. Symbolic links are removed, not followed.
    remove_dir_all -> ();
    /// Removes a file. It stays usable where it is already open.
    remove_file -> ();
    /// Returns the metadata of a file without following symbolic links.
    symlink_metadata -> Metadata;
}

/// The functions of `std` that take two paths.
macro_rules! of_two_paths {
    ($($(#[$doc:meta])* $name:ident($from:ident, $to:ident) -> $result:ty = $std:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        #[doc = concat!("As [`", stringify!($std), "`].")]
        ///
        /// # Panics
        /// Panics if no runtime is current; see [`runtime`](crate::runtime).
        ///
        /// # Cancel safety
        /// Not cancel-safe: if the future is dropped, the operation may or may not take place.
        pub async fn $name($from: impl AsRef<Path>, $to: impl AsRef<Path>) -> io::Result<$result> {
            let [from, to] = [$from.as_ref(), $to.as_ref()].map(Path::to_owned);
            on_disk!(files => files.$name(from, to));
            asyncify(move || $std(from, to)).await
        }
    )*};
}

of_two_paths! {
    /// Copies the contents and the permissions of a file, in the kernel where possible. Returns the
    /// number of bytes copied.
    copy(from, to) -> u64 = std::fs::copy;
    /// Creates a hard link, on the same file system.
    hard_link(original, link) -> () = std::fs::hard_link;
    /// Renames a file or directory within a file system, replacing the target if it exists.
    rename(from, to) -> () = std::fs::rename;
}

#[cfg(unix)]
of_two_paths! {
    /// Creates a symbolic link. Its target need not exist.
    symlink(original, link) -> () = std::os::unix::fs::symlink;
}

#[cfg(windows)]
of_two_paths! {
    /// Creates a symbolic link to a directory. Its target need not exist.
    symlink_dir(original, link) -> () = std::os::windows::fs::symlink_dir;
    /// Creates a symbolic link to a file. Its target need not exist.
    symlink_file(original, link) -> () = std::os::windows::fs::symlink_file;
}

/// Changes the permissions of a file.
///
/// # Errors
/// See [`std::fs::set_permissions`].
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Not cancel-safe: if the future is dropped, the operation may or may not take place.
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    on_disk!(files => files.set_permissions(path, permissions));
    asyncify(move || std::fs::set_permissions(path, permissions)).await
}

/// Returns `true` if the path points at an existing entity. A broken symbolic link does not.
///
/// # Errors
/// Fails if existence cannot be determined, for example for lack of permission.
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
/// assert!(anyrt::fs::try_exists(std::env::temp_dir()).await?);
/// assert!(!anyrt::fs::try_exists("/no/such/file").await?);
/// # Ok(()) });
/// ```
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    on_disk!(files => files.try_exists(path));
    asyncify(move || path.try_exists()).await
}

/// Writes `contents` to a file, which is created if missing and replaced if it exists.
///
/// # Errors
/// See [`std::fs::write`].
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Not cancel-safe: if the future is dropped, the file may or may not be written. A write that has
/// begun is completed.
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
    on_disk!(files => files.write(path, contents));
    asyncify(move || std::fs::write(path, contents)).await
}
