//! `cargo anyrt check`.

use std::collections::BTreeSet;
use std::path::Path;

use semver::VersionReq;
use toml_edit::DocumentMut;

use crate::edit::PATCHED_VERSION;
use crate::error::Result;
use crate::manifest::BACKENDS;
use crate::surface::Surface;
use crate::workspace::{Tree, Workspace};
use crate::{lock, manifest, sources};

/// Prints obstacles to a port. Returns `false` if there are any.
pub(crate) fn check(workspace: &Workspace) -> Result<bool> {
    let mut hindrances = Vec::new();
    let documents = workspace
        .manifests
        .iter()
        .map(|(path, text)| Ok((path.as_path(), Workspace::parse(path, text)?)))
        .collect::<Result<Vec<_>>>()?;
    lines(workspace, &documents);
    match workspace.tree() {
        Ok(tree) => dependencies(&tree, &mut hindrances),
        // The settings may tell why.
        Err(error) => hindrances.push(format!("cargo cannot resolve the dependencies: {error}")),
    }
    settings(&documents, workspace, &mut hindrances)?;
    let absent = items(workspace, &documents);
    println!();
    for hindrance in &hindrances {
        println!("In the way: {hindrance}");
    }
    if hindrances.is_empty() && absent == 0 {
        println!("Nothing stands in the way.");
    }
    Ok(hindrances.is_empty() && absent == 0)
}

/// Prints the places where the workspace depends on Tokio.
fn lines(workspace: &Workspace, documents: &[(&Path, DocumentMut)]) {
    println!("Lines that `port` would edit:");
    let mut backends = BTreeSet::new();
    for (path, document) in documents {
        for place in manifest::dependencies_on(document, &["tokio", "anyrt"]) {
            if let Some(item) = manifest::get(document.as_item(), &place) {
                let features = manifest::features(item);
                backends.extend(
                    features
                        .into_iter()
                        .filter(|f| BACKENDS.contains(&f.as_str())),
                );
                println!(
                    "  {}: {}",
                    workspace.shown(path),
                    manifest::shown(&place, item)
                );
            }
        }
    }
    if !backends.is_empty() {
        let backends: Vec<_> = backends.into_iter().collect();
        println!("Ported already, to {}.", backends.join(", "));
    }
}

/// Prints the other packages that depend on Tokio, with their requirements.
fn dependencies(tree: &Tree, hindrances: &mut Vec<String>) {
    let mut needs_patch = Vec::new();
    let mut versions = BTreeSet::new();
    for package in tree.packages.values() {
        let named = format!("{} {}", package.name, package.version);
        if package.name == "tokio" && package.from_registry {
            versions.insert(package.version.clone());
        }
        if package.is_member || !tree.uses(package, "tokio") {
            continue;
        }
        for requirement in &package.tokio {
            let parsed = VersionReq::parse(requirement).unwrap_or_default();
            if parsed.matches(&PATCHED_VERSION) {
                needs_patch.push(named.clone());
            } else if parsed.comparators.iter().any(|c| c.major == 1) {
                hindrances.push(format!(
                    "{named} asks for tokio `{requirement}`, which excludes the patch ({PATCHED_VERSION}): update it \
                     (`cargo update -p {}`), or give it a Tokio runtime of its own",
                    package.name
                ));
            } else {
                println!(
                    "{named} asks for tokio `{requirement}`, another major version, and keeps it: it needs a Tokio \
                     runtime of its own, or an update"
                );
            }
        }
    }
    needs_patch.sort();
    needs_patch.dedup();
    if needs_patch.is_empty() {
        println!("No dependency needs the patch.");
    } else {
        println!("Dependencies that need the patch (`port --patch`):");
        for name in needs_patch {
            println!("  {name}");
        }
    }
    if versions.len() > 1 {
        let versions: Vec<_> = versions.into_iter().collect();
        println!(
            "Several versions of Tokio are in the tree: {}",
            versions.join(", ")
        );
    }
}

fn settings(
    documents: &[(&Path, DocumentMut)],
    workspace: &Workspace,
    hindrances: &mut Vec<String>,
) -> Result<()> {
    if let Some((_, root)) = documents.first() {
        if manifest::resolver(root) == 1 {
            println!(
                "The workspace has cargo's resolver 1; `port --patch` sets `resolver = \"2\"`."
            );
        }
        let place = ["patch", "crates-io", "tokio"].map(str::to_owned);
        if let Some(item) = manifest::get(root.as_item(), &place) {
            println!("Patched: {}", manifest::shown(&place, item));
            for complaint in lock::complaints(&workspace.lock())? {
                hindrances.push(complaint);
            }
        }
    }
    let stale = lock::stale(&workspace.lock())?;
    if !stale.is_empty() {
        println!(
            "Cargo.lock holds {}, which `port` updates.",
            stale.join(", ")
        );
    }
    for (path, document) in documents {
        for place in manifest::dependencies_on(document, &["tokio"]) {
            let Some(item) = manifest::get(document.as_item(), &place) else {
                continue;
            };
            let shown = manifest::shown(&place, item);
            let requirement = manifest::version(item).unwrap_or("*");
            let parsed = VersionReq::parse(requirement).unwrap_or_default();
            let major = parsed.comparators.iter().any(|c| c.major == 1);
            if major && !parsed.matches(&PATCHED_VERSION) {
                println!(
                    "{}: `{shown}` excludes the patch ({PATCHED_VERSION}); `port --patch` relaxes it",
                    workspace.shown(path)
                );
            }
            for key in ["path", "git"] {
                if manifest::string(item, key).is_some() {
                    hindrances.push(format!(
                        "{}: `{shown}` does not come from crates.io: remove `{key}`",
                        workspace.shown(path)
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Prints the items that the sources use and anyrt lacks. Returns their number.
fn items(workspace: &Workspace, documents: &[(&Path, DocumentMut)]) -> usize {
    let surface = Surface::new();
    let mut count = 0;
    for (path, document) in documents {
        let mut names: Vec<_> = manifest::dependencies_on(document, &["tokio", "anyrt"])
            .iter()
            .filter(|place| place[0] != "workspace")
            .filter_map(|place| place.last().map(|name| name.replace('-', "_")))
            .filter(|name| name != "anyrt")
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            continue;
        }
        for used in sources::absent(path.parent().unwrap_or(path), &names, &surface) {
            if count == 0 {
                println!("Used by the sources and absent:");
            }
            count += 1;
            println!(
                "  {}:{}: {}",
                workspace.shown(&used.file),
                used.line,
                used.what
            );
        }
    }
    if count == 0 {
        println!("The sources use nothing that anyrt lacks.");
    }
    count
}
