//! Files through the facade, and through `std` on one thread.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyrt::fs::File;
use anyrt::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::{Backend, facade};
use crate::work::{Figure, median, seconds};

const BLOCK: usize = 64 * 1024;
const PAGE: usize = 4096;

/// Writes a file in blocks and reads it back, then reads pages all over it for some time.
pub fn through_anyrt(backend: Backend, path: &Path, size: u64, time: Duration) -> Vec<Figure> {
    let host = facade::Host::new(backend);
    let (path, figures) = (path.to_owned(), Arc::default());
    host.run({
        let figures: Arc<Mutex<Vec<Figure>>> = Arc::clone(&figures);
        move |_| async move {
            let measured = work(path, size, time).await;
            *figures.lock().unwrap() = measured;
        }
    });
    std::mem::take(&mut *figures.lock().unwrap())
}

async fn work(path: std::path::PathBuf, size: u64, time: Duration) -> Vec<Figure> {
    let blocks = size.div_ceil(BLOCK as u64).max(1);
    let mut block = vec![7; BLOCK];

    let start = Instant::now();
    let mut file = File::create(&path).await.unwrap();
    for _ in 0..blocks {
        file.write_all(&block).await.unwrap();
    }
    file.flush().await.unwrap();
    let write = rate(blocks, start);
    drop(file);

    let start = Instant::now();
    let mut file = File::open(&path).await.unwrap();
    for _ in 0..blocks {
        file.read_exact(&mut block).await.unwrap();
    }
    let read = rate(blocks, start);

    let (begin, mut each, mut pages) = (Instant::now(), Vec::new(), Pages::of(blocks));
    while begin.elapsed() < time {
        let start = Instant::now();
        file.seek(SeekFrom::Start(pages.next())).await.unwrap();
        file.read_exact(&mut block[..PAGE]).await.unwrap();
        each.push(seconds(start) * 1e6);
    }
    vec![("write", write), ("read", read), ("random", median(each))]
}

/// The same with `std` on the calling thread.
pub fn through_std(path: &Path, size: u64, time: Duration) -> Vec<Figure> {
    let blocks = size.div_ceil(BLOCK as u64).max(1);
    let mut block = vec![7; BLOCK];

    let start = Instant::now();
    let mut file = std::fs::File::create(path).unwrap();
    for _ in 0..blocks {
        file.write_all(&block).unwrap();
    }
    let write = rate(blocks, start);
    drop(file);

    let start = Instant::now();
    let mut file = std::fs::File::open(path).unwrap();
    for _ in 0..blocks {
        file.read_exact(&mut block).unwrap();
    }
    let read = rate(blocks, start);

    let (begin, mut each, mut pages) = (Instant::now(), Vec::new(), Pages::of(blocks));
    while begin.elapsed() < time {
        let start = Instant::now();
        file.seek(SeekFrom::Start(pages.next())).unwrap();
        file.read_exact(&mut block[..PAGE]).unwrap();
        each.push(seconds(start) * 1e6);
    }
    vec![("write", write), ("read", read), ("random", median(each))]
}

/// Megabytes per second.
fn rate(blocks: u64, start: Instant) -> f64 {
    blocks as f64 * BLOCK as f64 / 1e6 / seconds(start)
}

/// Offsets in an order that no read-ahead guesses, the same for all.
struct Pages {
    state: u64,
    pages: u64,
}

impl Pages {
    const fn of(blocks: u64) -> Self {
        Self {
            state: 0x9e37_79b9_7f4a_7c15,
            pages: blocks * (BLOCK / PAGE) as u64,
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % self.pages * PAGE as u64
    }
}
