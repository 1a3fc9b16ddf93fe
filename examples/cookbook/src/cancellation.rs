//! Stops work that is no longer wanted: by `select!`, by a token, by `abort`.
//!
//! Use `select!` inside one task, a token for tasks that must clean up, and `abort` for other
//! tasks. What guides miss: a future that `select!` drops in a loop loses what it had done, unless
//! it is cancel-safe or kept outside the loop; `abort` cannot stop a blocking job that has begun;
//! cleaning up in the branch after `cancelled()` only runs if somebody waits for the task.

use anyrt::io::{AsyncReadExt, AsyncWriteExt, duplex};
use anyrt::sync::{CancellationToken, mpsc, oneshot};
use anyrt::task::JoinSet;

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    assert_eq!(by_select().await?, (3, *b"12345678"));
    assert_eq!(by_token().await?, 4);
    by_abort().await?;
    println!("cancellation: 3 ticks while 8 bytes arrived, 4 tasks said goodbye, one was aborted");
    Ok(())
}

// ANCHOR: select
/// Counts ticks while a message of eight bytes arrives in pieces.
///
/// `read_exact` is not cancel-safe: recreated in each round, it would forget the bytes that it had
/// read. Pinned outside the loop it survives the rounds in which another branch wins. `recv` is
/// cancel-safe and may be made in each round.
async fn by_select() -> anyhow::Result<(u32, [u8; 8])> {
    let (mut writer, mut reader) = duplex(64);
    let (tick, mut ticks) = mpsc::channel(1);
    let feeding = anyrt::spawn(async move {
        for piece in [&b"123"[..], b"45", b"6"] {
            writer.write_all(piece).await?;
            // Capacity 1: the reader has seen the last tick before it gets this piece's.
            let _ = tick.send(()).await;
        }
        drop(tick);
        writer.write_all(b"78").await
    });
    let mut message = [0; 8];
    let mut seen = 0;
    {
        let mut reading = std::pin::pin!(reader.read_exact(&mut message));
        loop {
            anyrt::select! {
                // In this order, so that no tick is missed when both are ready.
                biased;
                Some(()) = ticks.recv() => seen += 1,
                read = &mut reading => {
                    read?;
                    break;
                }
            };
        }
    }
    feeding.await??;
    Ok((seen, message))
}
// ANCHOR_END: select

// ANCHOR: token
/// Tells four tasks to stop; each finishes what it is doing and says goodbye.
async fn by_token() -> anyhow::Result<usize> {
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    for number in 0..4 {
        // A child is cancelled with its parent, and can be cancelled alone.
        let stop = stop.child_token();
        tasks.spawn(async move {
            // `None` says that the token came first; the future was dropped.
            let result: Option<()> = stop.run_until_cancelled(std::future::pending()).await;
            assert!(result.is_none());
            format!("{number}: goodbye")
        });
    }
    stop.cancel();
    Ok(tasks.join_all().await.len())
}
// ANCHOR_END: token

// ANCHOR: abort
/// Aborts a task at an `.await`. Its destructors run before the handle resolves.
async fn by_abort() -> anyhow::Result<()> {
    let (open, mut closed) = oneshot::channel::<()>();
    let (started, running) = oneshot::channel();
    let task = anyrt::spawn(async move {
        let _open = open;
        let _ = started.send(());
        std::future::pending::<()>().await;
    });
    running.await?;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    // The task's end of the channel has already been dropped.
    assert_eq!(closed.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    Ok(())
}
// ANCHOR_END: abort
