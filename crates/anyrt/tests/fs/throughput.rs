//! The throughput of a large file on each backend. Not a test; run it by hand:
//! `cargo test --release -p anyrt --features full,tokio,smol,async-std,glommio --test fs -- --ignored --nocapture --test-threads 1`.
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyrt::fs::{self, File};
use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use tempfile::tempdir_in;

const SIZE: usize = 256 * 1024 * 1024;
const ROUNDS: usize = 5;

fn report(what: &str, size: usize, mut times: Vec<Duration>) {
    times.sort();
    let median = times[times.len() / 2];
    let rate = size as f64 / median.as_secs_f64() / 1e6;
    println!("{what}: {rate:.0} MB/s");
}

/// Writes and reads with calls of `chunk` bytes. The whole file is in the page cache.
async fn measure(chunk: usize, size: usize) -> io::Result<()> {
    // In memory, or else in cargo's target directory. Not in `TMPDIR`, which may be the working
    // tree: a run that is killed leaves its file behind.
    let places = ["/dev/shm", env!("CARGO_TARGET_TMPDIR")];
    let place = places.into_iter().find(|place| Path::new(place).is_dir());
    let dir = tempdir_in(place.expect("cargo made the second"))?;
    let path = dir.path().join("large");
    let mut buf = vec![1; chunk];
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut file = File::create(&path).await?;
        for _ in 0..size / chunk {
            file.write_all(&buf).await?;
        }
        file.flush().await?;
        writes.push(start.elapsed());
        let start = Instant::now();
        let mut file = File::open(&path).await?;
        for _ in 0..size / chunk {
            file.read_exact(&mut buf).await?;
        }
        reads.push(start.elapsed());
        fs::remove_file(&path).await?;
    }
    let kib = chunk / 1024;
    report(&format!("write, {kib} KiB a call"), size, writes);
    report(&format!("read, {kib} KiB a call"), size, reads);
    Ok(())
}

#[anyrt::test(timeout_secs = 600)]
#[ignore = "measures"]
async fn throughput() -> io::Result<()> {
    println!("{:?}", anyrt::runtime::Handle::current().backend());
    measure(2 * 1024 * 1024, SIZE).await?;
    measure(64 * 1024, SIZE).await?;
    measure(4 * 1024, SIZE / 16).await
}
