//! One file: its cursor, its buffer, its errors.

use std::io::{self, ErrorKind, IoSlice, SeekFrom};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use anyrt::fs::{self, File, FileTimes, OpenOptions};
use anyrt::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tempfile::tempdir;

use super::{pattern, poll_once, read_ahead};

#[anyrt::test]
async fn what_is_written_can_be_read() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let bytes = pattern(5 * 1024 * 1024 + 3);

    let mut file = File::create(&path).await?;
    file.write_all(&bytes).await?;
    file.flush().await?;
    assert_eq!(std::fs::read(&path)?, bytes);

    let mut read = Vec::new();
    let mut file = File::open(&path).await?;
    assert_eq!(file.read_to_end(&mut read).await?, bytes.len());
    assert_eq!(read, bytes);
    assert_eq!(file.read(&mut [0; 8]).await?, 0, "the end is the end");
    Ok(())
}

#[anyrt::test(flavor = "multi_thread")]
async fn who_shares_a_cursor_overwrites_nothing_and_reads_nothing_twice() -> io::Result<()> {
    const EACH: usize = 500;
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let std = std::fs::File::create(&path)?;
    let mut writers = Vec::new();
    for letter in [b'a', b'b'] {
        let mut file = File::from_std(std.try_clone()?);
        writers.push(anyrt::spawn(async move {
            for _ in 0..EACH {
                file.write_all(&[letter; 10]).await?;
            }
            file.flush().await
        }));
    }
    for writer in writers {
        writer.await??;
    }
    assert_eq!(std.metadata()?.len(), 2 * 10 * EACH as u64);

    let std = std::fs::File::open(&path)?;
    let mut readers = Vec::new();
    for _ in 0..2 {
        let mut file = File::from_std(std.try_clone()?);
        readers.push(anyrt::spawn(async move {
            let mut read = 0;
            while file.read_exact(&mut [0; 10]).await.is_ok() {
                read += 10;
            }
            read
        }));
    }
    let mut read = 0;
    for reader in readers {
        read += reader.await?;
    }
    assert_eq!(read, 2 * 10 * EACH);
    Ok(())
}

#[anyrt::test]
async fn the_options_are_std_s() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let missing = File::open(&path).await.map(drop);
    assert_eq!(missing.map_err(|e| e.kind()), Err(ErrorKind::NotFound));

    let mut file = File::create_new(&path).await?;
    file.write_all(b"read and write").await?;
    file.rewind().await?;
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "read and write");
    let again = File::create_new(&path).await.map(drop);
    assert_eq!(again.map_err(|e| e.kind()), Err(ErrorKind::AlreadyExists));

    let mut options = OpenOptions::from(std::fs::OpenOptions::new());
    let secret = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(dir.path().join("secret"))
        .await?;
    let mode = secret.metadata().await?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // O_NOFOLLOW
    fs::symlink(&path, dir.path().join("link")).await?;
    let link = OpenOptions::new()
        .read(true)
        .custom_flags(0o400_000)
        .open(dir.path().join("link"))
        .await;
    assert!(link.is_err(), "a flag of ours was passed on");
    Ok(())
}

#[anyrt::test]
async fn a_seek_counts_from_what_was_seen() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    std::fs::write(&path, b"0123456789")?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .await?;

    // Reads ten bytes ahead, which are not consumed.
    read_ahead(&mut file, 10).await?;
    let mut two = [0; 2];
    file.read_exact(&mut two).await?;
    assert_eq!(&two, b"01");
    assert_eq!(file.stream_position().await?, 2);
    assert_eq!(file.seek(SeekFrom::Current(3)).await?, 5);
    file.read_exact(&mut two).await?;
    assert_eq!(&two, b"56");
    assert_eq!(file.seek(SeekFrom::End(-1)).await?, 9);
    assert_eq!(file.seek(SeekFrom::Start(1)).await?, 1);

    // A write goes to the position of the reader, not to that of the descriptor.
    read_ahead(&mut file, 9).await?;
    file.read_exact(&mut two).await?;
    assert_eq!(&two, b"12");
    file.write_all(b"xy").await?;
    file.flush().await?;
    assert_eq!(std::fs::read(&path)?, b"012xy56789");
    assert_eq!(file.stream_position().await?, 5);
    let before = file.seek(SeekFrom::Current(-6)).await;
    assert_eq!(before.map_err(|e| e.kind()), Err(ErrorKind::InvalidInput));
    assert_eq!(file.stream_position().await?, 5, "it is where it was");
    Ok(())
}

#[anyrt::test]
async fn a_read_that_is_cancelled_loses_nothing() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let bytes = pattern(300_000);
    std::fs::write(&path, &bytes)?;
    let mut file = File::open(&path).await?;
    let (mut read, mut buf) = (Vec::new(), vec![0; 4096]);
    while read.len() < bytes.len() {
        // More than the next read has room for.
        read_ahead(&mut file, 10_000).await?;
        let count = file.read(&mut buf).await?;
        read.extend_from_slice(&buf[..count]);
        assert!(read == bytes[..read.len()]);
    }
    assert_eq!(read.len(), bytes.len());
    Ok(())
}

#[anyrt::test]
async fn an_operation_moves_no_more_than_the_buffer_holds() -> io::Result<()> {
    let dir = tempdir()?;
    let mut file = File::create_new(dir.path().join("file")).await?;
    assert_eq!(file.max_buf_size(), 2 * 1024 * 1024);
    let large = vec![1; 3 * 1024 * 1024];
    assert_eq!(file.write(&large).await?, 2 * 1024 * 1024);
    file.set_max_buf_size(5);
    assert_eq!(file.write(b"0123456789").await?, 5);
    let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cdef")];
    assert_eq!(file.write_vectored(&slices).await?, 5);
    assert_eq!(file.try_clone().await?.max_buf_size(), 5);
    file.rewind().await?;
    assert_eq!(file.read(&mut [0; 64]).await?, 5);
    file.seek(SeekFrom::Start(2 * 1024 * 1024)).await?;
    let mut tail = String::new();
    file.read_to_string(&mut tail).await?;
    assert_eq!(tail, "01234abcde");
    Ok(())
}

#[anyrt::test]
async fn the_error_of_a_write_comes_with_the_next_operation_that_writes() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    std::fs::write(&path, b"contents")?;
    let mut file = File::open(&path).await?;
    assert_eq!(file.write(b"no").await?, 2, "acknowledged");
    let error = file.flush().await.expect_err("it cannot be written");
    assert_eq!(error.raw_os_error(), Some(9), "{error}");
    file.flush().await?;

    // A read in between keeps the error.
    assert_eq!(file.write(b"no").await?, 2);
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "contents");
    assert!(file.write(b"more").await.is_err());
    assert_eq!(file.write(b"no").await?, 2);
    file.sync_all().await?;
    file.sync_data().await?;
    assert!(file.shutdown().await.is_err());

    let mut full = OpenOptions::new().write(true).open("/dev/full").await?;
    full.write_all(b"x").await?;
    let error = full.flush().await.expect_err("it is full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    Ok(())
}

#[anyrt::test]
async fn the_length_changes_and_the_cursor_stays() -> io::Result<()> {
    let dir = tempdir()?;
    let mut file = File::create_new(dir.path().join("file")).await?;
    file.write_all(b"0123456789").await?;
    file.set_len(4).await?;
    assert_eq!(file.metadata().await?.len(), 4);
    assert_eq!(file.stream_position().await?, 10);
    file.rewind().await?;
    read_ahead(&mut file, 4).await?;
    file.set_len(6).await?;
    let mut all = Vec::new();
    file.read_to_end(&mut all).await?;
    assert_eq!(all, b"0123\0\0");
    file.sync_all().await?;
    file.sync_data().await?;
    Ok(())
}

#[anyrt::test]
async fn permissions_and_times_are_set() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let mut file = File::create(&path).await?;
    let mut permissions = file.metadata().await?.permissions();
    permissions.set_mode(0o640);
    file.set_permissions(permissions).await?;
    assert_eq!(
        std::fs::metadata(&path)?.permissions().mode() & 0o777,
        0o640
    );

    file.write_all(b"modified now").await?;
    let accessed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000);
    file.set_modified(modified).await?;
    file.set_times(FileTimes::new().set_accessed(accessed))
        .await?;
    let metadata = file.metadata().await?;
    assert_eq!(metadata.modified()?, modified);
    assert_eq!(metadata.accessed()?, accessed);
    Ok(())
}

#[anyrt::test]
async fn clones_share_the_cursor() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let mut one = File::create_new(&path).await?;
    let mut two = one.try_clone().await?;
    one.write_all(b"one ").await?;
    one.flush().await?;
    two.write_all(b"two ").await?;
    two.flush().await?;
    assert_eq!(one.stream_position().await?, 8);
    // At once: neither overwrites the other.
    let write = async |file: &mut File, byte: u8| {
        for _ in 0..50 {
            file.write_all(&[byte; 1000]).await?;
        }
        file.flush().await
    };
    let (first, second) = anyrt::join!(write(&mut one, b'1'), write(&mut two, b'2'));
    first?;
    second?;
    let contents = std::fs::read(&path)?;
    assert_eq!(contents.len(), 8 + 100_000);
    for byte in [b'1', b'2'] {
        assert_eq!(contents.iter().filter(|b| **b == byte).count(), 50_000);
    }
    drop(one);
    two.rewind().await?;
    let mut read = Vec::new();
    two.read_to_end(&mut read).await?;
    assert_eq!(read, contents);
    Ok(())
}

#[anyrt::test]
async fn who_appends_never_overwrites() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("log");
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    let mut one = options.open(&path).await?;
    let mut two = options.read(true).open(&path).await?;
    let line = |text: &str| format!("{text}\n").into_bytes();
    one.write_all(&line("one")).await?;
    one.flush().await?;
    two.write_all(&line("two")).await?;
    two.flush().await?;
    one.seek(SeekFrom::Start(0)).await?;
    one.write_all(&line("three")).await?;
    one.flush().await?;
    assert_eq!(one.stream_position().await?, 14);
    // After a write, the cursor is at its end.
    assert_eq!(two.stream_position().await?, 8);
    let mut rest = String::new();
    two.read_to_string(&mut rest).await?;
    assert_eq!(rest, "three\n");
    assert_eq!(std::fs::read_to_string(&path)?, "one\ntwo\nthree\n");
    Ok(())
}

#[anyrt::test]
async fn a_file_comes_from_std_and_goes_back() -> io::Result<()> {
    let mut file = File::from(tempfile::tempfile()?);
    file.write_all(b"without a name").await?;
    assert_eq!(file.as_fd().as_raw_fd(), file.as_raw_fd());
    assert!(format!("{file:?}").starts_with("tokio::fs::File { std: File { fd:"));
    let mut std = file.into_std().await;
    // The conversion waited for the write.
    assert_eq!(io::Seek::stream_position(&mut std)?, 14);
    io::Seek::rewind(&mut std)?;

    let mut file = File::from(std::os::fd::OwnedFd::from(std));
    let mut text = String::new();
    file.read_to_string(&mut text).await?;
    assert_eq!(text, "without a name");
    let std = file.try_into_std().expect("nothing is under way");
    assert_eq!(std.metadata()?.len(), 14);
    Ok(())
}

#[anyrt::test]
async fn the_traits_of_futures_work_too() -> io::Result<()> {
    use futures_util::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

    let dir = tempdir()?;
    let mut file = File::create_new(dir.path().join("file")).await?;
    AsyncWriteExt::write_all(&mut file, b"0123456789").await?;
    let slices = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
    assert_eq!(AsyncWriteExt::write_vectored(&mut file, &slices).await?, 4);
    // A seek that was dropped in progress must not be mistaken for the next, identical one.
    let _ = poll_once(AsyncSeekExt::seek(&mut file, SeekFrom::Start(8)));
    AsyncWriteExt::write_all(&mut file, b"").await?;
    AsyncWriteExt::flush(&mut file).await?;
    assert_eq!(AsyncSeekExt::seek(&mut file, SeekFrom::Start(8)).await?, 8);
    let mut rest = String::new();
    AsyncReadExt::read_to_string(&mut file, &mut rest).await?;
    assert_eq!(rest, "89abcd");
    AsyncWriteExt::close(&mut file).await
}
