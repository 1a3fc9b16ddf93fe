//! `cargo anyrt`: moves an application from Tokio to anyrt by its manifests, and back.
//!
//! `check` changes nothing. `port` edits the dependency lines of every workspace member, adds the
//! `[patch]` entry when asked to, and updates the lock file. `undo` restores what `port` found.

use std::process::ExitCode;

mod args;
mod check;
mod edit;
mod error;
mod journal;
mod lock;
mod manifest;
mod port;
mod sources;
mod surface;
mod undo;
mod workspace;

use args::{Args, Command};
use error::Result;
use workspace::Workspace;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo anyrt: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let Some(args) = Args::parse(std::env::args().skip(1))? else {
        println!("{}", args::HELP);
        return Ok(true);
    };
    let workspace = Workspace::load(args.manifest_path.as_deref())?;
    match &args.command {
        Command::Check => check::check(&workspace),
        Command::Port(options) => port::port(&workspace, options),
        Command::Undo(options) => undo::undo(&workspace, *options),
    }
}
