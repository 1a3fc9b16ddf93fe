//! A program with a log on disk: right under every seed, and wrong in three ways that are found.

use std::io::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyrt::fs::{self, File, OpenOptions};
use anyrt::io::AsyncWriteExt;
use anyrt::sim::{DiskFaults, Sim, current};
use anyrt::time::sleep;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// Promises an entry before it is synced.
    Early,
    /// Takes an entry for whole whose last bytes were not written.
    NoChecksum,
    /// Takes a second sync that succeeds for a proof that the first one's data was written.
    SyncsAgain,
}

/// Entries that are longer than a sector, and now and then cross the end of a page.
const LEN: usize = 700;

fn entry(number: u64) -> Vec<u8> {
    let mut entry = number.to_le_bytes().to_vec();
    entry.extend((0..LEN as u64).map(|at| (number * 31 + at) as u8));
    let sum = entry.iter().fold(7_u64, |sum, byte| {
        sum.wrapping_mul(1_099_511_628_211)
            .wrapping_add(u64::from(*byte))
    });
    entry.extend(sum.to_le_bytes());
    entry
}

struct Log {
    bug: Bug,
    file: File,
    count: u64,
}

impl Log {
    /// Reads the entries that are whole, and writes them anew: what the cache has may not be on the disk.
    async fn open(bug: Bug) -> Result<Self> {
        let bytes = match fs::read("/log").await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let size = entry(0).len();
        let is_whole = |number: usize, found: &[u8]| match bug {
            Bug::NoChecksum => found.starts_with(&(number as u64).to_le_bytes()),
            _ => found == entry(number as u64),
        };
        let chunks = bytes.chunks_exact(size).enumerate();
        let count = chunks
            .take_while(|(number, found)| is_whole(*number, found))
            .count();
        let mut file = File::create("/new").await?;
        file.write_all(&bytes[..count * size]).await?;
        file.flush().await?;
        file.sync_all().await?;
        fs::rename("/new", "/log").await?;
        File::open("/").await?.sync_all().await?;
        let file = OpenOptions::new().append(true).open("/log").await?;
        let count = count as u64;
        Ok(Self { bug, file, count })
    }

    async fn add(&mut self) -> Result<()> {
        self.file.write_all(&entry(self.count)).await?;
        self.file.flush().await?;
        match self.bug {
            Bug::Early => {}
            Bug::SyncsAgain => while self.file.sync_data().await.is_err() {},
            Bug::None | Bug::NoChecksum => self.file.sync_data().await?,
        }
        self.count += 1;
        Ok(())
    }

    /// All entries are what they were.
    async fn check(&self) -> Result<()> {
        let bytes = fs::read("/log").await?;
        let expected: Vec<u8> = (0..self.count).flat_map(entry).collect();
        match bytes == expected {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::InvalidData, "an entry is torn")),
        }
    }
}

/// Runs the program while its power fails and its syncs fail. Returns whether all that it promised was kept.
async fn is_kept(bug: Bug) -> bool {
    let promised = Arc::new(AtomicU64::new(0));
    let is_kept = Arc::new(AtomicBool::new(true));
    let (there, kept) = (Arc::clone(&promised), Arc::clone(&is_kept));
    let host = current().host("log", move || {
        let (promised, kept) = (Arc::clone(&there), Arc::clone(&kept));
        async move {
            // A process whose disk fails ends, and begins from what is there.
            let Ok(mut log) = Log::open(bug).await else {
                return;
            };
            if log.check().await.is_err() || log.count < promised.load(Ordering::Relaxed) {
                kept.store(false, Ordering::Relaxed);
            }
            while log.add().await.is_ok() {
                promised.store(log.count, Ordering::Relaxed);
            }
        }
    });
    let mut faults = DiskFaults::default();
    faults.sync_error = 0.05;
    host.set_disk_faults(faults);
    for _ in 0..40 {
        sleep(Duration::from_micros(current().random() % 20_000)).await;
        if current().random().is_multiple_of(4) {
            host.power_off();
        }
        host.restart();
    }
    assert!(promised.load(Ordering::Relaxed) > 0);
    is_kept.load(Ordering::Relaxed)
}

#[anyrt::test(sim, seeds = 100, check = 2)]
async fn a_log_keeps_what_it_has_promised() {
    assert!(is_kept(Bug::None).await);
}

#[test]
fn each_bug_is_found() {
    let is_found = |bug, seed: u64| {
        let sim = Sim::new(seed);
        let found = Arc::new(AtomicBool::new(false));
        let there = Arc::clone(&found);
        sim.client("test", async move {
            there.store(!is_kept(bug).await, Ordering::Relaxed);
        });
        sim.run().unwrap();
        found.load(Ordering::Relaxed)
    };
    for bug in [Bug::Early, Bug::NoChecksum, Bug::SyncsAgain] {
        let first = (0..200).find(|seed| is_found(bug, *seed));
        println!("{bug:?} is found by seed {first:?}");
        assert!(first.is_some(), "{bug:?}");
    }
}
