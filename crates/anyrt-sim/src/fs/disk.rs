//! Access to the disk of a node from the test.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::queue::Doing;
use super::resolve::Last;
use crate::node::Node;

/// The disk of a node, accessed from outside. Operations take no virtual time, ignore
/// [`DiskFaults`], and are durable at once. Paths are the node's.
///
/// [`DiskFaults`]: crate::DiskFaults
///
/// ```
/// use anyrt_sim::{Sim, SimRuntime};
///
/// let sim = Sim::new(7);
/// let node = sim.host("db", std::future::pending::<()>);
/// node.disk().write("/etc/db.conf", "size = 3").unwrap();
/// sim.client("client", async move {
///     let db = node.runtime().files();
///     assert_eq!(db.read("/etc/db.conf".into()).await.unwrap(), b"size = 3");
/// });
/// sim.run().unwrap();
/// ```
#[derive(Debug)]
pub struct Disk {
    node: Node,
}

impl Node {
    /// Returns the disk of the node.
    pub fn disk(&self) -> Disk {
        Disk { node: self.clone() }
    }

    /// Like [`power_off`](Self::power_off), but the disk is lost, and the node restarts with an
    /// empty one.
    pub fn wipe(&self) {
        if self.suffers("a loss of the disk of") {
            self.end(false);
            self.world().replace_disk(self.state().id());
        }
    }
}

impl Disk {
    fn with<T>(&self, job: impl FnOnce(&mut Doing<'_>) -> io::Result<T>) -> io::Result<T> {
        let now = self.node.runtime().system_time();
        let mut disks = self.node.world().disks();
        disks.with(self.node.state().id(), now, |doing| {
            doing.store.set(now, None);
            job(doing)
        })?
    }

    /// Reads a file.
    ///
    /// # Errors
    /// See [`std::fs::read`].
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.with(|doing| doing.store.read(path.as_ref()))
    }

    /// Writes a file. Creates missing parent directories.
    ///
    /// # Errors
    /// See [`std::fs::write`].
    pub fn write(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
        let (path, contents) = (path.as_ref(), contents.as_ref());
        self.with(|doing| {
            let store = &mut *doing.store;
            if let Some(parent) = path.parent() {
                while store
                    .create_directory_above(parent, &DirBuilder::new())?
                    .is_none()
                {}
            }
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            let wish = store.wish(&options)?;
            let mut file = store.open(path, &options, wish)?;
            if let Some(ino) = store.find(&file)? {
                store.write(ino, None, contents, |part| file.write_all(part))?;
            }
            store.sync_path(path)
        })
    }

    /// Creates a directory and its missing parents.
    ///
    /// # Errors
    /// See [`std::fs::create_dir_all`].
    pub fn create_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        self.with(|doing| {
            while doing
                .store
                .create_directory_above(path, &DirBuilder::new())?
                .is_none()
            {}
            doing.store.sync_path(path)
        })
    }

    /// Removes a file, or a directory with its contents.
    ///
    /// # Errors
    /// See [`std::fs::remove_file`] and [`std::fs::remove_dir_all`].
    pub fn remove(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        self.with(|doing| {
            let store = &mut *doing.store;
            if store.metadata(path, Last::Keep)?.is_dir() {
                while store.remove_one_of(path, doing.random)?.is_none() {}
            } else {
                store.remove_file(path)?;
            }
            match path.parent() {
                Some(parent) => store.sync_path(parent),
                None => Ok(()),
            }
        })
    }

    /// Returns the names in a directory, sorted.
    ///
    /// # Errors
    /// See [`std::fs::read_dir`].
    pub fn names(&self, path: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
        self.with(|doing| doing.store.names(path.as_ref()))
    }

    /// Returns `true` if the path exists.
    ///
    /// # Errors
    /// See [`Path::try_exists`].
    pub fn exists(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        self.with(|doing| doing.store.try_exists(path.as_ref()))
    }

    /// Makes all changes durable, like the command `sync`.
    ///
    /// # Errors
    /// Fails if the real directory cannot be created.
    pub fn sync(&self) -> io::Result<()> {
        self.with(|doing| {
            doing.store.sync_everything();
            Ok(())
        })
    }

    /// Returns the total length of all files.
    ///
    /// # Errors
    /// Fails if the real directory cannot be created.
    pub fn used(&self) -> io::Result<u64> {
        self.with(|doing| Ok(doing.store.used()))
    }

    /// Returns the real directory, which is valid until the next power failure or the end of the
    /// simulation. Do not change it: the simulator does not detect changes.
    ///
    /// # Errors
    /// Fails if the real directory cannot be created.
    pub fn real_path(&self) -> io::Result<PathBuf> {
        self.with(|doing| Ok(doing.store.root()))
    }
}
