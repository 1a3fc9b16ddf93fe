//! The state before and after `port`, so that `undo` can restore it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use toml_edit::{DocumentMut, Item};

use crate::error::Result;
use crate::manifest::{self, BACKENDS, Place};
use crate::workspace::{self, Workspace};

/// The file's name, in the root of the workspace.
pub(crate) const NAME: &str = ".cargo-anyrt.json";

/// The files that a port changed.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) files: Vec<Entry>,
}

/// A file before and after a port. `before` is `None` if the file did not exist.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// Relative to the root of the workspace.
    pub(crate) path: PathBuf,
    pub(crate) before: Option<String>,
    pub(crate) after: String,
}

impl Journal {
    /// Reads the journal of a workspace, if there is one.
    pub(crate) fn read(root: &Path) -> Result<Option<Self>> {
        let path = root.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let unfit = || format!("{}: not a journal of `port`; remove it", path.display());
        let value = workspace::json(workspace::read(&path)?.as_bytes()).map_err(|_| unfit())?;
        let entry = |value: &Value| {
            Some(Entry {
                path: PathBuf::from(value["path"].as_str()?),
                before: value["before"].as_str().map(str::to_owned),
                after: value["after"].as_str()?.to_owned(),
            })
        };
        let files = workspace::list(&value["files"]).map(entry);
        let files = files.collect::<Option<_>>().ok_or_else(unfit)?;
        Ok(Some(Self { files }))
    }

    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        let files: Vec<_> = self
            .files
            .iter()
            .map(|entry| json!({ "path": entry.path.to_string_lossy(), "before": entry.before, "after": entry.after }))
            .collect();
        let value = json!({ "what": "written by `cargo anyrt port` for `cargo anyrt undo`", "files": files });
        workspace::write(&root.join(NAME), &format!("{value:#}\n"))
    }

    /// Records a change. A second port keeps the original state that the first one found.
    pub(crate) fn record(&mut self, path: &Path, found: Option<&str>, left: &str) -> Result<()> {
        if let Some(entry) = self.files.iter_mut().find(|entry| entry.path == path) {
            if let Some(found) = found
                && path.extension().is_some_and(|e| e == "toml")
            {
                entry.before = Some(entry.restored(found)?.0);
            }
            entry.after = left.to_owned();
        } else {
            self.files.push(Entry {
                path: path.to_owned(),
                before: found.map(str::to_owned),
                after: left.to_owned(),
            });
        }
        Ok(())
    }
}

impl Entry {
    /// Returns the manifest without the port, line by line if it was edited since, and the lines
    /// that could not be undone.
    pub(crate) fn restored(&self, now: &str) -> Result<(String, Vec<String>)> {
        let before = self.before.as_deref().unwrap_or_default();
        if now == self.after {
            return Ok((before.to_owned(), Vec::new()));
        }
        let parse = |text: &str| Workspace::parse(&self.path, text);
        let (before, after, mut now) = (parse(before)?, parse(&self.after)?, parse(now)?);
        let mut left = Vec::new();
        for place in manifest::dependencies_on(&after, &["tokio", "anyrt"]) {
            let old = manifest::get(before.as_item(), &place);
            let ported = manifest::get(after.as_item(), &place);
            let (Some(old), Some(ported)) = (old, ported) else {
                continue;
            };
            if manifest::shown(&place, old) == manifest::shown(&place, ported) {
                continue;
            }
            match manifest::get_mut(now.as_item_mut(), &place) {
                Some(item) if manifest::shown(&place, item) == manifest::shown(&place, ported) => {
                    *item = old.clone();
                }
                Some(item)
                    if manifest::string(item, "package") == Some("anyrt") || has_backend(item) =>
                {
                    left.push(format!(
                        "`{}` was edited after the port; before it, the line was `{}`",
                        manifest::shown(&place, item),
                        manifest::shown(&place, old)
                    ));
                }
                // Removed, or written for Tokio by hand.
                _ => {}
            }
        }
        for place in [
            ["patch", "crates-io", "tokio"].as_slice(),
            &["workspace", "resolver"],
            &["package", "resolver"],
        ] {
            let place: Place = place.iter().map(|key| (*key).to_owned()).collect();
            let old = manifest::get(before.as_item(), &place);
            let ported = manifest::get(after.as_item(), &place);
            if old.is_none() && ported.is_some() {
                remove(&mut now, &place);
            }
        }
        Ok((now.to_string(), left))
    }
}

fn has_backend(item: &Item) -> bool {
    let features = manifest::features(item);
    features
        .iter()
        .any(|name| BACKENDS.contains(&name.as_str()))
}

/// Removes an entry, and tables that become empty.
fn remove(document: &mut DocumentMut, place: &[String]) {
    for depth in (1..=place.len()).rev() {
        let (inner, outer) = (&place[depth - 1], &place[..depth - 1]);
        let Some(table) =
            manifest::get_mut(document.as_item_mut(), outer).and_then(Item::as_table_like_mut)
        else {
            return;
        };
        let is_empty = |item: &Item| item.as_table_like().is_some_and(|table| table.is_empty());
        if depth == place.len() || table.get(inner).is_some_and(is_empty) {
            table.remove(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    fn entry() -> Entry {
        Entry {
            path: "Cargo.toml".into(),
            before: Some("[dependencies]\ntokio = \"1\" # the runtime\n".into()),
            after: "[dependencies]\ntokio = { version = \"1\", features = [\"smol\"] } # the runtime\n\n\
                    [patch.crates-io]\ntokio = { path = \"/anyrt\" }\n"
                .into(),
        }
    }

    #[test]
    fn an_untouched_manifest_is_restored_as_it_was() {
        let entry = entry();
        let (text, left) = entry.restored(&entry.after).unwrap();
        assert_eq!(Some(text), entry.before);
        assert!(left.is_empty());
    }

    #[test]
    fn edits_after_the_port_stay() {
        let entry = entry();
        let now = entry
            .after
            .replace("[dependencies]", "[dependencies]\nserde = \"1\"");
        let (text, left) = entry.restored(&now).unwrap();
        assert_eq!(
            text,
            "[dependencies]\nserde = \"1\"\ntokio = \"1\" # the runtime\n"
        );
        assert!(left.is_empty());
    }

    #[test]
    fn a_line_that_was_edited_after_the_port_is_told() {
        let entry = entry();
        let now = entry.after.replace("[\"smol\"]", "[\"smol\", \"net\"]");
        let (text, left) = entry.restored(&now).unwrap();
        assert!(
            text.contains("[\"smol\", \"net\"]") && !text.contains("patch"),
            "{text}"
        );
        assert!(left[0].contains("tokio = \"1\""), "{left:?}");
    }
}
