//! Spawns concurrent tasks, blocking jobs and tasks that are not `Send`.
//!
//! Use `spawn` for work that waits, `spawn_blocking` for work that computes or blocks, a `LocalSet`
//! for what holds an `Rc`.
//! What guides miss: dropping a `JoinHandle` detaches the task, it does not cancel it; a panic in a
//! task is an `Err` from its handle, the program continues; two `async fn`s awaited in turn do not
//! run at the same time.

use std::rc::Rc;

use anyrt::sync::oneshot;
use anyrt::task::{LocalSet, spawn_blocking, spawn_local};

#[anyrt::main]
pub async fn main() -> anyhow::Result<()> {
    // ANCHOR: spawn
    // Both tasks run while this one continues. Awaiting a handle returns the task's result.
    let (ask, question) = oneshot::channel();
    let (reply, answer) = oneshot::channel();
    let asks = anyrt::spawn(async move {
        ask.send(6).expect("the other task waits for it");
        answer.await
    });
    let answers = anyrt::spawn(async move {
        let number: u32 = question.await.expect("the other task sends it");
        reply.send(number * 7).expect("the other task waits for it");
    });
    answers.await?;
    assert_eq!(asks.await??, 42);
    // ANCHOR_END: spawn

    // ANCHOR: blocking
    // A loop without `.await` would block the other tasks of its worker.
    let primes = spawn_blocking(|| (2..10_000_u32).filter(|n| is_prime(*n)).count()).await?;
    assert_eq!(primes, 1229);
    // ANCHOR_END: blocking

    // ANCHOR: detached
    // The handle is dropped at once; the task runs nevertheless.
    let (done, finished) = oneshot::channel();
    drop(anyrt::spawn(async move { done.send("done") }));
    assert_eq!(finished.await?, "done");
    // ANCHOR_END: detached

    // ANCHOR: panic
    let error = anyrt::spawn(async { assert_eq!(1, 2, "the task panics") })
        .await
        .unwrap_err();
    assert!(error.is_panic());
    // ANCHOR_END: panic

    // ANCHOR: local
    // An `Rc` may live across `.await` here: the tasks of a `LocalSet` stay on this thread.
    let shared = Rc::new(String::from("not Send"));
    let length = LocalSet::new()
        .run_until(async move {
            let theirs = Rc::clone(&shared);
            spawn_local(async move {
                anyrt::task::yield_now().await;
                theirs.len()
            })
            .await
        })
        .await?;
    assert_eq!(length, 8);
    // ANCHOR_END: local

    println!("tasks: 42, {primes} primes, one panic caught, one local task");
    Ok(())
}

fn is_prime(n: u32) -> bool {
    (2..)
        .take_while(|d| d * d <= n)
        .all(|d| !n.is_multiple_of(d))
}
