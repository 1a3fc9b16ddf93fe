//! Making directories with options.

use std::io;
use std::path::Path;

use super::asyncify;

/// Makes directories.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// # let path = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
/// anyrt::fs::DirBuilder::new().recursive(true).create(path.join("a/b")).await?;
/// # std::fs::remove_dir_all(&path)?;
/// # Ok(()) });
/// ```
#[derive(Debug, Default)]
pub struct DirBuilder {
    recursive: bool,
    #[cfg(unix)]
    mode: Option<u32>,
}

impl DirBuilder {
    /// One directory at a time, with the permissions that the system gives.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether missing parents are made as well; then one that is there already is no error.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// The permissions, of which the process's umask takes away; 0o777 unless set.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    /// As [`std::fs::DirBuilder::create`].
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref().to_owned();
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(self.recursive);
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
        }
        asyncify(move || builder.create(path)).await
    }
}
