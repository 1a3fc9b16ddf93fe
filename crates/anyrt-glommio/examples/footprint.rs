//! The cost of a shard: memory, descriptors, threads, time to start and to end.
//!
//! ```text
//! cargo run --release -p anyrt-glommio --example footprint [-- SHARDS]
//! ```
#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured is the real time"
)]

use std::time::Instant;

use anyrt_core::BuildError;
use anyrt_core::runtime::Owner;
use anyrt_glommio::runtime::Builder;

struct Footprint {
    resident_kib: f64,
    descriptors: usize,
    threads: usize,
}

fn footprint() -> Footprint {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let resident = line.and_then(|line| line.split_whitespace().nth(1));
    Footprint {
        resident_kib: resident.unwrap().parse().unwrap(),
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        threads: std::fs::read_dir("/proc/self/task").unwrap().count(),
    }
}

fn main() {
    if let Err(error) = measure() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn measure() -> Result<(), BuildError> {
    let shards = std::env::args().nth(1).map_or(8, |n| n.parse().unwrap());
    // One-time costs of the process are excluded.
    drop(Builder::new().shards(1).build()?);

    let before = footprint();
    let started = Instant::now();
    let runtime = Builder::new().shards(shards).build()?;
    let start = started.elapsed();
    let rt = runtime.handle();
    runtime.block_on(async {
        for shard in 0..shards {
            rt.spawn_on(shard, async {}).await.unwrap();
        }
    });
    let after = footprint();
    let ending = Instant::now();
    drop(runtime);
    let end = ending.elapsed();

    let per_shard = |total: f64| total / shards as f64;
    println!("shards              {shards}");
    println!(
        "resident, each      {:.0} KiB",
        per_shard(after.resident_kib - before.resident_kib)
    );
    println!(
        "descriptors, each   {:.1}",
        per_shard((after.descriptors - before.descriptors) as f64)
    );
    println!(
        "threads, each       {:.1}",
        per_shard((after.threads - before.threads) as f64)
    );
    println!("start, all          {:.2} ms", start.as_secs_f64() * 1e3);
    println!("end, all            {:.2} ms", end.as_secs_f64() * 1e3);
    Ok(())
}
