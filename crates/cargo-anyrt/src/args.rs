//! Command-line arguments.

use std::path::PathBuf;

use crate::error::Result;
use crate::manifest::BACKENDS;

pub(crate) const HELP: &str = "\
Moves an application from Tokio to anyrt, and back.

  cargo anyrt check                     what a port would meet: dependencies that need the patch, items that anyrt
                                        lacks, version requirements and settings that stand in the way
  cargo anyrt port --backend BACKEND    takes anyrt for Tokio in every member of the workspace
  cargo anyrt port --backend BACKEND --patch
                                        takes anyrt for Tokio in the dependencies, too, by [patch.crates-io]
  cargo anyrt undo                      restores what `port` changed

BACKEND is tokio, smol, async-std or glommio; `port` again with another one switches.

  --from PATH|URL        where anyrt is: a checkout, or with --patch a tree that `scripts/patched-tree` wrote, or the
                         URL of a git repository that holds it
  --dry-run              prints the changes and writes nothing
  --yes                  writes without asking, though git could not restore what is overwritten
  --manifest-path PATH   the manifest of the workspace, or of one of its members";

/// The parsed command.
#[derive(Debug, PartialEq)]
pub(crate) struct Args {
    pub(crate) command: Command,
    pub(crate) manifest_path: Option<PathBuf>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Check,
    Port(PortOptions),
    Undo(WriteOptions),
}

#[derive(Debug, PartialEq)]
pub(crate) struct PortOptions {
    pub(crate) backend: &'static str,
    pub(crate) patch: bool,
    pub(crate) from: Option<String>,
    pub(crate) write: WriteOptions,
}

#[derive(Debug, PartialEq, Clone, Copy)]
pub(crate) struct WriteOptions {
    pub(crate) dry_run: bool,
    pub(crate) yes: bool,
}

impl Args {
    /// Returns nothing if help was asked for.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Option<Self>> {
        let mut words = words.into_iter().peekable();
        // Cargo passes the name of the subcommand on.
        words.next_if(|word| word == "anyrt");
        let (mut command, mut backend, mut from, mut manifest_path) = (None, None, None, None);
        let mut patch = false;
        let mut write = WriteOptions {
            dry_run: false,
            yes: false,
        };
        while let Some(word) = words.next() {
            let (word, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => {
                    (name.to_owned(), Some(value.to_owned()))
                }
                _ => (word, None),
            };
            let mut value = || {
                let value = inline.clone().or_else(|| words.next());
                value.ok_or_else(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--help" | "-h" | "help" => return Ok(None),
                "--backend" => {
                    let name = value()?;
                    let known = BACKENDS.into_iter().find(|known| *known == name);
                    backend = Some(known.ok_or_else(|| {
                        format!("`{name}` is no backend; there are {}", BACKENDS.join(", "))
                    })?);
                }
                "--from" => from = Some(value()?),
                "--manifest-path" => manifest_path = Some(PathBuf::from(value()?)),
                "--patch" => patch = true,
                "--dry-run" => write.dry_run = true,
                "--yes" | "-y" => write.yes = true,
                "check" | "port" | "undo" if command.is_none() => command = Some(word),
                _ => return Err(format!("`{word}` is unknown; see cargo anyrt --help")),
            }
        }
        let command = match command.as_deref() {
            None => return Ok(None),
            Some("check") => Command::Check,
            Some("undo") => Command::Undo(write),
            Some(_) => Command::Port(PortOptions {
                backend: backend.ok_or_else(|| {
                    format!("port needs --backend, one of {}", BACKENDS.join(", "))
                })?,
                patch,
                from,
                write,
            }),
        };
        Ok(Some(Self {
            command,
            manifest_path,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Args, Command};

    fn parse(line: &str) -> Result<Option<Args>, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn cargo_puts_the_subcommand_first() {
        let args = parse("anyrt port --backend=smol --patch").unwrap().unwrap();
        let Command::Port(options) = args.command else {
            panic!("not a port");
        };
        assert_eq!((options.backend, options.patch), ("smol", true));
        assert!(parse("anyrt").unwrap().is_none());
    }

    #[test]
    fn a_wrong_backend_is_told_the_right_ones() {
        let error = parse("port --backend actix").unwrap_err();
        assert!(error.contains("tokio, smol, async-std, glommio"), "{error}");
        let error = parse("port").unwrap_err();
        assert!(error.contains("--backend"), "{error}");
    }
}
