//! Dependencies run one way: facade → backends → kit → core, and within a crate in no circle. No
//! two types of a crate have one name.

#[path = "architecture/planted.rs"]
mod planted;
#[path = "architecture/reader.rs"]
mod reader;
#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use reader::features;
use serde_json::Value;
use source::{Module, Source};

/// Returns cargo's metadata of the workspace.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

/// Returns the direct dependencies of each package of the workspace, without those of tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let packages = metadata["packages"].as_array().expect("a list");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("a list");
            let normal = dependencies.iter().filter(|d| d["kind"].is_null());
            (
                text(&package["name"]),
                normal.map(|d| text(&d["name"])).collect(),
            )
        })
        .collect()
}

const BACKENDS: [&str; 5] = [
    "anyrt-tokio",
    "anyrt-smol",
    "anyrt-async-std",
    "anyrt-glommio",
    "anyrt-sim",
];

#[test]
fn the_core_and_the_kit_know_no_runtime() {
    let all = dependencies();
    for (package, may) in [("anyrt-core", ""), ("anyrt-kit", "anyrt-core")] {
        for name in &all[package] {
            assert!(
                !name.starts_with("anyrt") || name == may,
                "{package} depends on {name}"
            );
            for runtime in [
                "tokio",
                "smol",
                "async-std",
                "async-io",
                "async-executor",
                "glommio-ng",
            ] {
                assert_ne!(name, runtime, "{package} depends on a runtime");
            }
        }
    }
}

#[test]
fn the_core_has_no_features() {
    let metadata = metadata();
    let features = &metadata["packages"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|package| package["name"] == "anyrt-core")
        .expect("a package")["features"];
    assert_eq!(features.as_object().map(serde_json::Map::len), Some(0));
}

/// An application without Glommio needs no later Rust than the facade names.
#[test]
fn only_glommio_and_the_simulator_need_a_later_rust_than_the_facade() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list");
    let minimum = |name: &str| {
        let package = packages.iter().find(|package| package["name"] == name);
        package.map(|package| &package["rust_version"])
    };
    let facade = minimum("anyrt").expect("a package");
    let all = dependencies();
    let mut seen = BTreeSet::new();
    let mut open = vec!["anyrt"];
    while let Some(package) = open.pop() {
        if seen.insert(package)
            && !["anyrt-glommio", "anyrt-sim", "anyrt-sim-libc"].contains(&package)
        {
            assert_eq!(minimum(package), Some(facade), "{package}");
            let ours = all[package].iter().filter(|name| all.contains_key(*name));
            open.extend(ours.map(String::as_str));
        }
    }
    assert!(seen.contains("anyrt-async-io"), "{seen:?}");
}

#[test]
fn backends_do_not_know_each_other_nor_the_facade() {
    let all = dependencies();
    for backend in BACKENDS {
        for name in &all[backend] {
            let ours = name.starts_with("anyrt");
            assert!(
                !ours || ["anyrt-core", "anyrt-kit", "anyrt-async-io"].contains(&name.as_str()),
                "{backend} depends on {name}"
            );
        }
    }
}

/// Or the shims, which replace it and depend on the simulator, would close a circle.
#[test]
fn nothing_below_the_simulator_depends_on_getrandom() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "anyrt-sim"])
        .args(["--edges", "normal,build", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(tree.contains("anyrt-core v"), "{tree}");
    assert!(!tree.contains("getrandom v"), "{tree}");
}

#[test]
fn only_the_facade_and_the_tests_know_the_backends() {
    let allowed = ["anyrt", "anyrt-bench", "anyrt-examples", "anyrt-sim-libc"];
    for (package, dependencies) in dependencies() {
        for backend in BACKENDS {
            assert!(
                !dependencies.contains(backend) || allowed.contains(&package.as_str()),
                "{package} depends on {backend}"
            );
        }
    }
}

/// Each library and each program with a folder of its own, by that folder.
fn sources() -> Vec<(String, Source)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources: Vec<_> = ["crates", "tools", "examples"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder"))
        .map(|entry| entry.expect("readable").path())
        .flat_map(|folder| ["src/lib.rs", "src/main.rs", "main.rs"].map(|file| folder.join(file)))
        .filter(|root| root.exists())
        .map(|file| {
            let folder = file
                .strip_prefix(root)
                .ok()
                .and_then(|file| file.iter().nth(1));
            let name = folder
                .expect("a folder of the repository")
                .to_string_lossy();
            (name.into_owned(), Source::read(&file))
        })
        .collect();
    sources.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(sources.len() > 25, "there are more crates than that");
    sources
}

/// Files of the facade that name the feature of a backend, and why.
const GATES: &[(&str, &str)] = &[
    ("backend.rs", "it is the list of backends"),
    (
        "lib.rs",
        "a build with `sim` exports `sim` and a `select!` of its own",
    ),
];

#[test]
fn only_the_list_of_backends_names_their_features() {
    let (_, facade) = sources()
        .into_iter()
        .find(|(package, _)| package == "anyrt")
        .expect("a package");
    let names = BACKENDS.map(|package| package.trim_start_matches("anyrt-"));
    let mut seen = BTreeSet::new();
    for path in facade.paths() {
        let text = std::fs::read_to_string(path).expect("readable");
        let tokens = text.parse().expect("tokens");
        let features = features(tokens);
        let named: Vec<_> = names
            .iter()
            .filter(|name| features.contains(**name))
            .collect();
        let file = path.strip_prefix(facade.folder()).expect("a file of it");
        match GATES.iter().find(|gate| Path::new(gate.0) == file) {
            Some(gate) if !named.is_empty() => _ = seen.insert(gate.0),
            Some(_) => {}
            None => assert!(named.is_empty(), "{} names {named:?}", file.display()),
        }
    }
    assert_eq!(
        seen.len(),
        GATES.len(),
        "an exception is not needed any more"
    );
}

/// Types that share a name within their crate, and why.
const NAMESAKES: &[(&str, &str, &str)] = &[
    (
        "anyrt",
        "Builder",
        "Tokio's names: runtime, task and JoinSet have one each",
    ),
    (
        "anyrt",
        "Receiver",
        "Tokio's names: of a channel, and of a pipe",
    ),
    (
        "anyrt",
        "Sender",
        "Tokio's names: of a channel, and of a pipe",
    ),
    (
        "bench",
        "Host",
        "each subject is a program of its own, with the same items",
    ),
    (
        "bench",
        "Rt",
        "each subject is a program of its own, with the same items",
    ),
    ("cookbook", "State", "each recipe stands alone"),
];

#[test]
fn no_two_types_of_a_crate_have_one_name() {
    let mut wrong = Vec::new();
    let mut excused = BTreeSet::new();
    for (package, source) in sources() {
        let mut places: BTreeMap<&str, Vec<(String, bool)>> = BTreeMap::new();
        for (module, item) in source.types() {
            let place = (module.join("::"), item.is_conditional);
            places.entry(&item.name).or_default().push(place);
        }
        for (name, places) in places {
            // Variants of one type, of which a build has one.
            if places.len() == 1 || places.iter().all(|place| place.1) {
                continue;
            }
            let excuse = |e: &&(&str, &str, &str)| (e.0, e.1) == (package.as_str(), name);
            match NAMESAKES.iter().find(excuse) {
                Some(excuse) => _ = excused.insert(excuse),
                None => wrong.push(format!("{package}: {name} in {places:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        excused.len(),
        NAMESAKES.len(),
        "an exception is not needed any more"
    );
}

/// Files that may be used by those that they use, and why.
const HUBS: &[(&str, &str, &str)] = &[
    (
        "anyrt-sim",
        "world",
        "the world holds all parts, and each part acts on its world",
    ),
    (
        "anyrt-sim",
        "runtime",
        "the handle to the world, which parts give to tasks",
    ),
];

/// Macros whose calls stand for files of their own, and why.
const TEMPLATES: &[(&str, &str, &str)] = &[(
    "anyrt",
    "over_kit",
    "it makes the module of a backend, and all rows of the list of backends are in one file",
)];

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let mut wrong = Vec::new();
    let mut needed = 0;
    for (package, source) in sources() {
        let hubs = HUBS.iter().filter(|hub| hub.0 == package);
        let hubs: Vec<Module> = hubs.map(|hub| module(hub.1)).collect();
        let templates = TEMPLATES.iter().filter(|template| template.0 == package);
        let templates: Vec<_> = templates.map(|template| template.1).collect();
        wrong.extend(
            source
                .circles(&hubs, &templates)
                .iter()
                .map(|circle| format!("{package}: {circle}")),
        );
        for leave_out in 0..hubs.len() {
            let mut hubs = hubs.clone();
            hubs.remove(leave_out);
            needed += usize::from(!source.circles(&hubs, &templates).is_empty());
        }
        for leave_out in 0..templates.len() {
            let mut templates = templates.clone();
            templates.remove(leave_out);
            needed += usize::from(!source.circles(&hubs, &templates).is_empty());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        needed,
        HUBS.len() + TEMPLATES.len(),
        "an exception is not needed any more"
    );
}

fn module(path: &str) -> Module {
    path.split("::").map(str::to_owned).collect()
}

/// Or what such a file says would be checked by none of these tests.
#[test]
fn every_file_of_a_crate_is_read() {
    let mut unread = Vec::new();
    for (package, source) in sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("crates")
            .join(&package);
        let mut folders = vec![root.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") && !source.has_read(&path) {
                    unread.push(path);
                }
            }
        }
    }
    assert!(unread.is_empty(), "{unread:?}");
}
