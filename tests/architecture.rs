//! The arrows of the house run one way: facade → backends → core.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The direct dependencies of each package of the workspace, but for those of tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
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
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
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

const BACKENDS: [&str; 4] = [
    "anyrt-tokio",
    "anyrt-smol",
    "anyrt-async-std",
    "anyrt-glommio",
];

#[test]
fn the_core_knows_no_runtime() {
    let all = dependencies();
    for name in &all["anyrt-core"] {
        assert!(!name.starts_with("anyrt"), "anyrt-core depends on {name}");
        for runtime in [
            "tokio",
            "smol",
            "async-std",
            "async-io",
            "async-executor",
            "glommio-ng",
        ] {
            assert_ne!(name, runtime, "anyrt-core depends on a runtime");
        }
    }
}

#[test]
fn backends_do_not_know_each_other_nor_the_facade() {
    let all = dependencies();
    for backend in BACKENDS {
        for name in &all[backend] {
            let ours = name.starts_with("anyrt");
            assert!(
                !ours || name == "anyrt-core" || name == "anyrt-async-io",
                "{backend} depends on {name}"
            );
        }
    }
}

#[test]
fn only_the_facade_and_the_tests_know_the_backends() {
    let allowed = ["anyrt", "anyrt-bench", "anyrt-examples"];
    for (package, dependencies) in dependencies() {
        for backend in BACKENDS {
            assert!(
                !dependencies.contains(backend) || allowed.contains(&package.as_str()),
                "{package} depends on {backend}"
            );
        }
    }
}
