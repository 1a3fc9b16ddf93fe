//! Tasks that wait in `block_in_place`, like crates that call async code from a plain function.

use std::future::Future;

#[cfg(feature = "fs")]
use anyrt::io::AsyncSeekExt;
use anyrt::io::{AsyncReadExt, AsyncWriteExt};
use anyrt::net::{TcpListener, TcpStream};
use anyrt::runtime::Handle;
use anyrt::sync::{mpsc, oneshot};
use anyrt::task::{block_in_place, spawn_blocking, yield_now};
use anyrt::time::{Duration, sleep};
#[cfg(feature = "fs")]
use futures_util::FutureExt;

/// Waits for `future` on this thread, like crates that cannot await.
fn in_place<F: Future>(future: F) -> F::Output {
    let handle = Handle::current();
    block_in_place(|| handle.block_on(future))
}

/// With one worker the wait ends only if another thread takes over.
#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_blocks_in_place_may_wait_for_a_timer() {
    let task = anyrt::spawn(async { in_place(sleep(Duration::from_millis(5))) });
    task.await.unwrap();
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_blocks_in_place_may_wait_for_a_task_beside_it() {
    let (ask, mut asked) = mpsc::channel(1);
    let (answer, answered) = oneshot::channel();
    let beside = anyrt::spawn(async move {
        let number: u32 = asked.recv().await.unwrap();
        answer.send(number + 1).unwrap();
    });
    let task = anyrt::spawn(async move {
        in_place(async move {
            ask.send(7).await.unwrap();
            let child = anyrt::spawn(async { 30 });
            answered.await.unwrap() + child.await.unwrap()
        })
    });
    assert_eq!(task.await.unwrap(), 38);
    beside.await.unwrap();
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_blocks_in_place_may_wait_for_a_blocking_job() {
    let task = anyrt::spawn(async { in_place(spawn_blocking(|| 7)).unwrap() });
    assert_eq!(task.await.unwrap(), 7);
}

#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_blocks_in_place_may_wait_for_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let echo = anyrt::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        stream.write_all(&byte).await.unwrap();
    });
    let task = anyrt::spawn(async move {
        in_place(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&[7]).await.unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            byte[0]
        })
    });
    assert_eq!(task.await.unwrap(), 7);
    echo.await.unwrap();
}

#[cfg(feature = "fs")]
#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_blocks_in_place_may_wait_for_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers");
    std::fs::write(&path, [7; 100_000]).unwrap();
    let beside = path.clone();
    let task = anyrt::spawn(async move {
        let mut file = anyrt::fs::File::open(path).await.unwrap();
        let mut part = [0; 10];
        file.read_exact(&mut part).await.unwrap();
        let rest = in_place(async {
            let mut rest = Vec::new();
            file.read_to_end(&mut rest).await.unwrap();
            // Another task of the same worker reads a file as well.
            let other = anyrt::spawn(async { anyrt::fs::read(beside).await.unwrap().len() });
            rest.len() + other.await.unwrap()
        });
        // The file continues to work in its former place.
        file.rewind().await.unwrap();
        file.read_exact(&mut part).await.unwrap();
        (part, rest)
    });
    assert_eq!(task.await.unwrap(), ([7; 10], 199_990));
}

/// An operation that was started before the thread blocks, and is awaited while it blocks.
#[cfg(feature = "fs")]
#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_blocks_in_place_may_wait_for_a_read_that_was_begun_before() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("numbers");
    let numbers: Vec<u8> = (0..200).collect();
    std::fs::write(&path, &numbers).unwrap();
    let task = anyrt::spawn(async move {
        let mut file = anyrt::fs::File::open(path).await.unwrap();
        let mut read = Vec::new();
        for _ in 0..4 {
            let mut part = [0; 50];
            let mut reading = Box::pin(file.read_exact(&mut part));
            let begun = (&mut reading).now_or_never();
            begun.unwrap_or_else(|| in_place(reading)).unwrap();
            read.extend(part);
        }
        read
    });
    let read = task.await.unwrap();
    assert_eq!(read, numbers);
}

/// Two tasks block on one worker; the first to block is the last to continue.
#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn tasks_that_block_in_place_wait_for_each_other() {
    let (first, second) = (oneshot::channel(), oneshot::channel());
    let a = anyrt::spawn(async move {
        in_place(async move {
            first.0.send(()).unwrap();
            second.1.await.unwrap();
        });
    });
    let b = anyrt::spawn(async move {
        in_place(async move {
            first.1.await.unwrap();
            second.0.send(()).unwrap();
        });
        // It has its worker back.
        yield_now().await;
        7
    });
    assert_eq!(b.await.unwrap(), 7);
    a.await.unwrap();
}

/// The substitute for the worker blocks briefly as well, and may return before its own substitute
/// has taken over.
#[anyrt::test(flavor = "multi_thread", worker_threads = 1)]
async fn tasks_that_block_in_place_for_a_moment_hold_nobody_up_while_one_does_for_long() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (tell, blocks) = oneshot::channel();
    let long = anyrt::spawn(async move {
        block_in_place(|| {
            tell.send(()).unwrap();
            held.recv().unwrap();
        });
    });
    blocks.await.unwrap();
    for _ in 0..500 {
        let short = anyrt::spawn(async { block_in_place(|| ()) });
        short.await.unwrap();
    }
    release.send(()).unwrap();
    long.await.unwrap();
}
