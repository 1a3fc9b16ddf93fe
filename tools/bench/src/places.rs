//! Where this package, its workspace and what is built of them are.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fail::fail;

/// Returns the root of the repository.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// Returns the path of a file of this package.
pub(crate) fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

pub(crate) fn this_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "anyrt-bench".into())
}

/// Returns the directory into which cargo builds this workspace.
pub(crate) fn target_directory() -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new(cargo())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(workspace())
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let directory = metadata["target_directory"].as_str();
    directory
        .map(PathBuf::from)
        .ok_or_else(|| fail("cargo tells no target directory"))
}
