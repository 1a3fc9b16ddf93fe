//! Files: buffered writing, lines, replacing a file so that a crash leaves the old or the new one.
//!
//! Use `fs::read_to_string` and `fs::write` for small files, `BufReader` and `BufWriter` for large
//! ones.
//! What guides miss: a `BufWriter` must be flushed, dropping it silently loses the rest; each
//! unbuffered small read is a trip to another thread; `write` and then `rename` is not durable
//! without `sync_all` in between.

use std::path::Path;

use anyrt::fs::{self, File, OpenOptions};
use anyrt::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader, BufWriter, SeekFrom,
};

const LINES: usize = 10_000;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("measurements.txt");

    // ANCHOR: write
    let mut writer = BufWriter::new(File::create(&path).await?);
    for number in 0..LINES {
        writer
            .write_all(format!("{number};{}\n", number * 2).as_bytes())
            .await?;
    }
    // Without it the last few kilobytes never reach the file.
    writer.flush().await?;
    // ANCHOR_END: write

    // ANCHOR: lines
    let mut lines = BufReader::new(File::open(&path).await?).lines();
    let mut sum = 0;
    while let Some(line) = lines.next_line().await? {
        let (_, value) = line
            .split_once(';')
            .ok_or_else(|| anyhow::anyhow!("no `;` in {line:?}"))?;
        sum += value.parse::<usize>()?;
    }
    assert_eq!(sum, LINES * (LINES - 1));
    // ANCHOR_END: lines

    // ANCHOR: seek
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .open(&path)
        .await?;
    file.write_all(b"end\n").await?;
    file.seek(SeekFrom::End(-4)).await?;
    let mut last = String::new();
    file.read_to_string(&mut last).await?;
    assert_eq!(last, "end\n");
    // ANCHOR_END: seek

    let config = folder.path().join("config.toml");
    replace(&config, b"version = 1\n").await?;
    replace(&config, b"version = 2\n").await?;
    assert_eq!(fs::read_to_string(&config).await?, "version = 2\n");
    let mut names = Vec::new();
    let mut entries = fs::read_dir(folder.path()).await?;
    while let Some(entry) = entries.next_entry().await? {
        names.push(entry.file_name());
    }
    names.sort();
    assert_eq!(names, ["config.toml", "measurements.txt"]);
    println!("files: {LINES} lines, sum {sum}, a config replaced");
    Ok(())
}

// ANCHOR: replace
/// Replaces the file by one with these contents. A reader sees the old or the new file, never half
/// of one.
async fn replace(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new).await?;
    file.write_all(contents).await?;
    // The data is on disk before the name points to it.
    file.sync_all().await?;
    drop(file);
    fs::rename(&new, path).await
}
// ANCHOR_END: replace
