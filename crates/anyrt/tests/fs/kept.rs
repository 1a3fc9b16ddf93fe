//! Acknowledged bytes are written, whatever is dropped.

use std::io;
use std::sync::mpsc;
use std::thread;

use anyrt::fs::{self, File};
use anyrt::io::AsyncWriteExt;
use anyrt::runtime::{Backend, Builder, Handle};
use anyrt::task::yield_now;
use tempfile::tempdir;

use super::{pattern, poll_once};

#[anyrt::test]
async fn bytes_outlive_the_future_and_the_file() -> io::Result<()> {
    let dir = tempdir()?;
    let path = dir.path().join("file");
    let bytes = pattern(100_000);
    let mut file = File::create(&path).await?;
    assert!(poll_once(file.write_all(&bytes)).is_ready());
    // Waits for the first one and is dropped, so it is neither acknowledged nor written.
    let cancelled = poll_once(file.write_all(b"never"));
    drop(file);
    let expected = bytes.len() as u64 + if cancelled.is_ready() { 5 } else { 0 };
    while fs::metadata(&path).await?.len() != expected {
        yield_now().await;
    }
    assert_eq!(std::fs::read(&path)?[..bytes.len()], bytes);
    Ok(())
}

/// A runtime is dropped while a write waits for the only blocking thread.
#[test]
fn bytes_outlive_the_runtime() {
    for &backend in Backend::enabled() {
        for multi_thread in [false, true] {
            let dir = tempdir().expect("a directory");
            let path = dir.path().join("file");
            let bytes = pattern(3_000_000);
            let mut builder = if multi_thread {
                Builder::new_multi_thread()
            } else {
                Builder::new_current_thread()
            };
            let runtime = builder.backend(backend).max_blocking_threads(1).build();
            let runtime = runtime.expect("a runtime");
            let (ended, tasks_ended) = mpsc::channel::<()>();
            runtime.block_on(async {
                let mut file = File::create(&path).await.expect("a file");
                // The runtime drops its tasks first; until then the thread is busy.
                anyrt::spawn(async move {
                    let _ended = ended;
                    std::future::pending::<()>().await;
                });
                anyrt::task::spawn_blocking(move || tasks_ended.recv());
                let (written, rest) = bytes.split_at(2 * 1024 * 1024);
                assert_eq!(file.write(&bytes).await.expect("room"), written.len());
                // It may be acknowledged or not, because another one is in progress.
                let _ = poll_once(file.write(rest));
            });
            drop(runtime);
            let contents = std::fs::read(&path).expect("the file");
            assert!(contents.len() >= 2 * 1024 * 1024, "{backend} lost bytes");
            assert_eq!(contents, bytes[..contents.len()], "{backend}");
        }
    }
}

#[anyrt::test]
async fn a_whole_write_is_finished_once_it_has_begun() -> io::Result<()> {
    let dir = tempdir()?;
    for (name, len) in [("small", 10), ("large", 3_000_000)] {
        let path = dir.path().join(name);
        let bytes = pattern(len);
        let _ = poll_once(fs::write(&path, &bytes));
        while std::fs::metadata(&path).map_or(0, |m| m.len()) != len as u64 {
            yield_now().await;
        }
        assert_eq!(std::fs::read(&path)?, bytes);
    }
    Ok(())
}

#[test]
fn a_file_of_an_ended_runtime_errs_and_works_in_the_next() {
    for &backend in Backend::enabled() {
        let build = || {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .backend(backend)
                .build();
            runtime.expect("a runtime")
        };
        let dir = tempdir().expect("a directory");
        let path = dir.path().join("file");
        let first = build();
        let mut file = first.block_on(async {
            let mut file = File::create_new(&path).await.expect("a file");
            file.write_all(b"first ").await.expect("room");
            file
        });
        let ended: Handle = first.handle().clone();
        drop(first);
        let mut file = thread::spawn(move || {
            let _entered = ended.enter();
            // The acknowledged one succeeded, and no other is accepted.
            super::without_runtime(file.flush()).expect("written");
            let refused = super::without_runtime(file.write(b"lost"));
            assert!(refused.is_err(), "{backend} acknowledged a write in vain");
            file
        })
        .join()
        .expect("no panic");
        build().block_on(async {
            file.write_all(b"second").await.expect("room");
            file.flush().await.expect("written");
        });
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "first second", "{backend}");
    }
}
