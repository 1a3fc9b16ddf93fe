//! The model of a disk: all trees that may be found after a power failure, and all contents of each
//! file.
//!
//! It knows nothing of pages, undo logs or real directories.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One step of a script.
#[derive(Clone)]
pub(super) enum Step {
    /// Creates or truncates a file, and writes to it.
    Put(&'static str, Vec<u8>),
    WriteAt(&'static str, u64, Vec<u8>),
    Append(&'static str, Vec<u8>),
    SetLen(&'static str, u64),
    Rename(&'static str, &'static str),
    Link(&'static str, &'static str),
    Remove(&'static str),
    MakeDir(&'static str),
    RemoveDir(&'static str),
    Sync(&'static str),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(path, bytes) => write!(f, "put {path}, {} bytes", bytes.len()),
            Self::WriteAt(path, at, bytes) => {
                write!(f, "write {path} at {at}, {} bytes", bytes.len())
            }
            Self::Append(path, bytes) => write!(f, "append to {path}, {} bytes", bytes.len()),
            Self::SetLen(path, len) => write!(f, "set the length of {path} to {len}"),
            Self::Rename(from, to) => write!(f, "rename {from} to {to}"),
            Self::Link(from, to) => write!(f, "link {from} as {to}"),
            Self::Remove(path) => write!(f, "remove {path}"),
            Self::MakeDir(path) => write!(f, "make the directory {path}"),
            Self::RemoveDir(path) => write!(f, "remove the directory {path}"),
            Self::Sync(path) => write!(f, "sync {path}"),
        }
    }
}

/// A file or a directory, whatever its name.
pub(super) type Object = usize;

const ROOT: Object = 0;

/// Names in directories, and what they lead to.
pub(super) type Names = BTreeMap<(Object, &'static str), Object>;

/// A change of names that is not durable yet.
#[derive(Clone)]
struct Change {
    directory: Object,
    set: Vec<((Object, &'static str), Option<Object>)>,
    /// Those that must have happened before, of the changes that were not durable then.
    after: Vec<usize>,
}

/// The contents of a file at one moment.
#[derive(Clone)]
pub(super) struct Moment {
    pub(super) bytes: Vec<u8>,
    /// Since which byte of the file before this moment has cut it, up to its end.
    cut: Option<(usize, usize)>,
}

#[derive(Clone)]
pub(super) struct Model {
    pub(super) now: Names,
    /// All trees that may be found, by the changes that have happened in them.
    pub(super) possible: BTreeMap<BTreeSet<usize>, Names>,
    changes: BTreeMap<usize, Change>,
    next: usize,
    /// The moments of a file since it was synced; `None` for a directory.
    pub(super) objects: Vec<Option<Vec<Moment>>>,
}

impl Model {
    pub(super) fn new(names: &[&'static str]) -> Self {
        let mut model = Self {
            now: Names::new(),
            possible: BTreeMap::new(),
            changes: BTreeMap::new(),
            next: 0,
            objects: vec![None],
        };
        for name in names {
            model.objects.push(None);
            model.now.insert((ROOT, name), model.objects.len() - 1);
        }
        model.possible.insert(BTreeSet::new(), model.now.clone());
        model
    }

    /// The directory of a path and the last name; none for the root.
    fn place(&self, path: &'static str) -> Option<(Object, &'static str)> {
        let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
        let mut directory = ROOT;
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return self.objects[directory]
                    .is_none()
                    .then_some((directory, part));
            }
            directory = *self.now.get(&(directory, part))?;
            if self.objects[directory].is_some() {
                return None;
            }
        }
        None
    }

    fn find(&self, path: &'static str) -> Option<Object> {
        match path {
            "/" => Some(ROOT),
            path => self.now.get(&self.place(path)?).copied(),
        }
    }

    fn moments(&mut self, object: Object) -> Option<&mut Vec<Moment>> {
        self.objects[object].as_mut()
    }

    fn is_empty(&self, directory: Object) -> bool {
        !self.now.keys().any(|(other, _)| *other == directory)
    }

    fn is_directory(&self, object: Object) -> bool {
        self.objects[object].is_none()
    }

    /// Changes names, durable with the sync of `directory`.
    fn change(&mut self, directory: Object, set: Vec<((Object, &'static str), Option<Object>)>) {
        let moves_directory = set.len() > 1
            && set
                .iter()
                .any(|(_, to)| to.is_some_and(|to| self.is_directory(to)));
        // A directory that goes takes with it what was done in it.
        let gone: Vec<_> = set
            .iter()
            .filter_map(|(name, _)| self.now.get(name).copied())
            .filter(|old| self.is_directory(*old) && !set.iter().any(|(_, to)| *to == Some(*old)))
            .collect();
        let builds_on = |other: &Change| {
            moves_directory
                || other.set.iter().any(|(name, _)| {
                    gone.contains(&name.0) || set.iter().any(|(mine, _)| mine == name)
                })
        };
        let after = self.changes.iter();
        let after = after.filter(|(_, other)| builds_on(other));
        let after: Vec<_> = after.map(|(number, _)| *number).collect();
        for (name, to) in &set {
            match to {
                Some(to) => drop(self.now.insert(*name, *to)),
                None => drop(self.now.remove(name)),
            }
        }
        let number = self.next;
        self.next += 1;
        let mut more = Vec::new();
        for (happened, names) in &self.possible {
            if after.iter().all(|number| happened.contains(number)) {
                let (mut happened, mut names) = (happened.clone(), names.clone());
                happened.insert(number);
                for (name, to) in &set {
                    match to {
                        Some(to) => drop(names.insert(*name, *to)),
                        None => drop(names.remove(name)),
                    }
                }
                more.push((happened, names));
            }
        }
        self.possible.extend(more);
        self.changes.insert(
            number,
            Change {
                directory,
                set,
                after,
            },
        );
    }

    fn sync_directory(&mut self, directory: Object) {
        let mut durable: BTreeSet<usize> = BTreeSet::new();
        let of_it = self
            .changes
            .iter()
            .filter(|(_, c)| c.directory == directory);
        let mut open: Vec<usize> = of_it.map(|(number, _)| *number).collect();
        while let Some(number) = open.pop() {
            if durable.insert(number) {
                let after = &self.changes[&number].after;
                open.extend(after.iter().filter(|n| self.changes.contains_key(n)));
            }
        }
        let possible = std::mem::take(&mut self.possible);
        for (happened, names) in possible {
            if durable.is_subset(&happened) {
                self.possible
                    .insert(happened.difference(&durable).copied().collect(), names);
            }
        }
        self.changes.retain(|number, _| !durable.contains(number));
        for change in self.changes.values_mut() {
            change.after.retain(|number| !durable.contains(number));
        }
    }

    fn modify(&mut self, path: &'static str, f: impl FnOnce(&mut Vec<u8>)) -> bool {
        let object = self.find(path);
        let Some(moments) = object.and_then(|object| self.moments(object)) else {
            return false;
        };
        let before = moments[moments.len() - 1].bytes.clone();
        let mut bytes = before.clone();
        f(&mut bytes);
        let cut = (bytes.len() < before.len()).then_some((bytes.len(), before.len()));
        moments.push(Moment { bytes, cut });
        true
    }

    /// Does a step; returns whether it succeeds.
    pub(super) fn step(&mut self, step: &Step) -> bool {
        match step {
            Step::Put(path, bytes) => {
                let Some(place) = self.place(path) else {
                    return false;
                };
                match self.now.get(&place) {
                    Some(_) => {
                        self.modify(path, Vec::clear) && {
                            let bytes = bytes.clone();
                            self.modify(path, |all| *all = bytes)
                        }
                    }
                    None => {
                        let moment = |bytes| Moment { bytes, cut: None };
                        let moments = vec![moment(Vec::new()), moment(bytes.clone())];
                        self.objects.push(Some(moments));
                        let object = self.objects.len() - 1;
                        self.change(place.0, vec![(place, Some(object))]);
                        true
                    }
                }
            }
            Step::WriteAt(path, at, bytes) => self.modify(path, |all| {
                let at = *at as usize;
                all.resize(all.len().max(at + bytes.len()), 0);
                all[at..at + bytes.len()].copy_from_slice(bytes);
            }),
            Step::Append(path, bytes) => self.modify(path, |all| all.extend(bytes)),
            Step::SetLen(path, len) => self.modify(path, |all| all.resize(*len as usize, 0)),
            Step::Rename(from, to) => {
                let (Some(old), Some(new)) = (self.place(from), self.place(to)) else {
                    return false;
                };
                let Some(&object) = self.now.get(&old) else {
                    return false;
                };
                let mut above = new.0;
                while above != ROOT {
                    if above == object {
                        return false;
                    }
                    let of = self.now.iter().find(|(_, inner)| **inner == above);
                    above = of.map_or(ROOT, |(name, _)| name.0);
                }
                match self.now.get(&new) {
                    Some(&there) if there == object => return true,
                    Some(&there)
                        if self.is_directory(there) != self.is_directory(object)
                            || (self.is_directory(there) && !self.is_empty(there)) =>
                    {
                        return false;
                    }
                    _ => {}
                }
                self.change(new.0, vec![(old, None), (new, Some(object))]);
                true
            }
            Step::Link(from, to) => {
                let (Some(object), Some(new)) = (self.find(from), self.place(to)) else {
                    return false;
                };
                if self.is_directory(object) || self.now.contains_key(&new) {
                    return false;
                }
                self.change(new.0, vec![(new, Some(object))]);
                true
            }
            Step::Remove(path) => match self.find(path) {
                Some(object) if !self.is_directory(object) => {
                    let place = self.place(path).unwrap();
                    self.change(place.0, vec![(place, None)]);
                    true
                }
                _ => false,
            },
            Step::MakeDir(path) => {
                let Some(place) = self.place(path) else {
                    return false;
                };
                if self.now.contains_key(&place) {
                    return false;
                }
                self.objects.push(None);
                let object = self.objects.len() - 1;
                self.change(place.0, vec![(place, Some(object))]);
                true
            }
            Step::RemoveDir(path) => match self.find(path) {
                Some(object)
                    if object != ROOT && self.is_directory(object) && self.is_empty(object) =>
                {
                    let place = self.place(path).unwrap();
                    self.change(place.0, vec![(place, None)]);
                    true
                }
                _ => false,
            },
            Step::Sync(path) => {
                let Some(object) = self.find(path) else {
                    return false;
                };
                match self.moments(object) {
                    Some(moments) => {
                        moments.drain(..moments.len() - 1);
                        moments[0].cut = None;
                    }
                    None => self.sync_directory(object),
                }
                true
            }
        }
    }

    /// Returns `true` if a power failure may leave these bytes of a file.
    pub(super) fn may_have(&self, object: Object, found: &[u8]) -> bool {
        let Some(moments) = &self.objects[object] else {
            return false;
        };
        (0..moments.len()).any(|moment| {
            moments[moment].bytes.len() == found.len()
                && found.chunks(512).enumerate().all(|(number, sector)| {
                    Self::sector_may_be(moments, moment, number * 512, sector)
                })
        })
    }

    /// Whether the bytes at `start` are those of a moment, where the truncations up to `moment` have happened, and no
    /// others. A truncation concerns whole pages.
    fn sector_may_be(moments: &[Moment], moment: usize, start: usize, sector: &[u8]) -> bool {
        let page = start / 4096 * 4096;
        let concerns = |moment: &Moment| {
            let within = |(from, to): (usize, usize)| page + 4096 > from && page < to;
            moment.cut.is_some_and(within)
        };
        let first = (0..=moment).rev().find(|at| concerns(&moments[*at]));
        let after = (moment + 1..moments.len()).find(|at| concerns(&moments[*at]));
        let mut range = moments[first.unwrap_or(0)..after.unwrap_or(moments.len())].iter();
        range.any(|moment| {
            let there = |at: usize| moment.bytes.get(at).copied().unwrap_or(0);
            (0..sector.len()).all(|at| sector[at] == there(start + at))
        })
    }

    /// Returns the names of a tree, as paths.
    fn paths(names: &Names) -> BTreeMap<String, Object> {
        let mut paths = BTreeMap::new();
        let mut open = vec![(ROOT, String::new())];
        while let Some((directory, path)) = open.pop() {
            for ((_, name), object) in names.range((directory, "")..(directory + 1, "")) {
                let path = format!("{path}/{name}");
                paths.insert(path.clone(), *object);
                open.push((*object, path));
            }
        }
        paths
    }

    /// Whether that is what is found with these names, where `holds` says it of a file.
    pub(super) fn is(
        &self,
        names: &Names,
        found: &BTreeMap<String, Option<Vec<u8>>>,
        holds: impl Fn(Object, &[u8]) -> bool,
    ) -> bool {
        let paths = Self::paths(names);
        let mut contents = BTreeMap::new();
        paths.keys().eq(found.keys())
            && paths.iter().all(|(path, object)| match &found[path] {
                None => self.is_directory(*object),
                // A file has one content, whatever its name.
                Some(bytes) => {
                    !self.is_directory(*object)
                        && holds(*object, bytes)
                        && contents
                            .insert(*object, bytes)
                            .is_none_or(|other| other == bytes)
                }
            })
    }
}
