//! Path resolution on a node's disk: in the tree, so that neither `..` nor a symbolic link leaves
//! it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::io::Errno;

use super::tree::{Ino, InodeKind, Name, ROOT, Tree};

/// Linux's limit.
const MOST_LINKS: u32 = 40;

/// Whether a symbolic link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    Keep,
}

/// The end of a path.
#[derive(Debug)]
pub(super) struct Place {
    /// The entry. `None` for the root and paths that end in `..`, which have no name.
    pub(super) name: Option<Name>,
    pub(super) found: Option<Ino>,
    /// The path ends in a slash, so it must be a directory.
    pub(super) wants_directory: bool,
}

impl Place {
    /// # Errors
    /// `ENOENT` if nothing is there.
    pub(super) fn existing(&self) -> io::Result<Ino> {
        self.found.ok_or_else(|| Errno::NOENT.into())
    }
}

enum PathStep {
    Root,
    Parent,
    Name(OsString),
}

fn push_all(steps: &mut Vec<PathStep>, path: &Path) {
    let new = path.components().rev().filter_map(|part| match part {
        Component::RootDir => Some(PathStep::Root),
        Component::ParentDir => Some(PathStep::Parent),
        Component::Normal(name) => Some(PathStep::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    });
    steps.extend(new);
}

/// Resolves `path`; a relative one starts at the root.
///
/// # Errors
/// Fails like the system's `open`.
pub(super) fn resolve(tree: &Tree, path: &Path, last: Last) -> io::Result<Place> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.contains(&0) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the path contains a NUL byte",
        ));
    }
    if bytes.is_empty() {
        return Err(Errno::NOENT.into());
    }
    let wants_directory = bytes.ends_with(b"/") || bytes.ends_with(b"/.");
    let mut steps = Vec::new();
    push_all(&mut steps, path);
    let mut directory = ROOT;
    let mut links = 0;
    while let Some(step) = steps.pop() {
        let name = match step {
            PathStep::Root => {
                directory = ROOT;
                continue;
            }
            PathStep::Parent => {
                directory = tree.parent(directory);
                continue;
            }
            PathStep::Name(name) => name,
        };
        if name.len() > 255 {
            return Err(Errno::NAMETOOLONG.into());
        }
        let name = (directory, name);
        let found = tree.look_up(&name);
        let is_last = steps.is_empty();
        match found.and_then(|ino| Some((ino, &tree.get(ino)?.kind))) {
            Some((_, InodeKind::Link(target)))
                if !is_last || last == Last::Follow || wants_directory =>
            {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                push_all(&mut steps, target);
            }
            Some((ino, InodeKind::Directory(_))) if !is_last => directory = ino,
            None if !is_last => return Err(Errno::NOENT.into()),
            Some((_, InodeKind::File(_))) if !is_last || wants_directory => {
                return Err(Errno::NOTDIR.into());
            }
            _ => {
                return Ok(Place {
                    name: Some(name),
                    found,
                    wants_directory,
                });
            }
        }
    }
    Ok(Place {
        name: None,
        found: Some(directory),
        wants_directory,
    })
}

/// Returns the path as the node sees it.
pub(super) fn seen(below_root: &Path) -> PathBuf {
    Path::new("/").join(below_root)
}
