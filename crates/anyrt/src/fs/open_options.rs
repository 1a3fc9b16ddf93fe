//! Options for opening files.

use std::io;
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{File, asyncify};
use crate::backend::simulated::on_disk;

/// Options for opening a file: the access mode, and what to do if the file exists or is missing.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::fs::OpenOptions;
/// use anyrt::io::AsyncWriteExt;
///
/// # let path = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
/// let mut log = OpenOptions::new().append(true).create(true).open(&path).await?;
/// log.write_all(b"started\n").await?;
/// log.flush().await?;
/// # std::fs::remove_file(&path)?;
/// # Ok(()) });
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    std: std::fs::OpenOptions,
}

impl OpenOptions {
    /// Creates options that are all `false`.
    pub fn new() -> Self {
        Self::from(std::fs::OpenOptions::new())
    }

    setters! {
        std:
        /// Sets whether the file can be read.
        pub fn read(&mut self, read: bool) -> &mut Self;

        /// Sets whether the file can be written. Existing contents are overwritten from the start.
        pub fn write(&mut self, write: bool) -> &mut Self;

        /// Sets whether every write appends to the end of the file.
        pub fn append(&mut self, append: bool) -> &mut Self;

        /// Sets whether the file is truncated first; needs [`write`](Self::write).
        pub fn truncate(&mut self, truncate: bool) -> &mut Self;

        /// Sets whether the file is created if missing; needs [`write`](Self::write) or
        /// [`append`](Self::append).
        pub fn create(&mut self, create: bool) -> &mut Self;

        /// Sets whether the file must be new, and opening fails if it exists; needs
        /// [`write`](Self::write) or [`append`](Self::append).
        pub fn create_new(&mut self, create_new: bool) -> &mut Self;

        /// Sets the permissions of a new file, from which the process's umask is subtracted; 0o666
        /// by default.
        #[cfg(unix)]
        pub fn mode(&mut self, mode: u32) -> &mut Self;

        /// Sets further flags of open(2); none by default.
        #[cfg(unix)]
        pub fn custom_flags(&mut self, flags: i32) -> &mut Self;
    }

    /// Opens the file.
    ///
    /// # Errors
    /// See [`std::fs::OpenOptions::open`].
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Not cancel-safe: if the future is dropped, the file may have been created or truncated.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref().to_owned();
        let options = self.std.clone();
        on_disk!(files => async { files.open(path, options).await.map(File::opened) });
        asyncify(move || options.open(path)).await.map(File::opened)
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(std: std::fs::OpenOptions) -> Self {
        Self { std }
    }
}

impl File {
    /// Returns a new [`OpenOptions`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }
}
