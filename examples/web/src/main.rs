//! A web service with crates that were written for Tokio, on the runtime of your choice.
//!
//! ```text
//! scripts/patched-tree target/patched && cd examples/web
//! cargo run                                              # asks itself, and ends
//! ANYRT_BACKEND=glommio cargo run                        # on io_uring
//! cargo run -- --serve 127.0.0.1:3000 notes.db           # until Ctrl-C
//! curl -d '{"text":"hello"}' -H 'content-type: application/json' http://127.0.0.1:3000/notes
//! ```

use std::net::SocketAddr;
use std::path::Path;

use anyhow::ensure;
use anyrt_web::{NewNote, Note, open, service};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const NOTES: usize = 50;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // reqwest leaves this choice to the program. It fails if the choice was already made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => ask_oneself().await,
        ["--serve", address, database] => serve(address, Path::new(database)).await,
        _ => anyhow::bail!("usage: anyrt-web [--serve ADDRESS DATABASE]"),
    }
}

async fn serve(address: &str, database: &Path) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!(
        "on {}, at http://{}/notes",
        Handle::current().backend(),
        listener.local_addr()?
    );
    let pool = open(database).await?;
    axum::serve(listener, service(pool.clone()))
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    pool.close().await;
    Ok(())
}

/// The service and a client of it, in one process.
async fn ask_oneself() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let pool = open(&dir.path().join("notes.db")).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, service(pool.clone())).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());

    let asked = ask(address).await;
    let _ = stop.send(());
    server.await??;
    pool.close().await;
    let notes = asked?;
    println!(
        "{notes} notes by axum, reqwest and sqlx on {}",
        Handle::current().backend()
    );
    Ok(())
}

async fn ask(address: SocketAddr) -> anyhow::Result<usize> {
    let notes = format!("http://{address}/notes");
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut adding = JoinSet::new();
    for n in 0..NOTES {
        let request = client.post(&notes).json(&NewNote {
            text: format!("note {n}"),
        });
        adding.spawn(async move {
            request
                .send()
                .await?
                .error_for_status()?
                .json::<Note>()
                .await
        });
    }
    while let Some(added) = adding.join_next().await {
        let added = added??;
        let kept = client.get(format!("{notes}/{}", added.id)).send().await?;
        ensure!(kept.json::<Note>().await? == added, "another note");
    }
    let all: Vec<Note> = client.get(&notes).send().await?.json().await?;
    ensure!(all.len() == NOTES, "{} notes", all.len());
    let missing = client.get(format!("{notes}/0")).send().await?;
    ensure!(missing.status() == 404, "{}", missing.status());
    Ok(all.len())
}
