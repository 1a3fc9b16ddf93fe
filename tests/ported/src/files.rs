//! Files and directories, in a temporary directory.

use std::io::{self, SeekFrom};

use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader};

use crate::Outcome;

pub async fn run() -> Outcome {
    println!("== files");
    let dir = std::env::temp_dir().join(format!("ported-{}", std::process::id()));
    fs::create_dir_all(dir.join("deep/er")).await?;
    let done = inside(&dir).await;
    fs::remove_dir_all(&dir).await?;
    println!("gone {}", !fs::try_exists(&dir).await?);
    done
}

async fn inside(dir: &std::path::Path) -> Outcome {
    let path = dir.join("notes.txt");
    fs::write(&path, "one\ntwo\n").await?;
    let mut file = OpenOptions::new().append(true).open(&path).await?;
    file.write_all(b"three\n").await?;
    file.flush().await?;
    println!("{:?}", fs::read_to_string(&path).await?);

    let mut lines = BufReader::new(File::open(&path).await?).lines();
    while let Some(line) = lines.next_line().await? {
        println!("line {line}");
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .await?;
    println!("at {}", file.seek(SeekFrom::End(-6)).await?);
    let mut rest = String::new();
    file.read_to_string(&mut rest).await?;
    file.rewind().await?;
    file.write_all(b"ONE").await?;
    file.set_len(8).await?;
    file.sync_all().await?;
    println!(
        "{rest:?}, {} bytes, now {:?}",
        file.metadata().await?.len(),
        fs::read(&path).await?
    );

    println!(
        "copied {}",
        fs::copy(&path, dir.join("deep/copy.txt")).await?
    );
    fs::rename(dir.join("deep/copy.txt"), dir.join("deep/er/moved.txt")).await?;
    fs::symlink("notes.txt", dir.join("link")).await?;
    println!("link to {:?}", fs::read_link(dir.join("link")).await?);
    let mut names = Vec::new();
    let mut entries = fs::read_dir(dir).await?;
    while let Some(entry) = entries.next_entry().await? {
        let kind = entry.file_type().await?;
        names.push((entry.file_name(), kind.is_dir(), kind.is_symlink()));
    }
    names.sort();
    println!("{names:?}");
    let found = fs::canonicalize(dir.join("deep/../link")).await?;
    println!("canonical {:?}", found.file_name());

    let whole: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 253) as u8).collect();
    let mut big = File::create(dir.join("big")).await?;
    big.write_all(&whole).await?;
    big.shutdown().await?;
    println!("as written {}", fs::read(dir.join("big")).await? == whole);
    errors(dir).await;
    Ok(())
}

async fn errors(dir: &std::path::Path) {
    let kind = |error: io::Error| (error.kind(), error.raw_os_error());
    println!(
        "missing {:?}",
        File::open(dir.join("none")).await.map(drop).map_err(kind)
    );
    println!(
        "not empty {:?}",
        fs::remove_dir(dir.join("deep")).await.map_err(kind)
    );
    println!(
        "there already {:?}",
        fs::create_dir(dir.join("deep")).await.map_err(kind)
    );
    println!("a directory {:?}", fs::read(dir).await.map_err(kind));
    let text = dir.join("bytes");
    let _ = fs::write(&text, [0xff, 0xfe]).await;
    println!(
        "no text {:?}",
        fs::read_to_string(&text).await.map_err(kind)
    );
}
