//! Dependencies run one way: facade → backends → kit → core.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

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
