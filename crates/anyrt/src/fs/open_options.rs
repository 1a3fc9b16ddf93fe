//! How a file is opened.

use std::io;
use std::path::Path;

use super::{File, asyncify};

/// How a file is opened: for what, and what happens if it is there or is not.
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
    /// Everything is off.
    pub fn new() -> Self {
        Self::from(std::fs::OpenOptions::new())
    }

    /// Whether it can be read.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.std.read(read);
        self
    }

    /// Whether it can be written, from the start and over what is there.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.std.write(write);
        self
    }

    /// Whether each write goes to the end, wherever the cursor is.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.std.append(append);
        self
    }

    /// Whether it is emptied first; needs [`write`](Self::write).
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.std.truncate(truncate);
        self
    }

    /// Whether it is made if it is not there; needs [`write`](Self::write) or [`append`](Self::append).
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.std.create(create);
        self
    }

    /// Whether it is an error if it is there; needs [`write`](Self::write) or [`append`](Self::append).
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.std.create_new(create_new);
        self
    }

    /// The permissions of a file that is made, of which the process's umask takes away; 0o666 unless set.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::mode(&mut self.std, mode);
        self
    }

    /// More flags of open(2).
    #[cfg(unix)]
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut self.std, flags);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// As [`std::fs::OpenOptions::open`].
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropped midway, the file may have been made or emptied.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref().to_owned();
        let options = self.std.clone();
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
