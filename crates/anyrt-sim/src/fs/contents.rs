//! The contents of files: opened, written, cut and synced.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::io::Errno;

use super::history::PageHistory;
use super::resolve::Last;
use super::store::Store;
use super::tree::{Contents, Ino, Inode, InodeKind};
use super::wish::Wish;
use crate::random::Random;

impl Store {
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
        let ino = self.tree.add(InodeKind::File(Contents::default()));
        self.system.insert(file.metadata()?.ino(), ino);
        self.change(name.0, vec![(name, Some(ino))]);
        self.stamp(&real);
        Ok(file)
    }

    /// Returns the file's number on the disk.
    pub(super) fn find(&self, file: &File) -> io::Result<Option<Ino>> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            // There are few, and a power failure creates new ones.
            let mut inodes = self.tree.inodes();
            let found = inodes.find(|(ino, inode)| {
                matches!(inode.kind, InodeKind::Directory(_))
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

    /// Returns the free space in bytes.
    fn room(&self) -> u64 {
        let Some(capacity) = self.capacity else {
            return u64::MAX;
        };
        let used = self.used();
        capacity.saturating_sub(used)
    }

    /// Returns the total length of all files.
    pub(super) fn used(&self) -> u64 {
        let len = |(_, inode): (Ino, &Inode)| match &inode.kind {
            InodeKind::File(contents) if !inode.names.is_empty() => contents.len,
            _ => 0,
        };
        self.tree.inodes().map(len).sum()
    }

    /// Writes at `offset` by `write`, which receives the part of `bytes` for which there is space.
    ///
    /// # Errors
    /// `ENOSPC` if only a part fits; that part is written.
    pub(super) fn write(
        &mut self,
        ino: Ino,
        offset: Option<u64>,
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.tree.contents(ino).is_none() {
            // It is a directory, and the system says so, or it was removed for good and only a
            // handle is left.
            return write(bytes);
        }
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
        let live = open_live(&real)?;
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

    fn history(&mut self, ino: Ino) -> io::Result<&mut PageHistory> {
        // Only files can be written to.
        let contents = self.tree.contents(ino).ok_or(Errno::ISDIR)?;
        let len = contents.len;
        Ok(contents
            .history
            .get_or_insert_with(|| PageHistory::new(len)))
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
        if self.tree.contents(ino).is_none() {
            return set();
        }
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
            let live = open_live(&self.real(ino))?;
            self.history(ino)?.keep(&live, before, len, before)?;
        }
        Ok(before)
    }

    fn finish_cut(&mut self, ino: Ino, before: u64, len: u64) -> io::Result<()> {
        let real = self.real(ino);
        let at = self.tree.tick();
        if len < before {
            let live = open_live(&real)?;
            self.history(ino)?.cut(at, &live, before, len)?;
        } else if len > before {
            self.history(ino)?.set_len(at, len);
        }
        self.set_len_of(ino, len);
        self.stamp(&real);
        Ok(())
    }

    /// Makes the file's changes up to `until` durable.
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

    /// Makes a sync fail.
    pub(super) fn fail_sync(&mut self, ino: Ino, until: u64, random: &mut Random) {
        // The changes of a directory are in the journal, which will still write them.
        if let Some(contents) = self.tree.contents(ino)
            && let Some(history) = &mut contents.history
        {
            history.fail_sync(until, random);
        }
    }

    /// Makes a file and all entries that lead to it durable.
    pub(super) fn sync_path(&mut self, path: &Path) -> io::Result<()> {
        let ino = self.resolve(path, Last::Keep)?.existing()?;
        let now = self.tree.clock;
        self.sync(ino, now);
        let gone = self.tree.sync_path(ino);
        self.forget(gone);
        Ok(())
    }

    /// Makes everything durable.
    pub(super) fn sync_everything(&mut self) {
        let now = self.tree.clock;
        let all: Vec<_> = self.tree.inodes().map(|(ino, _)| ino).collect();
        for ino in all {
            self.sync(ino, now);
        }
    }
}

/// Opens a file for reading and writing, whatever its permissions.
pub(super) fn open_live(real: &Path) -> io::Result<File> {
    let open = || File::options().read(true).write(true).open(real);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let permissions = fs::metadata(real)?.permissions();
            fs::set_permissions(real, Permissions::from_mode(0o600))?;
            let opened = open();
            fs::set_permissions(real, permissions)?;
            opened
        }
        opened => opened,
    }
}
