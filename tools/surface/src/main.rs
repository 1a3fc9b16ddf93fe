//! Compares the API of Tokio with that of anyrt, item by item, from rustdoc's JSON of both.
//!
//! Every item that is missing, has another signature, or differs in `Send`, `Sync`, `Unpin` or
//! unwind safety has a reason in `reasons.txt`. A missing reason and an unused one are failures.
//! The result is `docs/tokio-surface.md`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod compare;
mod documented;
mod reasons;
mod render;
mod surface;
mod table;

use compare::Comparison;
use documented::World;
use reasons::Reasons;
use surface::Surface;

const HELP: &str = "surface [--update] [--gaps]
  --update   writes docs/tokio-surface.md; without it a stale one is a failure
  --gaps     prints what is missing and differs, with and without a reason, and nothing else";

fn main() -> ExitCode {
    match compared() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("surface: {error}");
            ExitCode::from(2)
        }
    }
}

/// Errors are printed for a person.
fn compared() -> Result<bool, String> {
    let (mut update, mut gaps) = (false, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--update" => update = true,
            "--gaps" => gaps = true,
            _ => return Err(HELP.to_owned()),
        }
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here
        .ancestors()
        .nth(2)
        .ok_or("the crate is not in tools/surface")?;
    let world = World::document(root, &target_dir(root))?;
    let tokio = Surface::of(&world, &world.full);
    let ours = Surface::of(&world, &world.ours);
    let reasons = Reasons::read(&here.join("reasons.txt"))?;
    let comparison = Comparison::new(&tokio, &ours);
    if gaps {
        comparison.print_gaps();
        return Ok(true);
    }
    let complaints = comparison.complaints(&reasons);
    for complaint in &complaints {
        println!("{complaint}");
    }
    let path = root.join("docs/tokio-surface.md");
    let text = table::markdown(&comparison, &reasons, &world.version);
    let fresh = std::fs::read_to_string(&path).is_ok_and(|old| old == text);
    if update {
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    } else if !fresh {
        println!("docs/tokio-surface.md is stale: scripts/check surface --update");
    }
    println!("{}", comparison.summary());
    Ok(complaints.is_empty() && (fresh || update))
}

fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}
