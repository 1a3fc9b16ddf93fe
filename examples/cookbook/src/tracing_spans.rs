//! Tracing: events with fields, in spans that follow a request through tasks.
//!
//! Use it instead of `println!`: each line says to which request it belongs, whichever worker wrote
//! it.
//! What guides miss: `span.enter()` held across an `.await` also marks other tasks of the worker; a
//! spawned task does not inherit the span, so it must be passed on.

use std::io;
use std::sync::{Arc, Mutex};

use anyrt::task::{JoinSet, yield_now};
use tracing::{Instrument, info, info_span, instrument};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: subscriber
    // Once, in the program. A library never does this.
    let written = Log::default();
    let writer = written.clone();
    tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_writer(move || writer.clone())
        .init();
    // ANCHOR_END: subscriber

    let mut requests = JoinSet::new();
    for id in 1..=20 {
        requests.spawn(handle(id));
    }
    requests.join_all().await;

    let log = String::from_utf8(written.0.lock().expect("no holder panics").clone())?;
    for id in 1..=20 {
        for line in [
            format!("INFO handle{{id={id}}}: begin"),
            format!("INFO handle{{id={id}}}:query{{table=\"users\"}}: found rows={id}"),
            format!("INFO handle{{id={id}}}:audit: written"),
        ] {
            assert!(
                log.lines().any(|l| l.trim() == line),
                "{line} is not in\n{log}"
            );
        }
    }
    assert_eq!(log.lines().count(), 60);
    println!("tracing_spans: 60 lines, each in its request's span");
    Ok(())
}

// ANCHOR: spans
/// The attribute enters the span at each poll and leaves it at each `.await`.
#[instrument]
async fn handle(id: u32) {
    info!("begin");
    yield_now().await;
    // For a part of a function: `instrument` on the future, never a guard across `.await`.
    query(id)
        .instrument(info_span!("query", table = "users"))
        .await;
    // `info_span!` takes the current span for its parent here, before the spawn.
    let audit = async { info!("written") }.instrument(info_span!("audit"));
    anyrt::spawn(audit).await.expect("it does not panic");
}
// ANCHOR_END: spans

async fn query(rows: u32) {
    yield_now().await;
    info!(rows, "found");
}

/// Collects the output, for the check.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no holder panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
