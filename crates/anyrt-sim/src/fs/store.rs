//! The disk of one node: a real directory, because `std::fs::Metadata` cannot be constructed, and
//! the [`Tree`] of its contents, which resolves paths and undoes changes.
//!
//! No path of the program ever reaches the system, which only sees the directory and names of the
//! tree without symbolic links. A separate directory keeps files that were removed but would return
//! after a power failure.

use std::collections::BTreeMap;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use rustix::io::Errno;

use super::resolve::{Last, Place, resolve, seen};
use super::tree::{Directory, Ino, InodeKind, Name, Tree};
use super::wish::Wish;
use crate::random::Random;

/// See [the module](self).
#[derive(Debug)]
pub(super) struct Store {
    pub(super) base: PathBuf,
    pub(super) tree: Tree,
    /// The files by their inode number.
    pub(super) system: BTreeMap<u64, Ino>,
    pub(super) capacity: Option<u64>,
    /// The node's wall clock.
    now: SystemTime,
}

impl Store {
    /// Creates an empty disk in the directory `base`, which must not exist.
    ///
    /// It has a directory for temporary files at `std::env::temp_dir`.
    ///
    /// # Errors
    /// Returns the errors of the system.
    pub(super) fn new(base: PathBuf) -> io::Result<Self> {
        fs::create_dir(&base)?;
        let store = Self {
            base,
            tree: Tree::new(),
            system: BTreeMap::new(),
            capacity: None,
            now: SystemTime::UNIX_EPOCH,
        };
        fs::create_dir(store.root())?;
        fs::create_dir(store.removed())?;
        let mut store = store;
        let temporary = std::env::temp_dir();
        let builder = fs::DirBuilder::new();
        while store
            .create_directory_above(&temporary, &builder)?
            .is_none()
        {}
        store.sync_everything();
        Ok(store)
    }

    /// Sets the context of the following operations.
    pub(super) fn set(&mut self, now: SystemTime, capacity: Option<u64>) {
        self.now = now;
        self.capacity = capacity;
    }

    /// Returns the number of changes so far.
    pub(super) fn clock(&self) -> u64 {
        self.tree.clock
    }

    pub(super) fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// Returns the flags of these options for opening a file.
    pub(super) fn wish(&self, options: &fs::OpenOptions) -> io::Result<Wish> {
        Wish::of(options, &self.base)
    }

    pub(super) fn removed(&self) -> PathBuf {
        self.base.join("removed")
    }

    /// Returns its real path.
    pub(super) fn real(&self, ino: Ino) -> PathBuf {
        match self.tree.path(ino) {
            Some(path) => self.root().join(path),
            None => self.removed().join(ino.to_string()),
        }
    }

    pub(super) fn real_name(&self, (directory, name): &Name) -> PathBuf {
        self.real(*directory).join(name)
    }

    pub(super) fn resolve(&self, path: &Path, last: Last) -> io::Result<Place> {
        resolve(&self.tree, path, last)
    }

    pub(super) fn kind(&self, ino: Ino) -> io::Result<&InodeKind> {
        let inode = self.tree.get(ino).ok_or(Errno::NOENT)?;
        Ok(&inode.kind)
    }

    /// Deletes files that no entry leads to any more, now or after a power failure.
    pub(super) fn forget(&mut self, gone: Vec<Ino>) {
        for ino in gone {
            // Another file may get its number soon.
            let path = self.removed().join(ino.to_string());
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                self.system.remove(&metadata.ino());
            }
            let _ = fs::remove_file(path);
        }
    }

    pub(super) fn change(&mut self, directory: Ino, entries: Vec<(Name, Option<Ino>)>) {
        for (name, _) in &entries {
            self.stamp(&self.real(name.0));
        }
        let gone = self.tree.change(directory, entries);
        self.forget(gone);
    }

    /// Sets its modification time to the node's present time.
    pub(super) fn stamp(&self, path: &Path) {
        let since = self.now.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or_default();
        let time = Timespec {
            tv_sec: since.as_secs().cast_signed(),
            tv_nsec: since.subsec_nanos().into(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        // Without the permission it keeps the real time.
        let _ = utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    // ---- Paths ---------------------------------------------------------------------------------

    pub(super) fn metadata(&self, path: &Path, last: Last) -> io::Result<Metadata> {
        let ino = self.resolve(path, last)?.existing()?;
        fs::symlink_metadata(self.real(ino))
    }

    pub(super) fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let place = self.resolve(path, Last::Follow)?;
        let ino = place.existing()?;
        match &place.name {
            // By the name that was used: there may be several.
            Some((directory, name)) => {
                let directory = self.tree.path(*directory).ok_or(Errno::NOENT)?;
                Ok(seen(&directory.join(name)))
            }
            None => Ok(seen(&self.tree.path(ino).ok_or(Errno::NOENT)?)),
        }
    }

    pub(super) fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let ino = self.resolve(path, Last::Keep)?.existing()?;
        match self.kind(ino)? {
            InodeKind::Link(target) => Ok(target.clone()),
            _ => Err(Errno::INVAL.into()),
        }
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let ino = self.resolve(path, Last::Follow)?.existing()?;
        fs::read(self.real(ino))
    }

    pub(super) fn try_exists(&self, path: &Path) -> io::Result<bool> {
        match self.resolve(path, Last::Follow) {
            Ok(place) => Ok(place.found.is_some()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn create_directory(
        &mut self,
        path: &Path,
        builder: &fs::DirBuilder,
    ) -> io::Result<()> {
        let place = self.resolve(path, Last::Keep)?;
        let (Some(name), None) = (place.name, place.found) else {
            return Err(Errno::EXIST.into());
        };
        let real = self.real_name(&name);
        builder.create(&real)?;
        let ino = self.tree.add(InodeKind::Directory(Directory::default()));
        self.change(name.0, vec![(name, Some(ino))]);
        self.stamp(&real);
        Ok(())
    }

    /// Creates one missing directory of `path`, starting at the top; `Some` when the last one
    /// exists.
    pub(super) fn create_directory_above(
        &mut self,
        path: &Path,
        builder: &fs::DirBuilder,
    ) -> io::Result<Option<()>> {
        if path.as_os_str().is_empty() {
            return Ok(Some(()));
        }
        let mut missing = path;
        loop {
            match self.create_directory(missing, builder) {
                Ok(()) => return Ok((missing == path).then_some(())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => match missing.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => missing = parent,
                    _ => return Err(error),
                },
                Err(_) if missing == path && self.is_directory(path) => return Ok(Some(())),
                Err(error) => return Err(error),
            }
        }
    }

    fn is_directory(&self, path: &Path) -> bool {
        let place = self.resolve(path, Last::Follow);
        let found = place.ok().and_then(|place| place.found);
        found.is_some_and(|ino| self.tree.directory(ino).is_some())
    }

    pub(super) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        let place = self.resolve(path, Last::Keep)?;
        place.existing()?;
        let name = place.name.ok_or(Errno::BUSY)?;
        fs::remove_dir(self.real_name(&name))?;
        self.change(name.0, vec![(name, None)]);
        Ok(())
    }

    /// Removes one entry of a directory, or the directory itself; `Some` once that is done.
    pub(super) fn remove_one_of(
        &mut self,
        path: &Path,
        random: &mut Random,
    ) -> io::Result<Option<()>> {
        let place = self.resolve(path, Last::Keep)?;
        let mut ino = place.existing()?;
        let mut name = place.name.ok_or(Errno::BUSY)?;
        let top = ino;
        if let InodeKind::File(_) = self.kind(ino)? {
            return Err(Errno::NOTDIR.into());
        }
        while let Some(directory) = self.tree.directory(ino)
            && !directory.entries.is_empty()
        {
            let at = random.index(directory.entries.len());
            let Some((entry, inner)) = directory.entries.iter().nth(at) else {
                break;
            };
            name = (ino, entry.clone());
            ino = *inner;
        }
        if self.tree.directory(ino).is_some() {
            fs::remove_dir(self.real_name(&name))?;
            self.change(name.0, vec![(name, None)]);
        } else {
            self.unlink(name, ino)?;
        }
        Ok((ino == top).then_some(()))
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        let place = self.resolve(path, Last::Keep)?;
        let ino = place.existing()?;
        let name = place.name.ok_or(Errno::ISDIR)?;
        self.unlink(name, ino)
    }

    fn unlink(&mut self, name: Name, ino: Ino) -> io::Result<()> {
        let real = self.real_name(&name);
        self.replacing(Some(ino), || fs::remove_file(real))?;
        self.change(name.0, vec![(name, None)]);
        Ok(())
    }

    /// Runs `job`, which may remove the last name of `old`: such a file is kept for a power failure
    /// that brings it back.
    fn replacing<T>(&self, old: Option<Ino>, job: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let old = old.and_then(|old| Some((old, self.tree.get(old)?)));
        let kept = match old {
            Some((ino, inode))
                if inode.names.len() == 1 && matches!(inode.kind, InodeKind::File(_)) =>
            {
                let kept = self.removed().join(ino.to_string());
                fs::hard_link(self.real(ino), &kept)?;
                Some(kept)
            }
            _ => None,
        };
        let result = job();
        if let (Some(kept), Err(_)) = (kept, &result) {
            fs::remove_file(kept)?;
        }
        result
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (
            self.resolve(from, Last::Keep)?,
            self.resolve(to, Last::Keep)?,
        );
        let ino = from.existing()?;
        let (Some(old), Some(new)) = (from.name, to.name) else {
            return Err(Errno::BUSY.into());
        };
        if to.wants_directory && self.tree.directory(ino).is_none() {
            return Err(Errno::NOTDIR.into());
        }
        if to.found == Some(ino) {
            return Ok(());
        }
        let real = [&old, &new].map(|name| self.real_name(name));
        self.replacing(to.found, || fs::rename(&real[0], &real[1]))?;
        self.change(new.0, vec![(old, None), (new, Some(ino))]);
        Ok(())
    }

    pub(super) fn hard_link(&mut self, original: &Path, link: &Path) -> io::Result<()> {
        let ino = self.resolve(original, Last::Keep)?.existing()?;
        let place = self.resolve(link, Last::Keep)?;
        let (Some(name), None) = (place.name, place.found) else {
            return Err(Errno::EXIST.into());
        };
        if place.wants_directory {
            return Err(Errno::NOENT.into());
        }
        fs::hard_link(self.real(ino), self.real_name(&name))?;
        self.change(name.0, vec![(name, Some(ino))]);
        Ok(())
    }

    pub(super) fn symlink(&mut self, target: &Path, link: &Path) -> io::Result<()> {
        let place = self.resolve(link, Last::Keep)?;
        let (Some(name), None) = (place.name, place.found) else {
            return Err(Errno::EXIST.into());
        };
        if place.wants_directory {
            return Err(Errno::NOENT.into());
        }
        let real = self.real_name(&name);
        std::os::unix::fs::symlink(target, &real)?;
        let ino = self.tree.add(InodeKind::Link(target.to_owned()));
        self.change(name.0, vec![(name, Some(ino))]);
        self.stamp(&real);
        Ok(())
    }

    pub(super) fn set_permissions(
        &mut self,
        path: &Path,
        permissions: Permissions,
    ) -> io::Result<()> {
        let ino = self.resolve(path, Last::Follow)?.existing()?;
        fs::set_permissions(self.real(ino), permissions.clone())?;
        if let Some(directory) = self.tree.directory_mut(ino) {
            directory.permissions = Some(permissions);
        }
        Ok(())
    }

    /// Returns the entries, in an order that the seed chooses.
    pub(super) fn read_directory(
        &self,
        path: &Path,
        random: &mut Random,
    ) -> io::Result<Vec<fs::DirEntry>> {
        let ino = self.resolve(path, Last::Follow)?.existing()?;
        let mut entries: Vec<_> = fs::read_dir(self.real(ino))?.collect::<io::Result<_>>()?;
        entries.sort_by_cached_key(fs::DirEntry::file_name);
        random.shuffle(&mut entries);
        Ok(entries)
    }

    /// Returns the names in a directory, sorted.
    pub(super) fn names(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        let ino = self.resolve(path, Last::Follow)?.existing()?;
        let directory = self.tree.directory(ino).ok_or(Errno::NOTDIR)?;
        Ok(directory.entries.keys().cloned().collect())
    }
}
