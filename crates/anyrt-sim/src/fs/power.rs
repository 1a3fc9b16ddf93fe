//! Power failures: unsynced changes are lost, completely or in part.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::contents::open_live;
use super::faults::Unsynced;
use super::store::Store;
use super::tree::{Ino, InodeKind, ROOT};
use crate::random::Random;

impl Store {
    /// Removes the real directory.
    pub(super) fn destroy(self) {
        let _ = self.unlock(&self.root(), ROOT);
        let _ = fs::remove_dir_all(&self.base);
    }

    /// Applies a power failure: unsynced changes are lost, completely or in part.
    ///
    /// # Errors
    /// Returns the errors of the system.
    pub(super) fn lose(&mut self, unsynced: Unsynced, random: &mut Random) -> io::Result<()> {
        let all: Vec<_> = self.tree.inodes().map(|(ino, _)| ino).collect();
        let mut places = BTreeMap::new();
        for ino in all {
            let real = self.real(ino);
            let Some(contents) = self.tree.contents(ino) else {
                continue;
            };
            if let Some(history) = contents.history.take() {
                let live = open_live(&real)?;
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
            let all = Permissions::from_mode(0o700);
            fs::set_permissions(real, all)?;
        }
        for (name, inner) in &directory.entries {
            self.unlock(&real.join(name), *inner)?;
        }
        Ok(())
    }

    /// Creates a directory with the contents of the tree, from the files at `places`.
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
                InodeKind::Directory(_) => self.rebuild(&to, *inner, places)?,
                InodeKind::Link(target) => std::os::unix::fs::symlink(target, &to)?,
                InodeKind::File(_) => {
                    let Some(place) = places.get_mut(inner) else {
                        continue;
                    };
                    match place.starts_with(self.base.join("next")) {
                        // It exists under another name.
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
