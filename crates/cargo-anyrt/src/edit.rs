//! Edits the dependency lines of a manifest and nothing else.

use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::error::Result;
use crate::manifest::{self, BACKENDS, Place};

/// The version of the package `tokio` in a patched tree.
pub(crate) const PATCHED_VERSION: Version = Version::new(1, 999, 0);

/// Where anyrt comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// A directory, absolute.
    Path(PathBuf),
    /// A git repository.
    Git(String),
}

/// The target of the edit.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) backend: &'static str,
    /// Whether `tokio` is replaced by `[patch]` or in the line itself.
    pub(crate) patch: bool,
    pub(crate) source: Source,
}

/// The report of an edit.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The lines before and after.
    pub(crate) changes: Vec<(String, String)>,
    /// Notes for the user.
    pub(crate) notes: Vec<String>,
    /// Whether a line depends on Tokio 1, changed or not.
    pub(crate) has_tokio: bool,
}

/// Ports the dependency lines of one manifest.
///
/// # Errors
/// Fails if a line cannot be ported, and names the remedy.
pub(crate) fn port(document: &mut DocumentMut, plan: &Plan) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for place in manifest::dependencies_on(document, &["tokio", "anyrt"]) {
        let Some(item) = manifest::get_mut(document.as_item_mut(), &place) else {
            continue;
        };
        let key = place.last().map_or("", String::as_str);
        if key == "anyrt" && manifest::string(item, "package").is_none() {
            continue; // Written for anyrt under its own name.
        }
        if manifest::is_inherited(item) {
            outcome.has_tokio = true;
            continue;
        }
        let before = manifest::shown(&place, item);
        if port_line(item, &place, plan, &mut outcome.notes)? {
            outcome.has_tokio = true;
            let after = manifest::shown(&place, item);
            if before != after {
                outcome.changes.push((before, after));
            }
        }
    }
    Ok(outcome)
}

/// Returns `false` for a line that is kept because it requires another major version.
fn port_line(item: &mut Item, place: &Place, plan: &Plan, notes: &mut Vec<String>) -> Result<bool> {
    let shown = manifest::shown(place, item);
    let ported = manifest::string(item, "package") == Some("anyrt");
    if !ported {
        let elsewhere = ["path", "git", "registry"];
        if let Some(key) = elsewhere
            .into_iter()
            .find(|key| manifest::string(item, key).is_some())
        {
            return Err(format!(
                "`{shown}`: this Tokio does not come from crates.io; remove `{key}` and name a version"
            ));
        }
    }
    let requirement = manifest::version(item).map(str::to_owned);
    let mut relaxed = None;
    if let (false, Some(text)) = (ported, &requirement) {
        let parsed = VersionReq::parse(text)
            .map_err(|error| format!("`{shown}`: {error}; correct the version"))?;
        if parsed.comparators.iter().all(|c| c.major == 0) && !parsed.comparators.is_empty() {
            notes.push(format!(
                "`{shown}` is another major version and stays as it is"
            ));
            return Ok(false);
        }
        if !parsed.matches(&PATCHED_VERSION) {
            let least = parsed.comparators.iter().find_map(|c| c.minor);
            relaxed = Some(least.map_or("1".to_owned(), |minor| format!("1.{minor}")));
        }
    }
    // Cargo has read the manifest, so it is a string or a table.
    let Some(table) = as_table(item) else {
        return Ok(false);
    };
    if plan.patch {
        if ported {
            return Err(format!(
                "`{shown}` is ported without --patch; run `cargo anyrt undo` first"
            ));
        }
        if let Some(version) = relaxed {
            notes.push(format!(
                "`{}` excludes the patched package, whose version is {PATCHED_VERSION}: relaxed to `{version}`",
                requirement.as_deref().unwrap_or_default()
            ));
            set(table, "version", &version);
        }
    } else {
        table.remove("version");
        set(table, "package", "anyrt");
        for key in ["path", "git"] {
            table.remove(key);
        }
        match &plan.source {
            Source::Path(path) => set(table, "path", &slashes(&path.join("crates/anyrt"))),
            Source::Git(url) => set(table, "git", url),
        }
    }
    set_backend(table, plan.backend);
    Ok(true)
}

/// Returns the line as a table. A bare version is converted and keeps its comment.
fn as_table(item: &mut Item) -> Option<&mut dyn TableLike> {
    if let Some(version) = item.as_str().map(str::to_owned) {
        let mut table = InlineTable::new();
        table.insert("version", version.into());
        let mut value = Value::InlineTable(table);
        if let Some(old) = item.as_value() {
            *value.decor_mut() = old.decor().clone();
        }
        *item = Item::Value(value);
    }
    item.as_table_like_mut()
}

/// Sets a string, in place if the key exists.
fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    let mut value = Value::from(text);
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    table.insert(key, Item::Value(value));
    tidy(table);
}

/// Enables this backend and no other.
fn set_backend(table: &mut dyn TableLike, backend: &str) {
    let features = table
        .entry("features")
        .or_insert_with(|| Item::Value(Value::Array(Array::new())));
    let Some(features) = features.as_array_mut() else {
        return;
    };
    if !features.iter().any(|name| name.as_str() == Some(backend)) {
        match position_of_backend(features) {
            // In the place of the old one.
            Some(at) => {
                features.replace(at, backend);
            }
            None => {
                let mut value = Value::from(backend);
                let last = features.len().checked_sub(1);
                if let Some((_, indent)) = last
                    .and_then(|at| features.get(at)?.decor().prefix()?.as_str())
                    .and_then(|prefix| prefix.rsplit_once('\n'))
                {
                    // One feature a line; what stands before is a comment on the line above.
                    *value.decor_mut() = toml_edit::Decor::new(format!("\n{indent}"), "");
                    features.push_formatted(value);
                } else {
                    features.push(backend);
                }
            }
        }
    }
    features.retain(|name| {
        let name = name.as_str().unwrap_or_default();
        name == backend || !BACKENDS.contains(&name)
    });
    tidy(table);
}

fn position_of_backend(features: &Array) -> Option<usize> {
    let mut names = features.iter();
    names.position(|name| name.as_str().is_some_and(|name| BACKENDS.contains(&name)))
}

/// Fixes the spaces of an inline table after a key was added or removed: one after the last value,
/// as elsewhere.
fn tidy(table: &mut dyn TableLike) {
    if let Some(last) = table.iter().last().map(|(key, _)| key.to_owned()) {
        let keys: Vec<_> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            let Some(Item::Value(value)) = table.get_mut(&key) else {
                continue;
            };
            let suffix = value.decor().suffix().and_then(|text| text.as_str());
            if key != last && suffix.is_some_and(|text| text.chars().all(|c| c == ' ')) {
                value.decor_mut().set_suffix("");
            }
        }
    }
}

/// Adds the patch entry to the root manifest, or changes its tree.
///
/// # Errors
/// Fails if there is an entry for `tokio` that is not anyrt's.
pub(crate) fn patch(root: &mut DocumentMut, source: &Source) -> Result<Option<(String, String)>> {
    let place: Place = ["patch", "crates-io", "tokio"].map(str::to_owned).into();
    let before = manifest::get(root.as_item(), &place).map(|item| manifest::shown(&place, item));
    if let Some(shown) = &before
        && !shown.contains("anyrt")
        && !is_patched_tree(root, &place)
    {
        return Err(format!(
            "`{shown}`: Tokio is patched already; remove that entry first"
        ));
    }
    let patch = root.entry("patch").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let unfit = "the manifest of the root: `patch` is not a table";
    let crates_io = patch
        .as_table_like_mut()
        .ok_or(unfit)?
        .entry("crates-io")
        .or_insert_with(|| Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or(unfit)?;
    let mut line = InlineTable::new();
    match source {
        Source::Path(path) => line.insert("path", slashes(&path.join("crates/tokio")).into()),
        Source::Git(url) => line.insert("git", url.as_str().into()),
    };
    let mut value = Value::InlineTable(line);
    if let Some(old) = crates_io.get("tokio").and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    crates_io.insert("tokio", Item::Value(value));
    let after = manifest::get(root.as_item(), &place).map(|item| manifest::shown(&place, item));
    let after = after.unwrap_or_default();
    Ok((before.as_ref() != Some(&after)).then(|| (before.unwrap_or_default(), after)))
}

/// Returns `true` if an existing entry names a tree of `scripts/patched-tree`.
fn is_patched_tree(root: &DocumentMut, place: &Place) -> bool {
    let item = manifest::get(root.as_item(), place);
    let path = item.and_then(|item| manifest::string(item, "path"));
    path.is_some_and(|path| Path::new(path).join("../..").join(MARKER).exists())
}

/// A file in the root of each tree that `scripts/patched-tree` wrote.
pub(crate) const MARKER: &str = ".anyrt-patched-tree";

/// Turns resolver 1 into 2.
pub(crate) fn resolver(root: &mut DocumentMut) {
    let section = if root.get("workspace").is_some() {
        "workspace"
    } else {
        "package"
    };
    if let Some(table) = root.get_mut(section).and_then(Item::as_table_like_mut) {
        table.insert("resolver", Item::Value("2".into()));
    }
}

fn slashes(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Plan, Source, patch, port};

    fn ported(text: &str, backend: &'static str, with_patch: bool) -> (String, Outcome) {
        let plan = Plan {
            backend,
            patch: with_patch,
            source: Source::Path("/anyrt".into()),
        };
        let mut document = text.parse().unwrap();
        let outcome = port(&mut document, &plan).unwrap();
        (document.to_string(), outcome)
    }

    #[test]
    fn comments_and_layout_stay() {
        let text = r#"# The head.
[dependencies]
tokio = "1.40" # the runtime
other = { version = "1" } # another

[dev-dependencies]
tokio = { version = "1", features = ["full"] } # for tests
rt = { package = "tokio", version = "1", features = [
    "rt", # tasks
    "net",
] }

[target.'cfg(unix)'.build-dependencies.tokio]
version = "1"
# Only what is needed.
features = ["rt"]
"#;
        let expected = r#"# The head.
[dependencies]
tokio = { version = "1.40", features = ["smol"] } # the runtime
other = { version = "1" } # another

[dev-dependencies]
tokio = { version = "1", features = ["full", "smol"] } # for tests
rt = { package = "tokio", version = "1", features = [
    "rt", # tasks
    "net",
    "smol",
] }

[target.'cfg(unix)'.build-dependencies.tokio]
version = "1"
# Only what is needed.
features = ["rt", "smol"]
"#;
        let (text, outcome) = ported(text, "smol", true);
        assert_eq!(text, expected);
        assert_eq!(outcome.changes.len(), 4);
        // A second time it changes nothing. Another backend replaces the first one.
        assert!(ported(&text, "smol", true).1.changes.is_empty());
        assert_eq!(
            ported(&text, "glommio", true).0,
            expected.replace("smol", "glommio")
        );
    }

    #[test]
    fn without_the_patch_the_line_names_the_package() {
        let text = "[dependencies]\ntokio = { version = \"1\", features = [\"full\"], optional = true } # a\n";
        let (text, _) = ported(text, "glommio", false);
        assert_eq!(
            text,
            "[dependencies]\ntokio = { features = [\"full\", \"glommio\"], optional = true, \
             package = \"anyrt\", path = \"/anyrt/crates/anyrt\" } # a\n"
        );
        assert!(ported(&text, "glommio", false).1.changes.is_empty());
        let (text, _) = ported(&text, "smol", false);
        assert!(text.contains("[\"full\", \"smol\"]"), "{text}");
    }

    #[test]
    fn a_requirement_that_excludes_the_patch_is_relaxed_and_told() {
        for (requirement, relaxed) in [
            ("~1.38", "1.38"),
            ("=1.38.0", "1.38"),
            (">=1.2, <1.40", "1.2"),
        ] {
            let (text, outcome) = ported(
                &format!("[dependencies]\ntokio = \"{requirement}\"\n"),
                "smol",
                true,
            );
            assert!(text.contains(&format!("version = \"{relaxed}\"")), "{text}");
            assert!(outcome.notes[0].contains("relaxed"), "{:?}", outcome.notes);
        }
        let (text, outcome) = ported("[dependencies]\ntokio = \"0.2\"\n", "smol", true);
        assert_eq!(text, "[dependencies]\ntokio = \"0.2\"\n");
        assert!(outcome.notes[0].contains("another major version"));
    }

    #[test]
    fn the_line_of_the_workspace_is_ported_and_those_that_inherit_stay() {
        let text = "[workspace.dependencies]\ntokio = \"1\"\n[dependencies]\ntokio = { workspace = true, features = [\"rt\"] }\n";
        let (text, outcome) = ported(text, "smol", true);
        assert!(text.contains("tokio = { version = \"1\", features = [\"smol\"] }"));
        assert!(text.contains("tokio = { workspace = true, features = [\"rt\"] }"));
        assert_eq!(outcome.changes.len(), 1);
    }

    #[test]
    fn a_foreign_patch_is_left_alone() {
        let source = Source::Path("/anyrt".into());
        let mut fresh = "[package]\nname = \"a\"\n".parse().unwrap();
        patch(&mut fresh, &source).unwrap();
        assert_eq!(
            fresh.to_string(),
            "[package]\nname = \"a\"\n\n[patch.crates-io]\ntokio = { path = \"/anyrt/crates/tokio\" }\n"
        );
        assert_eq!(patch(&mut fresh, &source).unwrap(), None);
        let mut foreign = "[patch.crates-io]\ntokio = { path = \"../my-tokio\" }\n"
            .parse()
            .unwrap();
        let error = patch(&mut foreign, &source).unwrap_err();
        assert!(error.contains("remove that entry"), "{error}");
    }
}
