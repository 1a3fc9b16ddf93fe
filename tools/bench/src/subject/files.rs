//! Files: through the facade, natively on each runtime, and through `std` on one thread.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Backend, facade, native_async_std, native_smol, native_tokio};
use crate::work::{Figure, median, seconds};

const BLOCK: usize = 64 * 1024;
const PAGE: usize = 4096;

/// Writes a file in blocks and reads it back, then reads random pages for some time; one text for
/// all implementations whose files have the methods of Tokio's.
macro_rules! work {
    ($path:expr, $size:expr, $time:expr) => {{
        let (path, blocks) = ($path, blocks($size));
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
        while begin.elapsed() < $time {
            let start = Instant::now();
            file.seek(SeekFrom::Start(pages.next())).await.unwrap();
            file.read_exact(&mut block[..PAGE]).await.unwrap();
            each.push(seconds(start) * 1e6);
        }
        figures(write, read, each)
    }};
}

/// Through anyrt.
pub fn through_anyrt(backend: Backend, path: &Path, size: u64, time: Duration) -> Vec<Figure> {
    use anyrt::fs::File;
    use anyrt::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

    let host = facade::Host::new(backend);
    let path = path.to_owned();
    collect(|report| host.run(move |_| async move { report.set(work!(path, size, time)) }))
}

/// With the runtime's own files. For Glommio those that use the page cache, as all others do.
pub fn natively(backend: Backend, path: &Path, size: u64, time: Duration) -> Vec<Figure> {
    let path = path.to_owned();
    match backend {
        Backend::Tokio => {
            use tokio::fs::File;
            use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

            let host = native_tokio::Host::new(backend);
            collect(|report| host.run(move |_| async move { report.set(work!(path, size, time)) }))
        }
        Backend::Smol => {
            use smol::fs::File;
            use smol::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

            let host = native_smol::Host::new(backend);
            collect(|report| host.run(move |_| async move { report.set(work!(path, size, time)) }))
        }
        Backend::AsyncStd => {
            use async_std::fs::File;
            use async_std::io::prelude::{ReadExt, SeekExt, WriteExt};

            let host = native_async_std::Host::new(backend);
            collect(|report| host.run(move |_| async move { report.set(work!(path, size, time)) }))
        }
        #[cfg(target_os = "linux")]
        Backend::Glommio => {
            let host = super::native_glommio::Host::new(backend);
            collect(|report| {
                host.run(move |_| async move {
                    report.set(work_of_glommio(path, size, time).await);
                });
            })
        }
        #[cfg(not(target_os = "linux"))]
        Backend::Glommio => panic!("Glommio needs Linux"),
    }
}

/// Its files have no position, take ownership of the buffer to write, and return the buffer that
/// they read into.
#[cfg(target_os = "linux")]
async fn work_of_glommio(path: std::path::PathBuf, size: u64, time: Duration) -> Vec<Figure> {
    use glommio::io::BufferedFile;

    let blocks = blocks(size);

    let start = Instant::now();
    let file = BufferedFile::create(&path).await.unwrap();
    for block in 0..blocks {
        let buffer = vec![7; BLOCK];
        let written = file.write_at(buffer, block * BLOCK as u64).await.unwrap();
        assert_eq!(written, BLOCK);
    }
    let write = rate(blocks, start);
    file.close().await.unwrap();

    let start = Instant::now();
    let file = BufferedFile::open(&path).await.unwrap();
    for block in 0..blocks {
        let read = file.read_at(block * BLOCK as u64, BLOCK).await.unwrap();
        assert_eq!(read.len(), BLOCK);
    }
    let read = rate(blocks, start);

    let (begin, mut each, mut pages) = (Instant::now(), Vec::new(), Pages::of(blocks));
    while begin.elapsed() < time {
        let start = Instant::now();
        let read = file.read_at(pages.next(), PAGE).await.unwrap();
        assert_eq!(read.len(), PAGE);
        each.push(seconds(start) * 1e6);
    }
    file.close().await.unwrap();
    figures(write, read, each)
}

/// The same with `std` on the calling thread; then the speed of the disk without the page cache.
pub fn through_std(path: &Path, size: u64, time: Duration) -> Vec<Figure> {
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    let blocks = blocks(size);
    let mut block = vec![7; BLOCK];

    let start = Instant::now();
    let mut file = File::create(path).unwrap();
    for _ in 0..blocks {
        file.write_all(&block).unwrap();
    }
    let write = rate(blocks, start);
    file.sync_all().unwrap();
    let synced = rate(blocks, start);
    drop(file);

    let start = Instant::now();
    let mut file = File::open(path).unwrap();
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
    let mut figures = figures(write, read, each);
    figures.push(("synced", synced));

    if forget(&file) {
        file.rewind().unwrap();
        let start = Instant::now();
        for _ in 0..blocks {
            file.read_exact(&mut block).unwrap();
        }
        figures.push(("cold", rate(blocks, start)));
    }
    figures
}

/// Asks the system to drop the file from the page cache, if it can.
fn forget(file: &std::fs::File) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).is_ok();
    #[cfg(not(target_os = "linux"))]
    return false;
}

/// The figures of a body.
#[derive(Clone, Default)]
struct Report(Arc<Mutex<Vec<Figure>>>);

impl Report {
    fn set(&self, figures: Vec<Figure>) {
        *self.0.lock().unwrap() = figures;
    }
}

fn collect(run: impl FnOnce(Report)) -> Vec<Figure> {
    let report = Report::default();
    run(report.clone());
    std::mem::take(&mut *report.0.lock().unwrap())
}

fn figures(write: f64, read: f64, random: Vec<f64>) -> Vec<Figure> {
    vec![("write", write), ("read", read), ("random", median(random))]
}

fn blocks(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64).max(1)
}

/// Megabytes per second.
fn rate(blocks: u64, start: Instant) -> f64 {
    blocks as f64 * BLOCK as f64 / 1e6 / seconds(start)
}

/// Offsets in an order that read-ahead cannot predict, the same for all.
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
