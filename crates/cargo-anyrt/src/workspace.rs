//! The workspace to port, as reported by cargo.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use toml_edit::DocumentMut;

use crate::error::Result;

/// A workspace and its manifests.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) members: Vec<Member>,
    /// All manifests with their text, the root first.
    pub(crate) manifests: Vec<(PathBuf, String)>,
}

/// A package of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
}

impl Workspace {
    pub(crate) fn load(manifest_path: Option<&Path>) -> Result<Self> {
        let mut cargo = cargo(Path::new("."));
        cargo.args(["metadata", "--format-version", "1", "--no-deps"]);
        if let Some(path) = manifest_path {
            cargo.arg("--manifest-path").arg(path);
        }
        let metadata = json(&output(&mut cargo)?)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let root = PathBuf::from(text(&metadata["workspace_root"]));
        let members: Vec<Member> = list(&metadata["packages"])
            .map(|package| Member {
                name: text(&package["name"]),
                manifest: PathBuf::from(text(&package["manifest_path"])),
            })
            .collect();
        let mut paths = vec![root.join("Cargo.toml")];
        paths.extend(members.iter().map(|member| member.manifest.clone()));
        let mut manifests = Vec::<(PathBuf, String)>::new();
        for path in paths {
            if !manifests.iter().any(|(known, _)| *known == path) {
                let text = read(&path)?;
                manifests.push((path, text));
            }
        }
        Ok(Self {
            root,
            members,
            manifests,
        })
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("Cargo.lock")
    }

    pub(crate) fn parse(path: &Path, text: &str) -> Result<DocumentMut> {
        text.parse()
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Returns the path as seen from the root of the workspace, for messages.
    pub(crate) fn shown<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// Returns the packages of the whole dependency tree, on every system.
    pub(crate) fn tree(&self) -> Result<Tree> {
        let mut cargo = cargo(&self.root);
        cargo.args(["metadata", "--format-version", "1", "--all-features"]);
        Tree::from(&json(&output(&mut cargo)?)?)
    }

    /// Checks whether git has the current text of these files, other than of `journal`.
    pub(crate) fn in_clean_git_tree(&self, journal: &str) -> Cleanliness {
        let status = Command::new("git")
            .args(["status", "--porcelain", "--untracked-files=all", "--", "."])
            .current_dir(&self.root)
            .output();
        match status {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                let dirty = text
                    .lines()
                    .filter_map(|line| line.get(3..))
                    .find(|path| !path.ends_with(journal));
                match dirty {
                    Some(path) => Cleanliness::Dirty(path.to_owned()),
                    None => Cleanliness::Clean,
                }
            }
            _ => Cleanliness::NoGit,
        }
    }
}

/// Whether git can restore the files that would be overwritten.
pub(crate) enum Cleanliness {
    Clean,
    /// Not everything is committed; this is one such file.
    Dirty(String),
    NoGit,
}

/// A resolved dependency tree.
pub(crate) struct Tree {
    pub(crate) packages: BTreeMap<String, Package>,
}

/// A package of the tree.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) is_member: bool,
    pub(crate) from_registry: bool,
    /// Its requirements for Tokio, if any.
    pub(crate) tokio: Vec<String>,
    /// The packages that it depends on.
    pub(crate) dependencies: Vec<String>,
}

impl Tree {
    fn from(metadata: &Value) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let members: Vec<String> = list(&metadata["workspace_members"]).map(text).collect();
        let mut packages = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let id = text(&package["id"]);
            let is_member = members.contains(&id);
            let tokio = list(&package["dependencies"])
                .filter(|d| d["name"] == "tokio")
                .filter(|d| is_member || d["kind"] != "dev")
                .map(|d| text(&d["req"]))
                .collect();
            let package = Package {
                name: text(&package["name"]),
                version: text(&package["version"]),
                is_member,
                from_registry: text(&package["source"]).starts_with("registry"),
                tokio,
                dependencies: Vec::new(),
            };
            packages.insert(id, package);
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            if let Some(package) = packages.get_mut(&text(&node["id"])) {
                package.dependencies = list(&node["dependencies"]).map(text).collect();
            }
        }
        Ok(Self { packages })
    }

    /// Returns `true` if a package depends on one with that name.
    pub(crate) fn uses(&self, package: &Package, name: &str) -> bool {
        let mut ids = package.dependencies.iter();
        ids.any(|id| self.packages.get(id).is_some_and(|used| used.name == name))
    }
}

pub(crate) fn cargo(dir: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(dir);
    command
}

/// Runs a command and returns what it printed.
///
/// # Errors
/// Returns its standard error if it failed.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

pub(crate) fn json(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
