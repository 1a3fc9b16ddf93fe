//! The names of a disk, with the changes that are not durable yet and the means to undo them.
//!
//! The tree is the view of the running system. Each change of a directory is kept until that
//! directory is synced, together with the replaced entry, so that a power failure can undo it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use super::faults::Unsynced;
use super::history::PageHistory;
use crate::random::Random;

/// The number of a file, directory or symbolic link.
pub(super) type Ino = u64;

pub(super) const ROOT: Ino = 0;

/// An entry of a directory: the directory and the name.
pub(super) type Name = (Ino, OsString);

#[derive(Debug)]
pub(super) enum InodeKind {
    Directory(Directory),
    File(Contents),
    Link(PathBuf),
}

#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) entries: BTreeMap<OsString, Ino>,
    /// The permissions, unless they are the usual ones.
    pub(super) permissions: Option<std::fs::Permissions>,
}

#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) len: u64,
    /// `None` if everything is durable.
    pub(super) history: Option<PageHistory>,
}

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) kind: InodeKind,
    /// Its present names: several for hard links, none once it was removed.
    pub(super) names: Vec<Name>,
}

/// One atomic change.
#[derive(Debug)]
struct Change {
    at: u64,
    /// The directory whose sync makes it durable.
    directory: Ino,
    /// Without the earlier changes, it could create a cycle.
    moves_directory: bool,
    /// A directory that it removes: it must be empty on the disk as well, or entries moved out of
    /// it would be lost.
    removes: Option<Ino>,
    /// The entries that it replaced.
    entries: Vec<(Name, Option<Ino>)>,
}

impl Change {
    /// Returns `true` if it builds on an earlier change of any of these.
    fn touches(&self, names: &BTreeSet<Name>, directories: &BTreeSet<Ino>) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(name, _)| names.contains(name) || directories.contains(&name.0))
    }
}

/// The maximum number of changes: then the oldest becomes durable, as if the system had written it.
const MOST_CHANGES: usize = 4096;

/// See [the module](self).
#[derive(Debug)]
pub(super) struct Tree {
    inodes: BTreeMap<Ino, Inode>,
    next: Ino,
    /// Counts the changes of the disk.
    pub(super) clock: u64,
    undo: Vec<Change>,
}

impl Tree {
    pub(super) fn new() -> Self {
        let root = Inode {
            kind: InodeKind::Directory(Directory::default()),
            names: Vec::new(),
        };
        Self {
            inodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            clock: 0,
            undo: Vec::new(),
        }
    }

    pub(super) fn get(&self, ino: Ino) -> Option<&Inode> {
        self.inodes.get(&ino)
    }

    pub(super) fn contents(&mut self, ino: Ino) -> Option<&mut Contents> {
        match &mut self.inodes.get_mut(&ino)?.kind {
            InodeKind::File(contents) => Some(contents),
            _ => None,
        }
    }

    pub(super) fn directory(&self, ino: Ino) -> Option<&Directory> {
        match &self.inodes.get(&ino)?.kind {
            InodeKind::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    pub(super) fn directory_mut(&mut self, ino: Ino) -> Option<&mut Directory> {
        match &mut self.inodes.get_mut(&ino)?.kind {
            InodeKind::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    pub(super) fn inodes(&self) -> impl Iterator<Item = (Ino, &Inode)> {
        self.inodes.iter().map(|(ino, inode)| (*ino, inode))
    }

    /// Returns the target of the entry.
    pub(super) fn look_up(&self, (directory, name): &Name) -> Option<Ino> {
        self.directory(*directory)?.entries.get(name).copied()
    }

    /// Returns the parent of a directory; that of the root is the root.
    pub(super) fn parent(&self, ino: Ino) -> Ino {
        let names = self.inodes.get(&ino).map(|inode| &inode.names);
        names.and_then(|names| names.first()).map_or(ROOT, |n| n.0)
    }

    /// Returns the path below the root, if it exists.
    pub(super) fn path(&self, ino: Ino) -> Option<PathBuf> {
        if ino == ROOT {
            return Some(PathBuf::new());
        }
        let (directory, name) = self.inodes.get(&ino)?.names.first()?;
        Some(self.path(*directory)?.join(name))
    }

    /// Returns the number of the next change.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn add(&mut self, kind: InodeKind) -> Ino {
        let ino = self.next;
        self.next += 1;
        let names = Vec::new();
        self.inodes.insert(ino, Inode { kind, names });
        ino
    }

    /// Changes entries atomically. The sync of `directory` makes that durable. Returns the files
    /// that are gone for good.
    pub(super) fn change(&mut self, directory: Ino, entries: Vec<(Name, Option<Ino>)>) -> Vec<Ino> {
        let is_move = entries.len() > 1;
        let news: Vec<_> = entries.iter().filter_map(|(_, new)| *new).collect();
        let mut before = Vec::with_capacity(entries.len());
        for (name, new) in entries {
            let old = self.set(&name, new);
            before.push((name, old));
        }
        let is_directory = |ino: &Ino| self.directory(*ino).is_some();
        let moves_directory = is_move && news.iter().any(is_directory);
        let mut olds = before.iter().filter_map(|(_, old)| *old);
        let removes = olds.find(|old| !news.contains(old) && is_directory(old));
        let at = self.tick();
        self.undo.push(Change {
            at,
            directory,
            moves_directory,
            removes,
            entries: before,
        });
        if self.undo.len() <= MOST_CHANGES {
            return Vec::new();
        }
        let oldest = self.undo.first().map_or(0, |change| change.at);
        self.settle(|change| change <= oldest, |_| true)
    }

    /// Sets the entry; returns the previous one.
    fn set(&mut self, name: &Name, new: Option<Ino>) -> Option<Ino> {
        let entries = &mut self.directory_mut(name.0)?.entries;
        let old = match new {
            Some(new) => entries.insert(name.1.clone(), new),
            None => entries.remove(&name.1),
        };
        if let Some(old) = old.and_then(|old| self.inodes.get_mut(&old)) {
            old.names.retain(|other| other != name);
        }
        if let Some(new) = new.and_then(|new| self.inodes.get_mut(&new)) {
            new.names.push(name.clone());
        }
        old
    }

    /// Makes the changes of a directory up to `until` durable. Returns the files that are gone for
    /// good.
    pub(super) fn sync_directory(&mut self, directory: Ino, until: u64) -> Vec<Ino> {
        self.settle(|at| at <= until, |owner| owner == directory)
    }

    /// Makes all changes of the directories that lead to a file durable. Returns the files that are
    /// gone for good.
    pub(super) fn sync_path(&mut self, ino: Ino) -> Vec<Ino> {
        let mut directories = BTreeSet::from([ROOT]);
        let mut ino = ino;
        while ino != ROOT {
            ino = self.parent(ino);
            directories.insert(ino);
        }
        self.settle(|_| true, |owner| directories.contains(&owner))
    }

    /// Makes changes durable, together with the earlier changes that they build on.
    fn settle(&mut self, at: impl Fn(u64) -> bool, directory: impl Fn(Ino) -> bool) -> Vec<Ino> {
        let mut needed = BTreeSet::new();
        let mut emptied = BTreeSet::new();
        let mut all = false;
        let mut settled = Vec::new();
        for index in (0..self.undo.len()).rev() {
            let change = &self.undo[index];
            let is_needed = all
                || (at(change.at) && directory(change.directory))
                || change.touches(&needed, &emptied);
            if is_needed {
                let change = self.undo.remove(index);
                all |= change.moves_directory;
                emptied.extend(change.removes);
                needed.extend(change.entries.iter().map(|(name, _)| name.clone()));
                settled.extend(change.entries.into_iter().filter_map(|(_, old)| old));
            }
        }
        self.forget(settled)
    }

    /// Forgets files that no power failure can bring back; returns them.
    fn forget(&mut self, candidates: Vec<Ino>) -> Vec<Ino> {
        let mut gone = Vec::new();
        for ino in candidates {
            let is_named = self.inodes.get(&ino).is_none_or(|i| !i.names.is_empty());
            let mut kept = self.undo.iter().flat_map(|change| &change.entries);
            if is_named || kept.any(|(name, old)| *old == Some(ino) || name.0 == ino) {
                continue;
            }
            if let Some(inode) = self.inodes.remove(&ino)
                && let InodeKind::File(_) = inode.kind
            {
                gone.push(ino);
            }
        }
        gone
    }

    /// Undoes the changes that do not survive a power failure. Unreachable files are gone.
    pub(super) fn lose(&mut self, unsynced: Unsynced, random: &mut Random) {
        let undo = std::mem::take(&mut self.undo);
        // The number of changes that survive, from the first on; `None` if the seed chooses for
        // each.
        let first = match unsynced {
            Unsynced::Lost => Some(0),
            Unsynced::Kept => Some(undo.len()),
            Unsynced::Random => match random.below(4) {
                0 => Some(0),
                1 => Some(undo.len()),
                // A journal that keeps the order.
                2 => Some(random.index(undo.len() + 1)),
                _ => None,
            },
        };
        let mut touched = BTreeSet::new();
        let mut lost = Vec::new();
        for (index, change) in undo.into_iter().enumerate() {
            let survives = first.map_or_else(|| random.chance(0.5), |first| index < first);
            let is_in = |(name, _): &(Name, _)| Some(name.0) == change.removes;
            let builds_on_lost = (change.moves_directory && !lost.is_empty())
                || change.touches(&touched, &BTreeSet::new())
                || lost
                    .iter()
                    .any(|lost: &Change| lost.entries.iter().any(is_in));
            if builds_on_lost || !survives {
                touched.extend(change.entries.iter().map(|(name, _)| name.clone()));
                lost.push(change);
            }
        }
        for change in lost.into_iter().rev() {
            for (name, old) in change.entries.into_iter().rev() {
                self.set(&name, old);
            }
        }
        self.sweep();
    }

    /// Drops everything that the root does not lead to.
    fn sweep(&mut self) {
        let mut reached = BTreeSet::new();
        let mut open = vec![ROOT];
        while let Some(ino) = open.pop() {
            if reached.insert(ino)
                && let Some(directory) = self.directory(ino)
            {
                open.extend(directory.entries.values());
            }
        }
        self.inodes.retain(|ino, _| reached.contains(ino));
        for inode in self.inodes.values_mut() {
            inode
                .names
                .retain(|(directory, _)| reached.contains(directory));
        }
    }
}
