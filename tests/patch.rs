//! The package `tokio` of `crates/tokio`, compared with Tokio itself.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Returns cargo's metadata of the packages of a manifest and, with `dependencies`, of all packages
/// that this machine builds for it.
fn packages(manifest: &str, dependencies: bool) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(["--manifest-path", manifest])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if dependencies {
        // Packages for other systems need not be on this machine.
        command.args(["--filter-platform", host().as_str()]);
    } else {
        command.arg("--no-deps");
    }
    let output = command.output().expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    metadata["packages"].as_array().expect("a list").clone()
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output();
    let text = String::from_utf8(output.expect("rustc runs").stdout).expect("UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc names its host").to_owned()
}

fn features(package: &Value) -> BTreeSet<String> {
    let features = package["features"].as_object().expect("a table");
    features.keys().cloned().collect()
}

/// Cargo silently ignores a patch that lacks a requested feature.
#[test]
fn the_patch_has_every_feature_of_tokio() {
    let ours = packages("crates/tokio/Cargo.toml", false);
    let all = packages("Cargo.toml", true);
    let tokio = all.iter().find(|package| {
        package["name"] == "tokio"
            && package["source"]
                .as_str()
                .is_some_and(|s| s.contains("crates.io"))
    });
    let theirs = features(tokio.expect("the workspace depends on Tokio"));
    let mut ours = features(&ours[0]);
    for backend in ["tokio", "smol", "async-std", "glommio", "sim"] {
        assert!(ours.remove(backend), "the backend {backend} is no feature");
    }
    ours.retain(|feature| !feature.starts_with("sim-"));
    assert_eq!(ours, theirs);
}

#[test]
fn the_version_of_the_patch_satisfies_requirements_of_later_tokios() {
    let ours = packages("crates/tokio/Cargo.toml", false);
    assert_eq!(ours[0]["version"], "1.999.0");
    assert_eq!(ours[0]["publish"], Value::Array(Vec::new()));
}
