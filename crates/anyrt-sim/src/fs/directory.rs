//! The location of the disks of a simulation.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory in memory, if the system has one, which is removed when the value is dropped.
///
/// Not `tempfile`: it depends on `getrandom`, and a shim may replace that by a crate that depends
/// on this one.
#[derive(Debug)]
pub(super) struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// Creates a directory. Its name uses no random number, which might come from the seed.
    pub(super) fn new() -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("anyrt-sim-{}-{number}", process::id());
            let made =
                make(&Path::new("/dev/shm").join(&name)).or_else(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => Err(error),
                    _ => make(&std::env::temp_dir().join(&name)),
                });
            match made {
                // Left by a process that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(Self),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

/// Fails if it exists already.
fn make(path: &Path) -> io::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    Ok(path.to_owned())
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // An error cannot be reported here.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_leaves_nothing_behind() {
        let (one, two) = (
            TemporaryDirectory::new().unwrap(),
            TemporaryDirectory::new().unwrap(),
        );
        assert_ne!(one.path(), two.path());
        fs::write(one.path().join("file"), "text").unwrap();
        let path = one.path().to_owned();
        assert!(path.join("file").exists());
        drop(one);
        assert!(!path.exists() && two.path().exists());
    }
}
