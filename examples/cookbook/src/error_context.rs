//! Errors: an enum in the library, context in the program.
//!
//! Use `thiserror` where callers match on the error, `anyhow` where it is only shown.
//! What guides miss: a library that returns `anyhow::Error` takes the choice from its callers; a
//! message that repeats its source prints it twice; `?` on a `JoinHandle` hides whether the task
//! failed or panicked.

use std::path::{Path, PathBuf};

use anyhow::Context;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ports.conf");

    // ANCHOR: match
    // The library's caller decides by kind: a missing file is not a failure here.
    let ports = match library::load(&path).await {
        Err(library::Error::Read { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            vec![8080]
        }
        other => other?,
    };
    assert_eq!(ports, [8080]);
    // ANCHOR_END: match

    // ANCHOR: chain
    anyrt::fs::write(&path, "80\neighty\n").await?;
    let error = start(path.clone()).await.unwrap_err();
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert_eq!(chain[0], "cannot start the server");
    assert!(chain[1].ends_with("ports.conf, line 2: `eighty` is no port"));
    assert_eq!(chain[2], "invalid digit found in string");
    assert_eq!(chain.len(), 3);
    // The cause is still there as a value, under all the context.
    assert!(matches!(
        error.downcast_ref(),
        Some(library::Error::Parse { line: 2, .. })
    ));
    // ANCHOR_END: chain

    println!("error_context: {}", chain.join(": "));
    Ok(())
}

// ANCHOR: context
async fn start(path: PathBuf) -> anyhow::Result<Vec<u16>> {
    let loading = anyrt::spawn(async move { library::load(&path).await });
    // Two failures, two contexts: the task did not finish, or it finished with an error.
    loading
        .await
        .context("the loading task panicked or was cancelled")?
        .context("cannot start the server")
}
// ANCHOR_END: context

// ANCHOR: library
mod library {
    use super::{Path, PathBuf};

    #[derive(Debug, thiserror::Error)]
    pub enum Error {
        // The message names the operation. The source has the reason.
        #[error("cannot read {}", path.display())]
        Read {
            path: PathBuf,
            source: std::io::Error,
        },
        #[error("{}, line {line}: `{text}` is no port", path.display())]
        Parse {
            path: PathBuf,
            line: usize,
            text: String,
            source: std::num::ParseIntError,
        },
    }

    pub async fn load(path: &Path) -> Result<Vec<u16>, Error> {
        let text = anyrt::fs::read_to_string(path)
            .await
            .map_err(|source| Error::Read {
                path: path.into(),
                source,
            })?;
        text.lines()
            .enumerate()
            .map(|(number, text)| {
                text.parse().map_err(|source| Error::Parse {
                    path: path.into(),
                    line: number + 1,
                    text: text.into(),
                    source,
                })
            })
            .collect()
    }
}
// ANCHOR_END: library
