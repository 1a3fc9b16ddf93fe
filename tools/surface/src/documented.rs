//! The crates as documented by rustdoc, in JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The version of rustdoc's JSON that this program understands.
const FORMATS: std::ops::RangeInclusive<u64> = 45..=60;

const FULL: &str = "\"full\", \"test-util\"";

/// A crate.
pub struct Documented {
    json: Value,
    /// The ids of its items by the paths of their definitions.
    by_path: BTreeMap<String, String>,
}

impl Documented {
    fn read(path: &Path) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read(path).map_err(|error| told(&error))?;
        let mut json: Value = serde_json::from_slice(&text).map_err(|error| told(&error))?;
        let format = json["format_version"].as_u64().unwrap_or_default();
        if !FORMATS.contains(&format) {
            return Err(told(&format!("format {format} is not known here")));
        }
        let names = names(&json);
        if let Some(index) = json["index"].as_object_mut() {
            index.values_mut().for_each(|item| rename(item, &names));
        }
        let mut by_path = BTreeMap::new();
        for (id, summary) in json["paths"].as_object().into_iter().flatten() {
            if summary["crate_id"] == 0 {
                by_path.insert(path_of(summary), id.clone());
            }
        }
        Ok(Self { json, by_path })
    }

    /// Returns its root module.
    pub fn root(&self) -> String {
        self.json["root"].to_string()
    }

    /// Returns the item with that id, if it belongs to this crate.
    pub fn item(&self, id: &str) -> Option<&Value> {
        self.json["index"].get(id)
    }

    /// Returns the path of the definition of the item with that id.
    pub fn path(&self, id: &str) -> Option<String> {
        self.json["paths"].get(id).map(path_of)
    }
}

fn path_of(summary: &Value) -> String {
    let words = summary["path"].as_array().into_iter().flatten();
    words
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join("::")
}

/// The names of types and traits in their definitions, by their ids.
fn names(json: &Value) -> BTreeMap<String, String> {
    let paths = json["paths"].as_object().into_iter().flatten();
    paths
        .filter_map(|(id, summary)| {
            let name = summary["path"].as_array()?.last()?.as_str()?;
            Some((id.clone(), name.to_owned()))
        })
        .collect()
}

/// Renames every type and trait to the name in its definition, instead of the imported one.
fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| rename(one, names)),
        Value::Object(all) => {
            let name = all.get("id").and_then(|id| names.get(&id.to_string()));
            if let (Some(name), Some(path)) = (name, all.get_mut("path")) {
                *path = name.clone().into();
            }
            all.values_mut().for_each(|one| rename(one, names));
        }
        _ => {}
    }
}

/// All crates of the comparison.
pub struct World {
    /// Tokio with all of its features.
    pub full: Documented,
    /// anyrt with all of its features.
    pub ours: Documented,
    /// The version of Tokio.
    pub version: String,
    others: BTreeMap<&'static str, Documented>,
}

impl World {
    /// Runs rustdoc for them.
    pub fn document(root: &Path, target: &Path) -> Result<Self, String> {
        let version = version(root)?;
        let full = tokio(root, &target.join("surface/full"), &version, FULL)?;
        let lite = tokio(
            root,
            &target.join("surface/lite"),
            &version,
            &reexported(root)?,
        )?;
        let mut others = BTreeMap::from([("tokio", lite)]);
        for (package, name) in [
            ("anyrt-core", "anyrt_core"),
            ("anyrt-macros", "anyrt_macros"),
        ] {
            others.insert(name, rustdoc(root, target, package, name, &[])?);
        }
        let features = if cfg!(target_os = "linux") {
            "full,test-util,tokio,smol,async-std,glommio"
        } else {
            "full,test-util,tokio,smol,async-std"
        };
        Ok(Self {
            full,
            ours: rustdoc(root, target, "anyrt", "anyrt", &["--features", features])?,
            version,
            others,
        })
    }

    /// Returns the item that is defined there, with its crate.
    pub fn find(&self, path: &str) -> Option<(&Documented, &str)> {
        let (name, _) = path.split_once("::").unwrap_or((path, ""));
        let other = self.others.get(name)?;
        Some((other, other.by_path.get(path)?))
    }
}

fn version(root: &Path) -> Result<String, String> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).map_err(|error| error.to_string())?;
    let tokio = lock
        .split("[[package]]")
        .find(|text| text.contains("\nname = \"tokio\"\n"));
    let line = tokio.and_then(|text| text.lines().find(|line| line.starts_with("version")));
    let version = line.and_then(|line| line.split('"').nth(1));
    Ok(version.ok_or("there is no tokio in Cargo.lock")?.to_owned())
}

/// The features of the tokio crate that anyrt enables with its feature `full` and without the Tokio
/// backend. Its re-exports are those of a Tokio with these features.
fn reexported(root: &Path) -> Result<String, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let package = list(&metadata, "packages").find(|package| package["name"] == "anyrt");
    let package = package.ok_or("there is no anyrt in the workspace")?;
    let mut features: Vec<_> = list(package, "dependencies")
        .filter(|of| of["name"] == "tokio" && of["kind"].is_null())
        .flat_map(|of| list(of, "features"))
        .filter_map(Value::as_str)
        .collect();
    let full = list(&package["features"], "full").filter_map(Value::as_str);
    let of_full = full.flat_map(|feature| list(&package["features"], feature));
    features.extend(of_full.filter_map(|feature| feature.as_str()?.strip_prefix("tokio/")));
    Ok(format!("{features:?}").trim_matches(['[', ']']).to_owned())
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// Documents Tokio with these features, through a package that only depends on it.
fn tokio(root: &Path, dir: &Path, version: &str, features: &str) -> Result<Documented, String> {
    let manifest = format!(
        "[package]\nname = \"anyrt-surface-of-tokio\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\ntokio = {{ version = \"={version}\", default-features = false, features = [{features}] }}\n\
         [workspace]\n"
    );
    let told = |error: std::io::Error| format!("{}: {error}", dir.display());
    fs::create_dir_all(dir.join("src")).map_err(told)?;
    fs::write(dir.join("Cargo.toml"), manifest).map_err(told)?;
    fs::write(dir.join("src/lib.rs"), "").map_err(told)?;
    if !dir.join("Cargo.lock").exists() {
        fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).map_err(told)?;
    }
    rustdoc(dir, &dir.join("target"), "tokio", "tokio", &[])
}

fn rustdoc(
    dir: &Path,
    target: &Path,
    package: &str,
    name: &str,
    more: &[&str],
) -> Result<Documented, String> {
    let output = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--lib", "-p", package])
        .args(more)
        .args([
            "--",
            "-Z",
            "unstable-options",
            "--output-format",
            "json",
            "--cap-lints",
            "allow",
        ])
        .current_dir(dir)
        .env("CARGO_TARGET_DIR", target)
        // The JSON is unstable, which is acceptable here.
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTDOCFLAGS")
        .output()
        .map_err(|error| format!("cargo rustdoc: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let path: PathBuf = target.join("doc").join(name).with_extension("json");
    Documented::read(&path)
}
