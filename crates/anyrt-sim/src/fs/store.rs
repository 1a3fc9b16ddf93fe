//! The disk of one node: a real directory, because `std::fs::Metadata` cannot be made by hand, and the [`Tree`] of what
//! is in it, by which paths are found and undone.
//!
//! No path of the program ever reaches the system: what is used there is the directory, and names of the tree without
//! symbolic links. A file that was removed but would be back after a power failure is kept in a directory beside.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use rustix::io::Errno;

use super::faults::Unsynced;
use super::history::History;
use super::resolve::{Last, Place, resolve, seen};
use super::tree::{Contents, Directory, Ino, Kind, Name, ROOT, Tree};
use super::wish::Wish;
use crate::random::Random;

/// See [the module](self).
#[derive(Debug)]
pub(super) struct Store {
    base: PathBuf,
    tree: Tree,
    /// Which file has that number of the system.
    system: BTreeMap<u64, Ino>,
    capacity: Option<u64>,
    /// The node's wall clock.
    now: SystemTime,
}

impl Store {
    /// An empty disk in the directory `base`, which must not exist.
    ///
    /// It has a directory for temporary files, where `std::env::temp_dir` says.
    ///
    /// # Errors
    /// Those of the system.
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

    /// Tells what the operations that follow need to know.
    pub(super) fn set(&mut self, now: SystemTime, capacity: Option<u64>) {
        self.now = now;
        self.capacity = capacity;
    }

    /// Removes the real directory.
    pub(super) fn destroy(self) {
        let _ = self.unlock(&self.root(), ROOT);
        let _ = fs::remove_dir_all(&self.base);
    }

    /// The number of changes so far.
    pub(super) fn clock(&self) -> u64 {
        self.tree.clock
    }

    pub(super) fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// What opening a file with these options asks for.
    pub(super) fn wish(&self, options: &fs::OpenOptions) -> io::Result<Wish> {
        Wish::of(options, &self.base)
    }

    fn removed(&self) -> PathBuf {
        self.base.join("removed")
    }

    /// Where the system has it.
    fn real(&self, ino: Ino) -> PathBuf {
        match self.tree.path(ino) {
            Some(path) => self.root().join(path),
            None => self.removed().join(ino.to_string()),
        }
    }

    fn real_name(&self, (directory, name): &Name) -> PathBuf {
        self.real(*directory).join(name)
    }

    fn resolve(&self, path: &Path, last: Last) -> io::Result<Place> {
        resolve(&self.tree, path, last)
    }

    fn kind(&self, ino: Ino) -> io::Result<&Kind> {
        let inode = self.tree.get(ino).ok_or(Errno::NOENT)?;
        Ok(&inode.kind)
    }

    /// Files that nothing leads to any more, now and after a power failure.
    fn forget(&mut self, gone: Vec<Ino>) {
        for ino in gone {
            // Another file may have its number soon.
            let path = self.removed().join(ino.to_string());
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                self.system.remove(&metadata.ino());
            }
            let _ = fs::remove_file(path);
        }
    }

    fn change(&mut self, directory: Ino, entries: Vec<(Name, Option<Ino>)>) {
        for (name, _) in &entries {
            self.stamp(&self.real(name.0));
        }
        let gone = self.tree.change(directory, entries);
        self.forget(gone);
    }

    /// It was changed now, by the node's clock.
    fn stamp(&self, path: &Path) {
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

    // ---- Paths ----------------------------------------------------------------------------------------------

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
            Kind::Link(target) => Ok(target.clone()),
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
        let ino = self.tree.add(Kind::Directory(Directory::default()));
        self.change(name.0, vec![(name, Some(ino))]);
        self.stamp(&real);
        Ok(())
    }

    /// Creates one missing directory of `path`, from above; `Some` when the last one is there.
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

    /// Removes one thing of what a directory has, or the directory itself; `Some` once that is done.
    pub(super) fn remove_one_of(
        &mut self,
        path: &Path,
        random: &mut Random,
    ) -> io::Result<Option<()>> {
        let place = self.resolve(path, Last::Keep)?;
        let mut ino = place.existing()?;
        let mut name = place.name.ok_or(Errno::BUSY)?;
        let top = ino;
        if let Kind::File(_) = self.kind(ino)? {
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

    /// Takes the last name of a file, perhaps: it is kept for a power failure that brings it back.
    fn replacing<T>(&self, old: Option<Ino>, job: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let old = old.and_then(|old| Some((old, self.tree.get(old)?)));
        let kept = match old {
            Some((ino, inode)) if inode.names.len() == 1 && matches!(inode.kind, Kind::File(_)) => {
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
        let ino = self.tree.add(Kind::Link(target.to_owned()));
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

    /// The entries, in an order of the seed's.
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

    /// The names in a directory, sorted.
    pub(super) fn names(&self, path: &Path) -> io::Result<Vec<std::ffi::OsString>> {
        let ino = self.resolve(path, Last::Follow)?.existing()?;
        let directory = self.tree.directory(ino).ok_or(Errno::NOTDIR)?;
        Ok(directory.entries.keys().cloned().collect())
    }

    // ---- Open files -----------------------------------------------------------------------------------------

    /// Opens a file with options that have the flags `wish`.
    pub(super) fn open(
        &mut self,
        path: &Path,
        options: &fs::OpenOptions,
        wish: Wish,
    ) -> io::Result<File> {
        let last = match wish.keeps_link {
            true => Last::Keep,
            false => Last::Follow,
        };
        let place = self.resolve(path, last)?;
        if let Some(ino) = place.found {
            if wish.is_new {
                return Err(Errno::EXIST.into());
            }
            let real = self.real(ino);
            if !wish.truncates {
                return options.open(real);
            }
            let before = self.prepare_cut(ino, 0)?;
            let file = options.open(&real)?;
            self.finish_cut(ino, before, 0)?;
            return Ok(file);
        }
        let name = place.name.ok_or(Errno::NOENT)?;
        if !wish.creates {
            return Err(Errno::NOENT.into());
        }
        if place.wants_directory {
            return Err(Errno::ISDIR.into());
        }
        let real = self.real_name(&name);
        let file = options.open(&real)?;
        let ino = self.tree.add(Kind::File(Contents::default()));
        self.system.insert(file.metadata()?.ino(), ino);
        self.change(name.0, vec![(name, Some(ino))]);
        self.stamp(&real);
        Ok(file)
    }

    /// Which file of the disk it is.
    pub(super) fn find(&self, file: &File) -> io::Result<Option<Ino>> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            // There are few, and a power failure makes them anew.
            let mut inodes = self.tree.inodes();
            let found = inodes.find(|(ino, inode)| {
                matches!(inode.kind, Kind::Directory(_))
                    && fs::symlink_metadata(self.real(*ino)).is_ok_and(|real| {
                        (real.ino(), real.dev()) == (metadata.ino(), metadata.dev())
                    })
            });
            return Ok(found.map(|(ino, _)| ino));
        }
        let found = self.system.get(&metadata.ino()).copied();
        let same = |ino: &Ino| {
            fs::symlink_metadata(self.real(*ino)).is_ok_and(|real| real.dev() == metadata.dev())
        };
        Ok(found.filter(same))
    }

    fn len(&mut self, ino: Ino) -> u64 {
        self.tree.contents(ino).map_or(0, |contents| contents.len)
    }

    /// How many more bytes there is room for.
    fn room(&self) -> u64 {
        let Some(capacity) = self.capacity else {
            return u64::MAX;
        };
        let used = self.used();
        capacity.saturating_sub(used)
    }

    /// The length of all files together.
    pub(super) fn used(&self) -> u64 {
        let len = |(_, inode): (Ino, &super::tree::Inode)| match &inode.kind {
            Kind::File(contents) if !inode.names.is_empty() => contents.len,
            _ => 0,
        };
        self.tree.inodes().map(len).sum()
    }

    /// Writes at `offset` by `write`, which gets the part of `bytes` that there is room for.
    ///
    /// # Errors
    /// `ENOSPC` if that is not all; the part is written.
    pub(super) fn write(
        &mut self,
        ino: Ino,
        offset: Option<u64>,
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let len = self.len(ino);
        let offset = offset.unwrap_or(len);
        let end = len.saturating_add(self.room());
        let fits = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let part = &bytes[..bytes.len().min(fits)];
        let to = offset + part.len() as u64;
        let real = self.real(ino);
        let history = self.history(ino)?;
        if part.is_empty() {
            return match bytes.is_empty() {
                true => write(part),
                false => Err(Errno::NOSPC.into()),
            };
        }
        let live = File::open(&real)?;
        history.keep(&live, len, offset, to)?;
        let result = write(part);
        let at = self.tree.tick();
        let after = live.metadata()?.len();
        self.history(ino)?.written(at, &live, after, offset, to)?;
        self.set_len_of(ino, after);
        self.stamp(&real);
        result?;
        match part.len() < bytes.len() {
            true => Err(Errno::NOSPC.into()),
            false => Ok(()),
        }
    }

    fn history(&mut self, ino: Ino) -> io::Result<&mut History> {
        // Only files can be written to.
        let contents = self.tree.contents(ino).ok_or(Errno::ISDIR)?;
        let len = contents.len;
        Ok(contents.history.get_or_insert_with(|| History::new(len)))
    }

    fn set_len_of(&mut self, ino: Ino, len: u64) {
        if let Some(contents) = self.tree.contents(ino) {
            contents.len = len;
        }
    }

    /// Sets the length by `set`.
    pub(super) fn set_len(
        &mut self,
        ino: Ino,
        len: u64,
        set: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let before = self.prepare_cut(ino, len)?;
        if len.saturating_sub(before) > self.room() {
            return Err(Errno::NOSPC.into());
        }
        set()?;
        self.finish_cut(ino, before, len)
    }

    fn prepare_cut(&mut self, ino: Ino, len: u64) -> io::Result<u64> {
        let before = self.len(ino);
        if len < before && self.tree.contents(ino).is_some() {
            let live = File::open(self.real(ino))?;
            self.history(ino)?.keep(&live, before, len, before)?;
        }
        Ok(before)
    }

    fn finish_cut(&mut self, ino: Ino, before: u64, len: u64) -> io::Result<()> {
        let real = self.real(ino);
        let at = self.tree.tick();
        if len < before {
            let live = File::open(&real)?;
            self.history(ino)?.cut(at, &live, before, len)?;
        } else if len > before {
            self.history(ino)?.set_len(at, len);
        }
        self.set_len_of(ino, len);
        self.stamp(&real);
        Ok(())
    }

    // ---- Durability -----------------------------------------------------------------------------------------

    /// What was done to it up to `until` is durable.
    pub(super) fn sync(&mut self, ino: Ino, until: u64) {
        if self.tree.directory(ino).is_some() {
            let gone = self.tree.sync_directory(ino, until);
            self.forget(gone);
        } else if let Some(contents) = self.tree.contents(ino)
            && let Some(history) = &mut contents.history
        {
            history.sync(until);
            contents.history.take_if(|history| history.is_clean());
        }
    }

    /// A sync fails.
    pub(super) fn fail_sync(&mut self, ino: Ino, until: u64, random: &mut Random) {
        // The changes of a directory are in the journal: they stay to be written.
        if let Some(contents) = self.tree.contents(ino)
            && let Some(history) = &mut contents.history
        {
            history.fail_sync(until, random);
        }
    }

    /// A file, and all that leads to it, is durable.
    pub(super) fn sync_path(&mut self, path: &Path) -> io::Result<()> {
        let ino = self.resolve(path, Last::Keep)?.existing()?;
        let now = self.tree.clock;
        self.sync(ino, now);
        let gone = self.tree.sync_path(ino);
        self.forget(gone);
        Ok(())
    }

    /// All is durable.
    pub(super) fn sync_everything(&mut self) {
        let now = self.tree.clock;
        let all: Vec<_> = self.tree.inodes().map(|(ino, _)| ino).collect();
        for ino in all {
            self.sync(ino, now);
        }
    }

    /// The power fails: what was not synced is lost, or a part of it.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn lose(&mut self, unsynced: Unsynced, random: &mut Random) -> io::Result<()> {
        let all: Vec<_> = self.tree.inodes().map(|(ino, _)| ino).collect();
        let mut places = BTreeMap::new();
        for ino in all {
            let real = self.real(ino);
            let Some(contents) = self.tree.contents(ino) else {
                continue;
            };
            if let Some(history) = contents.history.take() {
                let live = File::options().write(true).open(&real)?;
                contents.len = history.lose(&live, unsynced, random)?;
            }
            places.insert(ino, real);
        }
        self.unlock(&self.root(), ROOT)?;
        self.tree.lose(unsynced, random);
        let next = self.base.join("next");
        self.rebuild(&next, ROOT, &mut places)?;
        let _ = fs::remove_dir_all(self.root());
        fs::rename(next, self.root())?;
        let _ = fs::remove_dir_all(self.removed());
        fs::create_dir(self.removed())?;
        self.system.retain(|_, ino| self.tree.get(*ino).is_some());
        Ok(())
    }

    /// Makes directories accessible whose permissions the program has changed.
    fn unlock(&self, real: &Path, ino: Ino) -> io::Result<()> {
        let Some(directory) = self.tree.directory(ino) else {
            return Ok(());
        };
        if directory.permissions.is_some() {
            let all = <Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o700);
            fs::set_permissions(real, all)?;
        }
        for (name, inner) in &directory.entries {
            self.unlock(&real.join(name), *inner)?;
        }
        Ok(())
    }

    /// Makes a directory as the tree has it, of the files at `places`.
    fn rebuild(
        &self,
        real: &Path,
        ino: Ino,
        places: &mut BTreeMap<Ino, PathBuf>,
    ) -> io::Result<()> {
        let Some(directory) = self.tree.directory(ino) else {
            return Ok(());
        };
        fs::create_dir(real)?;
        for (name, inner) in &directory.entries {
            let to = real.join(name);
            match self.kind(*inner)? {
                Kind::Directory(_) => self.rebuild(&to, *inner, places)?,
                Kind::Link(target) => std::os::unix::fs::symlink(target, &to)?,
                Kind::File(_) => {
                    let Some(place) = places.get_mut(inner) else {
                        continue;
                    };
                    match place.starts_with(self.base.join("next")) {
                        // It is there by another name.
                        true => fs::hard_link(&*place, &to)?,
                        false => fs::rename(&*place, &to)?,
                    }
                    *place = to;
                }
            }
        }
        self.stamp(real);
        if let Some(permissions) = &directory.permissions {
            fs::set_permissions(real, permissions.clone())?;
        }
        Ok(())
    }
}
