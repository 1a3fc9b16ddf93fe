//! Creates directories with options.

use std::io;
use std::path::Path;

use super::asyncify;
use crate::backend::simulated::on_disk;

/// A builder for directories.
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
    /// Creates a builder that is not recursive and uses the default permissions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether missing parents are created as well; `false` by default. If set, an existing
    /// directory is not an error.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// Sets the permissions, from which the process's umask is subtracted; 0o777 by default.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Creates the directory.
    ///
    /// # Errors
    /// See [`std::fs::DirBuilder::create`].
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Not cancel-safe: if the future is dropped, the directory may or may not be created.
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref().to_owned();
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(self.recursive);
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
        }
        on_disk!(files => files.build_dir(path, builder, self.recursive));
        asyncify(move || builder.create(path)).await
    }
}
