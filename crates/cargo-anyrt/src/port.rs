//! `cargo anyrt port`.

use std::fs;
use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};

use crate::args::{PortOptions, WriteOptions};
use crate::edit::{self, Outcome, Plan, Source};
use crate::error::Result;
use crate::journal::{self, Journal};
use crate::workspace::{Cleanliness, Workspace};
use crate::{lock, manifest, workspace};

/// The default of `--from`.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

pub(crate) fn port(workspace: &Workspace, options: &PortOptions) -> Result<bool> {
    let plan = Plan {
        backend: options.backend,
        patch: options.patch,
        source: source(options)?,
    };
    if cfg!(not(target_os = "linux")) && plan.backend == "glommio" {
        println!("  ! Glommio is for Linux alone: this will not compile here");
    }
    let edited = edited(workspace, &plan)?;
    if edited.iter().all(|(_, _, text, _)| text.is_none()) {
        println!(
            "Nothing to do: the manifests ask for {} already.",
            plan.backend
        );
        return Ok(true);
    }
    for (path, _, _, outcome) in &edited {
        if !outcome.changes.is_empty() {
            println!("{}", workspace.shown(path));
        }
        for (before, after) in &outcome.changes {
            if !before.is_empty() {
                println!("  - {before}");
            }
            println!("  + {after}");
        }
        for note in &outcome.notes {
            println!("  ! {note}");
        }
    }
    if options.write.dry_run {
        println!("Nothing was written (--dry-run).");
        return Ok(true);
    }
    if !may_write(workspace, options.write)? {
        return Ok(false);
    }
    let mut journal = Journal::read(&workspace.root)?.unwrap_or_default();
    let lock_before = fs::read_to_string(workspace.lock()).ok();
    let written = write(workspace, &edited, &mut journal, &plan);
    if let Err(error) = written {
        // All or nothing.
        for (path, before, _, _) in &edited {
            workspace::write(path, before)?;
        }
        match lock_before {
            Some(text) => workspace::write(&workspace.lock(), &text)?,
            None => drop(fs::remove_file(workspace.lock())),
        }
        return Err(error);
    }
    if let Ok(after) = fs::read_to_string(workspace.lock()) {
        journal.record(Path::new("Cargo.lock"), lock_before.as_deref(), &after)?;
    }
    journal.write(&workspace.root)?;
    println!(
        "Ported to {}. `cargo anyrt undo` restores it from {}, which you may commit or ignore.",
        plan.backend,
        journal::NAME
    );
    if !plan.patch {
        println!(
            "Dependencies that need Tokio themselves still get Tokio's own; `cargo anyrt check` lists them."
        );
    }
    Ok(true)
}

/// A manifest: its path, its text, the new text if that differs, and the report.
type Edited = (PathBuf, String, Option<String>, Outcome);

fn edited(workspace: &Workspace, plan: &Plan) -> Result<Vec<Edited>> {
    let mut edited = Vec::new();
    let mut without = Vec::new();
    for (number, (path, text)) in workspace.manifests.iter().enumerate() {
        let mut document = Workspace::parse(path, text)?;
        let in_file = |error| format!("{}: {error}", workspace.shown(path));
        let mut outcome = edit::port(&mut document, plan).map_err(in_file)?;
        let is_root = number == 0;
        if is_root && plan.patch {
            let change = edit::patch(&mut document, &plan.source).map_err(in_file)?;
            outcome.changes.extend(change);
            if manifest::resolver(&document) == 1 {
                edit::resolver(&mut document);
                outcome
                    .changes
                    .push(("resolver = \"1\"".to_owned(), "resolver = \"2\"".to_owned()));
                outcome.notes.push(
                    "resolver 1 would enable every backend, for it takes no account of targets"
                        .to_owned(),
                );
            }
        }
        if !outcome.has_tokio && document.get("package").is_some() {
            without.extend(
                workspace
                    .members
                    .iter()
                    .filter(|m| m.manifest == *path)
                    .map(|m| &m.name),
            );
        }
        let new = document.to_string();
        let new = (new != *text).then_some(new);
        edited.push((path.clone(), text.clone(), new, outcome));
    }
    if edited.iter().all(|(_, _, _, outcome)| !outcome.has_tokio) {
        return Err(format!(
            "no member of the workspace depends on tokio 1; add `tokio = {{ version = \"1\", features = [\"{}\"] }}` to \
             the application's dependencies and port again",
            plan.backend
        ));
    }
    if plan.patch
        && let Some((_, _, _, root)) = edited.first_mut()
    {
        root.notes.extend(without.into_iter().map(|name| {
            format!(
                "{name} has no line for tokio: built alone (`-p {name}`) its dependencies find no backend, unless it gets \
                 `tokio = {{ version = \"1\", features = [\"{}\"] }}`",
                plan.backend
            )
        }));
    }
    Ok(edited)
}

fn write(
    workspace: &Workspace,
    edited: &[Edited],
    journal: &mut Journal,
    plan: &Plan,
) -> Result<()> {
    for (path, before, text, _) in edited {
        if let Some(text) = text {
            workspace::write(path, text)?;
            let relative = path.strip_prefix(&workspace.root).unwrap_or(path);
            journal.record(relative, Some(before), text)?;
        }
    }
    lock::update(workspace, plan)
}

/// Where anyrt comes from, checked.
fn source(options: &PortOptions) -> Result<Source> {
    let Some(from) = &options.from else {
        return Ok(Source::Git(REPOSITORY.to_owned()));
    };
    if from.contains("://") || from.starts_with("git@") {
        return Ok(Source::Git(from.clone()));
    }
    let path = fs::canonicalize(from).unwrap_or_else(|_| PathBuf::from(from));
    if !path.join("crates/anyrt/Cargo.toml").exists() {
        return Err(format!(
            "{}: no crates/anyrt in it; name a checkout of anyrt, or with --patch a tree that `scripts/patched-tree` wrote",
            path.display()
        ));
    }
    let is_tree = path.join(edit::MARKER).exists();
    match (options.patch, is_tree) {
        (true, false) => Err(format!(
            "{0} is anyrt's source tree, in which the patch would make anyrt depend on itself; run \
             `{0}/scripts/patched-tree DIR` and give --from DIR",
            path.display()
        )),
        (false, true) => Err(format!(
            "{} is a tree for the patch; add --patch, or name a checkout of anyrt",
            path.display()
        )),
        _ => Ok(Source::Path(path)),
    }
}

/// Asks the user, if git could not restore the overwritten files. Returns `true` on consent.
pub(crate) fn may_write(workspace: &Workspace, options: WriteOptions) -> Result<bool> {
    let state = match workspace.in_clean_git_tree(journal::NAME) {
        Cleanliness::Clean => return Ok(true),
        Cleanliness::Dirty(path) => format!("the git tree is not clean ({path} is not committed)"),
        Cleanliness::NoGit => "the workspace is not in a git repository".to_owned(),
    };
    if options.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(format!(
            "{state}; commit first, or give --yes to write all the same"
        ));
    }
    print!("{state}. Write? [y/N] ");
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| error.to_string())?;
    let agreed = matches!(answer.trim(), "y" | "Y" | "yes");
    if !agreed {
        println!("Nothing was written.");
    }
    Ok(agreed)
}
