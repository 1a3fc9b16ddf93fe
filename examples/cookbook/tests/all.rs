//! Runs the recipes, each of which checks itself.

use std::process::Command;

#[test]
fn every_recipe_runs_on_every_backend() {
    let output = Command::new(env!("CARGO_BIN_EXE_anyrt-cookbook"))
        .arg("--all")
        .env_remove("ANYRT_BACKEND")
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn an_unknown_recipe_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_anyrt-cookbook"))
        .arg("nonesuch")
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
}
