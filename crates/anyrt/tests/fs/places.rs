//! Files that are not regular, and threads that are not workers.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::thread;

use anyrt::fs::{self, File, OpenOptions};
use anyrt::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use anyrt::runtime::{Backend, Builder, Runtime};
use tempfile::tempdir;

use super::{pattern, poll_once, without_runtime};

#[anyrt::test]
async fn a_pipe_gives_what_is_there() -> io::Result<()> {
    let (reader, mut writer) = io::pipe()?;
    let mut reader = File::from(OwnedFd::from(reader));
    assert!(poll_once(reader.read(&mut [0; 64])).is_pending());
    // The operation in progress holds the file.
    let mut reader = reader.try_into_std().expect_err("it is being read");
    writer.write_all(b"some")?;
    let mut buf = [0; 64];
    assert_eq!(reader.read(&mut buf).await?, 4, "it does not wait for more");
    assert_eq!(&buf[..4], b"some");
    let seek = reader.seek(io::SeekFrom::Start(0)).await;
    assert_eq!(seek.map_err(|e| e.kind()), Err(ErrorKind::NotSeekable));
    drop(writer);
    assert_eq!(reader.read(&mut buf).await?, 0);

    let (mut reader, writer) = io::pipe()?;
    let mut writer = File::from(OwnedFd::from(writer));
    writer.write_all(b"through").await?;
    writer.flush().await?;
    drop(writer.into_std().await);
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    assert_eq!(text, "through");
    Ok(())
}

#[anyrt::test]
async fn both_ends_of_a_pipe_may_be_clones() -> io::Result<()> {
    // A waiting reader must not block the writer.
    let (reader, writer) = io::pipe()?;
    let (mut reader, mut writer) = (
        File::from(OwnedFd::from(reader)),
        File::from(OwnedFd::from(writer)),
    );
    let mut other = reader.try_clone().await?;
    assert!(poll_once(reader.read(&mut [0; 1])).is_pending());
    assert!(poll_once(other.read(&mut [0; 1])).is_pending());
    writer.write_all(b"ab").await?;
    let (mut one, mut two) = ([0; 1], [0; 1]);
    reader.read_exact(&mut one).await?;
    other.read_exact(&mut two).await?;
    let mut both = [one[0], two[0]];
    both.sort_unstable();
    assert_eq!(&both, b"ab");
    Ok(())
}

#[anyrt::test]
async fn devices_and_proc_are_files_too() -> io::Result<()> {
    let mut null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .await?;
    null.write_all(b"gone").await?;
    null.flush().await?;
    assert_eq!(null.read(&mut [0; 4]).await?, 0);
    let mut zero = File::open("/dev/zero").await?;
    let mut buf = [1; 10_000];
    zero.read_exact(&mut buf).await?;
    assert!(buf.iter().all(|byte| *byte == 0));

    let mut status = String::new();
    File::open("/proc/self/status")
        .await?
        .read_to_string(&mut status)
        .await?;
    assert!(status.starts_with("Name:"));
    assert!(fs::read_to_string("/proc/self/stat").await?.contains('('));
    Ok(())
}

#[anyrt::test]
async fn a_file_without_a_name_or_permission_works() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        // Only root could open it again.
        .mode(0)
        .open(&path)
        .await?;
    fs::remove_file(&path).await?;
    file.write_all(b"still here").await?;
    file.rewind().await?;
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "still here");
    let directory = File::open(dir.path()).await?.read(&mut [0; 1]).await;
    assert_eq!(
        directory.map_err(|e| e.kind()),
        Err(ErrorKind::IsADirectory)
    );
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn a_file_works_on_every_thread_and_in_every_runtime() -> io::Result<()> {
    let mut file = File::from_std(tempfile::tempfile()?);
    file.write_all(b"here ").await?;
    let mut file = thread::spawn(move || {
        without_runtime(async {
            file.write_all(b"outside ").await?;
            file.flush().await?;
            assert_eq!(file.metadata().await?.len(), 13);
            io::Result::Ok(file)
        })
    })
    .join()
    .expect("no panic")?;
    for &backend in Backend::enabled() {
        file = thread::spawn(move || {
            let runtime = Builder::new_current_thread().backend(backend).build()?;
            runtime.block_on(async {
                file.write_all(b"elsewhere ").await?;
                file.flush().await?;
                file.sync_data().await?;
                io::Result::Ok(file)
            })
        })
        .join()
        .expect("no panic")?;
    }
    let length = 13 + 10 * Backend::enabled().len();
    // Back on the workers, from one to another.
    for _ in 0..10 {
        file = anyrt::spawn(async move {
            file.rewind().await?;
            let mut text = String::new();
            file.read_to_string(&mut text).await?;
            assert!(text.starts_with("here outside elsewhere "));
            assert_eq!(text.len(), length);
            io::Result::Ok(file)
        })
        .await
        .expect("no panic")?;
    }
    Ok(())
}

#[test]
fn a_file_may_be_made_before_its_runtime() {
    if Backend::enabled().is_empty() {
        return;
    }
    let mut file = File::from_std(tempfile::tempfile().expect("a file"));
    Runtime::new().expect("a runtime").block_on(async move {
        file.write_all(b"later").await.expect("room");
        file.flush().await.expect("written");
        assert_eq!(file.metadata().await.expect("metadata").len(), 5);
    });
}

#[anyrt::test(flavor = "multi_thread")]
async fn many_files_at_once() -> io::Result<()> {
    let dir = tempdir()?;
    let mut tasks = anyrt::task::JoinSet::new();
    for number in 0..40usize {
        let path = dir.path().join(number.to_string());
        tasks.spawn(async move {
            let bytes = pattern(10_000 + number);
            let mut file = File::create_new(&path).await?;
            for chunk in bytes.chunks(700) {
                file.write_all(chunk).await?;
            }
            file.rewind().await?;
            let mut read = Vec::new();
            file.read_to_end(&mut read).await?;
            assert!(read == bytes);
            io::Result::Ok(())
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.expect("no panic")?;
    }
    Ok(())
}

#[cfg(feature = "test-util")]
#[anyrt::test(start_paused = true)]
async fn a_paused_clock_waits_for_files() -> io::Result<()> {
    let dir = tempdir()?;
    let work = async {
        let mut file = File::create_new(dir.path().join("file")).await?;
        for _ in 0..20 {
            file.write_all(&pattern(100_000)).await?;
        }
        file.rewind().await?;
        let mut read = Vec::new();
        file.read_to_end(&mut read).await
    };
    let start = anyrt::time::Instant::now();
    let read = anyrt::time::timeout(std::time::Duration::from_secs(1), work).await;
    assert_eq!(read.expect("no time passes")?, 2_000_000);
    assert!(start.elapsed().is_zero());
    Ok(())
}
