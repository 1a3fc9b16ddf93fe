//! The lock file of a workspace.

use std::path::Path;

use semver::Version;
use toml_edit::{DocumentMut, Item, Table};

use crate::edit::{PATCHED_VERSION, Plan, Source};
use crate::error::Result;
use crate::workspace::{self, Workspace};

/// A package in a lock file.
#[derive(Debug)]
struct Locked {
    name: String,
    version: Version,
    registry: bool,
    dependencies: Vec<String>,
}

impl Locked {
    /// Returns the package id for cargo's commands.
    fn spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

fn packages(lock: &DocumentMut) -> Vec<Locked> {
    let all = lock.get("package").and_then(Item::as_array_of_tables);
    let locked = |table: &Table| {
        let text = |key: &str| table.get(key).and_then(Item::as_str);
        let dependencies = table.get("dependencies").and_then(Item::as_array);
        let names = dependencies.into_iter().flatten();
        Some(Locked {
            name: text("name")?.to_owned(),
            version: Version::parse(text("version")?).ok()?,
            registry: text("source").is_some_and(|source| source.starts_with("registry")),
            dependencies: names
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
        })
    };
    all.into_iter().flatten().filter_map(locked).collect()
}

fn read(path: &Path) -> Result<Option<DocumentMut>> {
    if !path.exists() {
        return Ok(None);
    }
    Workspace::parse(path, &workspace::read(path)?).map(Some)
}

/// Returns the locked packages that must be resolved again, so that the patch can replace them.
pub(crate) fn stale(path: &Path) -> Result<Vec<String>> {
    let Some(lock) = read(path)? else {
        return Ok(Vec::new());
    };
    // The patched tree limits its version, because later versions depend on Tokio.
    let bounded = Version::new(0, 4, 79);
    let stale = packages(&lock).into_iter().filter(|package| {
        package.registry
            && match package.name.as_str() {
                "tokio" => package.version.major == 1,
                "wasm-bindgen-futures" => package.version >= bounded,
                _ => false,
            }
    });
    Ok(stale.map(|package| package.spec()).collect())
}

/// Returns the locked packages that are older than the versions that anyrt was tested with.
fn older(path: &Path, tree: &Path) -> Result<Vec<String>> {
    let ours = tree.join("Cargo.lock");
    if !ours.exists() {
        workspace::output(workspace::cargo(tree).arg("generate-lockfile"))?;
    }
    let (Some(lock), Some(ours)) = (read(path)?, read(&ours)?) else {
        return Ok(Vec::new());
    };
    let ours = packages(&ours);
    let series = |version: &Version| match version.major {
        0 => (0, version.minor),
        major => (major, 0),
    };
    let older = packages(&lock).into_iter().filter(|package| {
        let mut same = ours.iter().filter(|ours| {
            ours.name == package.name && series(&ours.version) == series(&package.version)
        });
        package.registry && same.any(|ours| ours.version > package.version)
    });
    Ok(older.map(|package| package.spec()).collect())
}

/// Updates the lock file after the manifests.
///
/// # Errors
/// Returns cargo's error with the remedy.
pub(crate) fn update(workspace: &Workspace, plan: &Plan) -> Result<()> {
    let mut specs = stale(&workspace.lock())?;
    let mut said = run(workspace, &specs);
    if said.is_err()
        && workspace.lock().exists()
        && let Source::Path(tree) = &plan.source
    {
        // anyrt needs newer versions than the locked ones.
        let older = older(&workspace.lock(), tree).unwrap_or_default();
        let more: Vec<_> = older
            .into_iter()
            .filter(|spec| !specs.contains(spec))
            .collect();
        if !more.is_empty() {
            specs.extend(more.iter().cloned());
            said = run(workspace, &specs);
            if said.is_ok() {
                println!(
                    "  ! Cargo.lock held older versions than anyrt needs, so these were updated: {}",
                    more.join(", ")
                );
            }
        }
    }
    said.map_err(|said| {
        let remedy = remedy(&said);
        format!("cargo could not update the lock file:\n\n{said}\n\n{remedy}")
    })?;
    if plan.patch {
        for complaint in complaints(&workspace.lock())? {
            println!("  ! {complaint}");
        }
    }
    Ok(())
}

/// Lets cargo resolve these packages again and update the lock file.
fn run(workspace: &Workspace, specs: &[String]) -> Result<()> {
    let mut cargo = workspace::cargo(&workspace.root);
    cargo.arg("update");
    if specs.is_empty() {
        cargo.arg("--workspace");
    }
    for spec in specs {
        cargo.args(["--package", spec]);
    }
    workspace::output(&mut cargo).map(drop)
}

/// Returns the remedy for an error of cargo.
fn remedy(said: &str) -> &'static str {
    for (part, remedy) in [
        (
            "cyclic package dependency",
            "The patch closes a circle. If --from names a checkout of anyrt, write a tree with `scripts/patched-tree DIR` \
             and name that; otherwise write it again with the newest anyrt.",
        ),
        (
            "does not have that feature",
            "The patch did not apply, and Tokio itself has no such feature. Compare the requirements for tokio \
             (`cargo anyrt check`): each has to admit 1.999.0.",
        ),
        (
            "does not have these features",
            "The patch did not apply, and Tokio itself has no such features. Compare the requirements for tokio \
             (`cargo anyrt check`): each has to admit 1.999.0.",
        ),
        (
            "was not used in the crate graph",
            "The patch did not apply: each requirement for tokio has to admit 1.999.0 (`cargo anyrt check`).",
        ),
        (
            "wasm-bindgen-futures",
            "anyrt needs wasm-bindgen-futures below 0.4.79 beside the patch; update the crate that asks for a later one, \
             or bound it.",
        ),
        (
            "--offline was specified",
            "Not all packages are on this machine: run it once without --offline.",
        ),
        (
            "rustc",
            "anyrt needs Rust 1.88, and 1.92 with Glommio: `rustup update`.",
        ),
    ] {
        if said.contains(part) {
            return remedy;
        }
    }
    "The manifests are as they were before."
}

/// Returns the packages in a lock file that do not use the patch.
pub(crate) fn complaints(path: &Path) -> Result<Vec<String>> {
    let Some(lock) = read(path)? else {
        return Ok(Vec::new());
    };
    let packages = packages(&lock);
    let mut complaints = Vec::new();
    let is_patched =
        |package: &&Locked| package.name == "tokio" && package.version == PATCHED_VERSION;
    if !packages.iter().any(|package| is_patched(&package)) {
        complaints.push(
            "the patch is not in the lock file: does a member of the workspace depend on tokio 1?"
                .to_owned(),
        );
    }
    for tokio in packages.iter().filter(|p| p.name == "tokio" && p.registry) {
        let exact = format!("tokio {}", tokio.version);
        let several = packages.iter().filter(|p| p.name == "tokio").count() > 1;
        let users: Vec<_> = packages
            .iter()
            .filter(|p| {
                p.dependencies
                    .iter()
                    .any(|d| d.starts_with(&exact) || (!several && d == "tokio"))
            })
            .map(|p| format!("{} {}", p.name, p.version))
            .collect();
        let users = users.join(", ");
        complaints.push(if tokio.version.major == 1 {
            format!(
                "{users} still on Tokio {} from crates.io, by a requirement that excludes {PATCHED_VERSION}: update it, \
                 or it needs a Tokio runtime of its own",
                tokio.version
            )
        } else {
            format!(
                "{users} on Tokio {}, another major version, which the patch does not reach: it needs a Tokio runtime \
                 of its own, or a newer version",
                tokio.version
            )
        });
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::{complaints, stale};

    const OLD: &str = r#"
version = 4
[[package]]
name = "old-client"
version = "0.3.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
dependencies = ["tokio 1.38.2"]
[[package]]
name = "tokio"
version = "1.38.2"
source = "registry+https://github.com/rust-lang/crates.io-index"
[[package]]
name = "tokio"
version = "1.999.0"
[[package]]
name = "wasm-bindgen-futures"
version = "0.4.80"
source = "registry+https://github.com/rust-lang/crates.io-index"
"#;

    #[test]
    fn two_versions_in_the_tree_are_told_with_who_uses_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Cargo.lock");
        std::fs::write(&path, OLD).unwrap();
        let told = complaints(&path).unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("old-client 0.3.0 still on Tokio 1.38.2"),
            "{told:?}"
        );
        assert_eq!(
            stale(&path).unwrap(),
            ["tokio@1.38.2", "wasm-bindgen-futures@0.4.80"]
        );
        std::fs::write(&path, OLD.replace("1.999.0", "0.2.25")).unwrap();
        let told = complaints(&path).unwrap();
        assert!(told[0].contains("does a member"), "{told:?}");
    }
}
