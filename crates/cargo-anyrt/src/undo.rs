//! `cargo anyrt undo`.

use std::fs;
use std::path::Path;

use crate::args::WriteOptions;
use crate::error::Result;
use crate::journal::{self, Journal};
use crate::workspace::Workspace;
use crate::{port, workspace};

pub(crate) fn undo(workspace: &Workspace, options: WriteOptions) -> Result<bool> {
    let root = &workspace.root;
    let Some(journal) = Journal::read(root)? else {
        return Err(format!(
            "no {} in {}: nothing was ported here, or the file is gone; restore the manifests by git",
            journal::NAME,
            root.display()
        ));
    };
    let (mut restored, mut left, mut lock) = (Vec::new(), Vec::new(), None);
    for entry in &journal.files {
        let path = root.join(&entry.path);
        if entry.path == Path::new("Cargo.lock") {
            lock = Some(entry);
        } else if path.exists() {
            let (text, complaints) = entry.restored(&workspace::read(&path)?)?;
            left.extend(
                complaints
                    .into_iter()
                    .map(|text| (entry.path.clone(), text)),
            );
            restored.push((path, text));
        }
    }
    for (path, _) in &restored {
        println!("{}", workspace.shown(path));
    }
    if options.dry_run {
        println!("Nothing was written (--dry-run).");
        return Ok(true);
    }
    // An unchanged port is restored without asking, because only output of `port` is lost.
    let untouched = journal.files.iter().all(|entry| {
        fs::read_to_string(root.join(&entry.path)).is_ok_and(|text| text == entry.after)
    });
    if !untouched && !port::may_write(workspace, options)? {
        return Ok(false);
    }
    for (path, text) in &restored {
        workspace::write(path, text)?;
    }
    if let Some(entry) = lock {
        let path = workspace.lock();
        let same = fs::read_to_string(&path).is_ok_and(|text| text == entry.after);
        match &entry.before {
            Some(text) if same => workspace::write(&path, text)?,
            None if same => fs::remove_file(&path).map_err(|error| error.to_string())?,
            // Cargo takes what it finds, and goes back to Tokio on its own.
            _ => println!(
                "  ! Cargo.lock has changed since the port: cargo will choose Tokio's version anew"
            ),
        }
    }
    fs::remove_file(root.join(journal::NAME)).map_err(|error| error.to_string())?;
    for (path, text) in &left {
        println!("  ! {}: {text}", path.display());
    }
    println!("Undone.");
    Ok(left.is_empty())
}
